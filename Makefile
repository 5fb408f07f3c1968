# Targets for a checkout: `make run` to try Darkroom, `make check test` before a commit.

PYTHON ?= python3
# Options of `make lock`; UV_FLAGS=--upgrade takes newer versions of the packages.
UV_FLAGS ?=
# The command of `make image`; without it, the first of docker, podman and buildah that is there.
IMAGE_BUILDER ?=
# Its further options, for example --build-arg BASE=python:3.12-slim.
IMAGE_FLAGS ?=

VENV := .venv
INSTALLED := $(VENV)/.installed
BIN := $(VENV)/bin

GUIDE := services/gateway/guide
GUIDE_BUILT := $(GUIDE)/index.html
# With the folders, whose times change when a page is deleted; `docs` itself is a target.
GUIDE_SOURCES := $(shell find docs -mindepth 1 -not -path 'docs/generate*') contracts/version.py requirements.lock

.PHONY: help run test test-quick check check-code check-docs check-deploy format image docs generate asyncapi-validate wheel bench-rpc bench-gateway bench-jobs bench-imaging bench-srcset bench-storage bench-delivery chaos adversary exact contract soak gallery fuzz golden lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^##@ / { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Use

run: $(INSTALLED) $(GUIDE_BUILT) ## Start a Valkey and both services; PORT, IMAGING_PORT, REDIS_URL and DATA_DIR may be set
	@$(BIN)/python -m devserver.local

docs: $(INSTALLED) $(GUIDE_BUILT) ## Build the guide, which the gateway serves at /guide

wheel: $(INSTALLED) $(GUIDE_BUILT) ## Build a wheel with the services, the command line and the guide into dist
	@$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

image: ## Build the container image darkroom; IMAGE_BUILDER, IMAGE_FLAGS
	@builder="$(IMAGE_BUILDER)"; \
	if [ -n "$$builder" ]; then :; \
	elif docker info > /dev/null 2>&1; then builder='docker build'; \
	elif command -v podman > /dev/null; then builder='podman build --format docker'; \
	elif command -v buildah > /dev/null; then builder='buildah build --layers --format docker'; \
	else echo 'make image needs docker, podman or buildah.' >&2; exit 1; fi; \
	version=$$(sed -n 's/^VERSION = "\(.*\)"/\1/p' contracts/version.py); \
	revision=$$(git rev-parse HEAD 2> /dev/null || echo unknown); \
	$$builder --file Containerfile --tag "darkroom:$$version" --tag darkroom:latest \
		--build-arg VERSION="$$version" --build-arg REVISION="$$revision" $(IMAGE_FLAGS) .

##@ Develop

# Tests marked `serial` measure time, so they run in three processes alone, those of a file one after
# another, and the longest files first; then all others run, in more. Those of the documents' commands
# are a part of `make check`. The first processes import no other modules: each would take seven
# seconds of CPU for them.
test: $(INSTALLED) $(GUIDE_BUILT) ## Run all tests (4 to 8 minutes)
	@failed=0; \
		$(BIN)/python -m pytest -q -m 'serial and not long' -n 3 --dist loadfile --no-loadscope-reorder \
			$$(grep -rl --include='test_*.py' 'mark\.serial' tests/e2e tests/adversary tests) || failed=1; \
		$(BIN)/python -m pytest -q -m 'not serial and not commands and not long' \
			--ignore tests/docs/running/test_commands.py -n auto --dist worksteal || failed=1; \
		exit $$failed

test-quick: $(INSTALLED) ## Run the quick tests, which start no services, between edits (under a minute); TESTS=folder
	@$(BIN)/python -m pytest -q -m 'not serial and not services and not slow and not long' -n auto --dist worksteal $(TESTS)

check: check-code check-docs check-deploy ## Check code, documents and container files (two to three minutes)
	@echo 'All checks have passed.'

check-code: $(INSTALLED) ## Check style, types and import rules
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { echo 'Run make format.' >&2; exit 1; }
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: $(INSTALLED) ## Format the code
	@$(BIN)/ruff format .

check-docs: $(INSTALLED) $(GUIDE_BUILT) ## Check generated pages and links, and run the documents' commands
	@$(BIN)/python -m docs.generate --check
	@$(BIN)/python -m pytest -q tests/docs/test_links.py tests/docs/test_registries.py tests/docs/test_gallery.py \
		tests/docs/test_golden_changelog.py
	@$(BIN)/python -m pytest -q -rfE -m commands -n auto --dist loadgroup tests/docs

# hadolint has no wheels for some machines.
check-deploy: $(INSTALLED) ## Check the Containerfile and compose.yaml
	@if [ -x $(BIN)/hadolint ]; then $(BIN)/hadolint Containerfile; \
		else echo 'hadolint is not installed, so the Containerfile is not checked.'; fi
	@$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec deploy/compose.yaml

generate: $(INSTALLED) ## Write asyncapi.yaml, the pages of the reference and the README's tables
	@$(BIN)/python -m docs.generate

asyncapi-validate: tests/asyncapi/node_modules/.package-lock.json ## Validate asyncapi.yaml with the official parser (needs Node.js)
	@node tests/asyncapi/validate.mjs asyncapi.yaml

gallery: $(INSTALLED) ## Write docs/pictures/operations: a picture of each operation
	@$(BIN)/python -m docs.generate.pictures.gallery

golden: $(INSTALLED) ## Write the golden file: the results of every operation for every kind of image
	@$(BIN)/python -m tests.imaging.engine.test_golden

lock: ## Pin the packages: all in requirements.lock, those of the image in deploy/requirements.lock
	@uv=$$(mktemp -d) && trap 'rm -rf "$$uv"' EXIT \
		&& $(PYTHON) -m venv "$$uv" && "$$uv/bin/pip" install --quiet uv \
		&& "$$uv/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
			--no-emit-index-url --no-annotate --no-header $(UV_FLAGS) \
			pyproject.toml --group local --group dev --group docs -o requirements.lock \
		&& "$$uv/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
			--no-emit-index-url --no-annotate --no-header \
			pyproject.toml --extra heif --extra jxl --extra simd \
			--constraints requirements.lock -o deploy/requirements.lock

clean: ## Remove installed packages and caches; keep .data, the data of make run
	rm -rf $(VENV) $(GUIDE) dist tests/asyncapi/node_modules .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

##@ Measure

bench-rpc: $(INSTALLED) ## Measure round trips and compare with other systems (8 minutes; bench/results)
	@$(BIN)/python -m bench.rpc

bench-gateway: $(INSTALLED) ## Measure the cost of publishing in an HTTP request (6 minutes; needs wrk)
	@$(BIN)/python -m bench.gateway

bench-jobs: $(INSTALLED) ## Measure jobs and compare with other systems (8 minutes; bench/results)
	@$(BIN)/python -m bench.jobs

bench-imaging: $(INSTALLED) ## Measure renders and compare with other systems (5 minutes; ipx needs npm)
	@$(BIN)/python -m bench.imaging

bench-srcset: $(INSTALLED) ## Measure five sizes of one image at once (30 seconds; bench/results)
	@$(BIN)/python -m bench.imaging.srcset

bench-storage: $(INSTALLED) ## Measure Redis, disk and S3 as stores of bytes (10 minutes; 60 GB of free disk)
	@$(BIN)/python -m bench.storage

bench-delivery: $(INSTALLED) ## Measure stored answers and small renders, and a page in Chromium (5 minutes; needs wrk)
	@$(BIN)/python -m bench.delivery

chaos: $(INSTALLED) ## Kill workers, Redis and the gateway; check that accepted jobs are done (4 minutes)
	@$(BIN)/python -m bench.chaos

adversary: $(INSTALLED) ## Attack a running Darkroom; print each attack and its effect, before and now
	@WRITE_ATTACKS=1 $(BIN)/python -m pytest -q --timeout 600 tests/adversary

exact: $(INSTALLED) ## Compare pictures and protocols with independent judges (needs npm, Chromium; bench/results)
	@$(BIN)/python -m bench.exact

contract: $(INSTALLED) ## Check openapi.json: linters, generated clients, and Schemathesis with every check (needs npm)
	@$(BIN)/python -m bench.exact --only redocly openapi schemathesis

soak: $(INSTALLED) ## Offer twice the capacity, for a minute over a list and over a stream
	@SOAK_SECONDS=60 $(BIN)/python -m pytest -q --timeout 180 -k twice_the_capacity tests/runtime

fuzz: $(INSTALLED) ## Render damaged image files; every failure must be a named one; FUZZ_FLAGS='--seconds 60'
	@$(BIN)/python -m bench.fuzz $(FUZZ_FLAGS)

# Touched after a complete installation: an interrupted one is repeated. `--clear` would empty the
# folder that a link leads to, which others may use.
$(INSTALLED): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'Darkroom needs Python 3.11 or later, and $(PYTHON) is not: try make PYTHON=python3.11' >&2; exit 1; }
	@[ ! -L $(VENV) ] || { echo '$(VENV) is a link, and its packages are out of date: remove the link.' >&2; exit 1; }
	@echo 'Installing the packages of requirements.lock into $(VENV): a minute or two.'
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

tests/asyncapi/node_modules/.package-lock.json: tests/asyncapi/package-lock.json
	@npm ci --prefix tests/asyncapi --ignore-scripts --no-audit --no-fund
	@touch $@

# A warning stops the build: a link that leads nowhere, a page in no list. The guide is replaced
# as a whole at the end, so two builds at once, or one that fails, leave no half of it.
$(GUIDE_BUILT): $(GUIDE_SOURCES) | $(INSTALLED)
	@echo 'Building the guide.'
	@mkdir -p .data && new=$$(mktemp -d .data/guide.XXXXXX) && trap 'rm -rf "$$new"' EXIT \
		&& $(BIN)/python -m sphinx -W --keep-going -q -b dirhtml -d "$$new/doctrees" docs "$$new/guide" \
		&& touch "$$new/guide/index.html" && rm -rf $(GUIDE) && mv "$$new/guide" $(GUIDE)
