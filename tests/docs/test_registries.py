"""No file names the host of a package registry: each user has a setting or a mirror."""

from tests.docs.documents import files
from tests.processes import ROOT

# In parts, so that this file names none of them.
HOSTS = [
    ".".join(parts).encode()
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("crates", "io"),
        ("rubygems", "org"),
        ("proxy", "golang", "org"),
        ("anaconda", "org"),
        ("docker", "io"),
        ("docker", "com"),
        ("ghcr", "io"),
        ("gcr", "io"),
        ("quay", "io"),
        ("k8s", "io"),
        ("mcr", "microsoft", "com"),
        ("ecr", "aws"),
    )
]


def test_no_file_names_the_host_of_a_package_registry() -> None:
    named = [
        f"{name}: {host.decode()}"
        for name in files()
        for content in [(ROOT / name).read_bytes()]
        for host in HOSTS
        if host in content
    ]
    assert not named, "\n".join(named)


def test_no_lock_names_an_address() -> None:
    """Of an npm lock, remove `resolved` and `funding`: names, versions and hashes are enough."""
    locks = [name for name in files() if name.endswith((".lock", "package-lock.json"))]
    assert len(locks) > 10
    assert [name for name in locks if b"://" in (ROOT / name).read_bytes()] == []
