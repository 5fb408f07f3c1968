"""Tests that need the S3 servers of the benchmarks; `.ci/run` and `make exact` install them."""

import pytest

from bench import environments


def skip_without_s3() -> None:
    """Skip the test if the S3 servers are not installed."""
    if not environments.is_installed("s3"):
        pytest.skip("the S3 servers are not installed: python -m bench.environments s3")
