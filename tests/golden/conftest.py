"""The option that rewrites golden files; `make golden` uses it, CI refuses it."""

import os

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --rewrite-golden."""
    parser.addoption("--rewrite-golden", action="store_true", help="write what is rendered now")


def pytest_configure(config: pytest.Config) -> None:
    """In CI golden files are only compared."""
    if config.getoption("--rewrite-golden", default=False) and os.environ.get("CI") == "true":
        pytest.exit("--rewrite-golden is refused in CI: commit the golden files", returncode=4)
