#!/usr/bin/env bash
# Build the image where no registry of images can be reached but a mirror of Debian can: make the
# base with mmdebstrap. Needs root, buildah and mmdebstrap. SUITE and MIRROR may be
# set; arguments go to `buildah build`.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mmdebstrap --variant=minbase --include=ca-certificates,python3-venv \
  --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/man/*' \
  "${SUITE:-trixie}" "$folder/base.tar" ${MIRROR:+"$MIRROR"}
base=$(buildah from scratch)
buildah add --quiet "$base" "$folder/base.tar" /
buildah commit --quiet --rm "$base" localhost/darkroom-base

make image IMAGE_BUILDER='buildah build --layers --format docker' \
  IMAGE_FLAGS="--build-arg BASE=localhost/darkroom-base $*"
