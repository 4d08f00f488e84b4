"""Writes the generated files of the repository, or verifies that the committed ones are current.

generate.py write      writes them in place
generate.py verify     writes a copy elsewhere, compares, and names the remedy
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
REMEDY = "run `make generate` and commit what it writes"


@dataclass(frozen=True)
class Generator:
    """One source of generated files.

    Attributes:
        name: What a person calls the output.
        source: `module:function`; the function takes no argument and returns one manifest, a
            sequence of manifests, or the finished text.
        targets: Where the output goes, relative to the repository; each receives the same bytes.
    """

    name: str
    source: str
    targets: tuple[str, ...]


# In this order: the last one renders the chart with what the others wrote into it.
GENERATORS: tuple[Generator, ...] = (
    Generator(
        name="CRD",
        source="quantized_model_operator.api.crd:crd_document",
        targets=("crds/quantizedmodels.yaml",),
    ),
    Generator(
        name="CRD of the chart",
        source="tools.chart_files:crd_template",
        targets=("charts/quantized-model-operator/templates/crd.yaml",),
    ),
    Generator(
        name="permissions of the chart",
        source="tools.chart_files:permissions_template",
        targets=("charts/quantized-model-operator/templates/_permissions.tpl",),
    ),
    Generator(
        name="API reference",
        source="tools.api_reference:document",
        targets=("operator/docs/api-reference.md",),
    ),
    Generator(
        name="engine rules",
        source="tools.engine_rules_page:document",
        targets=("operator/docs/engine-rules.md",),
    ),
    Generator(
        name="values of the chart",
        source="tools.chart_values:document",
        targets=("operator/docs/chart-values.md",),
    ),
    Generator(
        name="failure causes",
        source="tools.failure_causes:document",
        targets=("operator/docs/failure-causes.md",),
    ),
    Generator(
        name="install manifest",
        source="tools.chart_files:install_manifest",
        targets=("charts/install.yaml",),
    ),
)


class _PlainDumper(yaml.SafeDumper):
    """Writes neither anchors nor aliases."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        return True


def as_text(output: Mapping[str, Any] | Sequence[Mapping[str, Any]] | str) -> str:
    """The text of a generated file: finished text as it is, manifests as plain sorted YAML."""
    if isinstance(output, str):
        return output
    documents = [output] if isinstance(output, Mapping) else list(output)
    body = "---\n".join(
        yaml.dump(document, Dumper=_PlainDumper, sort_keys=True, allow_unicode=True, width=10_000)
        for document in documents
    )
    return f"# Generated; to change it: make generate\n{body}"


def generate(generators: Iterable[Generator], root: Path) -> list[Path]:
    """The files written below `root`, in the order of the registry."""
    written = []
    for generator in generators:
        module, _, function = generator.source.partition(":")
        text = as_text(getattr(importlib.import_module(module), function)())
        for target in generator.targets:
            path = root / target
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return written


def differences(generators: Iterable[Generator], committed_root: Path) -> list[str]:
    """One text for each committed file that is missing or not what is generated today."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        copy_root = Path(folder)
        for copy in generate(generators, copy_root):
            name = copy.relative_to(copy_root)
            committed = committed_root / name
            if not committed.is_file():
                found.append(f"{name} is missing")
                continue
            diff = difflib.unified_diff(
                committed.read_text(encoding="utf-8").splitlines(keepends=True),
                copy.read_text(encoding="utf-8").splitlines(keepends=True),
                fromfile=f"{name} (committed)",
                tofile=f"{name} (generated)",
            )
            found.append("".join(diff))
    return [diff for diff in found if diff]


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 1 when a generated file is not up to date."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("action", choices=["write", "verify"])
    action = parser.parse_args(arguments).action
    if action == "write":
        for path in generate(GENERATORS, REPOSITORY):
            print(f"wrote {path.relative_to(REPOSITORY)}")
        return 0
    stale = differences(GENERATORS, REPOSITORY)
    for diff in stale:
        print(diff)
    if stale:
        print(f"verify: {len(stale)} generated file(s) are not up to date; {REMEDY}")
        return 1
    count = sum(len(generator.targets) for generator in GENERATORS)
    print(f"verify: {count} generated files are up to date")
    return 0


if __name__ == "__main__":
    # As a script, Python finds the folder of this file, and not the one that `tools` is in.
    sys.path.insert(0, str(REPOSITORY / "tests"))
    sys.exit(main())
