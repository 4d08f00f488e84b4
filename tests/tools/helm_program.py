"""Runs the helm that the local cluster pins; the Makefile builds it when it is missing."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CHART = REPOSITORY / "charts" / "quantized-model-operator"


class HelmError(Exception):
    """Helm ended with an error; the text is its own."""


@cache
def helm_path() -> Path:
    """The pinned helm, built by the first call on a machine."""
    user_cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(os.environ.get("QMO_CACHE") or user_cache / "quantized-model-operator")
    program = folder / "helm" / "helm"
    # The recipe is in one place; for a program that is up to date it does nothing.
    command = ["make", "--no-print-directory", str(program)]
    built = subprocess.run(  # noqa: S603 - our own Makefile
        command, cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    if built.returncode != 0:
        raise HelmError(built.stderr)
    return program


def run_helm(*arguments: str, stdin: str = "") -> str:
    """What helm printed; ``HelmError`` with its complaint when it failed."""
    done = subprocess.run(  # noqa: S603 - arguments of tests and generators
        [helm_path(), *arguments], input=stdin, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise HelmError(done.stderr)
    return done.stdout


def render_chart(values: str = "", *, release: str = "release", namespace: str = "system") -> str:
    """The manifests of the chart for these values, given as YAML text."""
    return run_helm(
        "template", release, str(CHART), "--namespace", namespace, "--values", "-", stdin=values
    )
