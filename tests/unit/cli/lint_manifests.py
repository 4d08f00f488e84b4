"""Manifests for the tests of `qm lint`, and how they are judged."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from quantized_model_operator.cli.lint_files import FoundManifests
from quantized_model_operator.cli.lint_manifests import lint
from quantized_model_operator.cli.manifests import Manifest, Unreadable, read_manifests
from quantized_model_operator.settings import Settings

if TYPE_CHECKING:
    from quantized_model_operator.cli.lint_finding import Finding
    from quantized_model_operator.cli.lint_report import LintReport

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def model(spec: str = "", name: str = "otter") -> str:
    """A model with nothing to complain about, and further lines of its spec."""
    head = f"""\
        apiVersion: serving.quantizedmodel.dev/v1alpha1
        kind: QuantizedModel
        metadata:
          name: {name}
        spec:
          model:
            uri: hf://otter/river-GPTQ-Int4
            revision: {COMMIT}
        """
    return textwrap.dedent(head) + textwrap.indent(textwrap.dedent(spec), "  ")


def judged(*texts: str, settings: Settings | None = None) -> LintReport:
    """The report over texts, each of which is a file of its own."""
    items = [
        item for index, text in enumerate(texts) for item in read_manifests(text, f"{index}.yaml")
    ]
    found = FoundManifests(
        manifests=tuple(item for item in items if isinstance(item, Manifest)),
        unreadable=tuple(item for item in items if isinstance(item, Unreadable)),
        files=len(texts),
    )
    return lint(found, settings or Settings(operator_image=""))


def only_finding(*texts: str) -> Finding:
    """The one thing that there is to say."""
    (finding,) = judged(*texts).findings
    return finding
