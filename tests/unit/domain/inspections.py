"""Verdicts on tiny checkpoints, sound or damaged, for the tests of the checks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from quantized_model_operator.api.conditions import REASONS
from quantized_model_operator.domain.checkpoint_files import DOCUMENTS
from quantized_model_operator.domain.checkpoint_inspection import Evidence, inspect_checkpoint
from unit.tiny_checkpoint import SINGLE, Recipe, Tensors, config, safetensors, tensors

if TYPE_CHECKING:
    from collections.abc import Callable

    from quantized_model_operator.domain.checkpoint import CheckpointFacts

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def evidence(
    recipe: Recipe | None = None,
    *,
    contents: Tensors | None = None,
    files: dict[str, bytes] | None = None,
    without: tuple[str, ...] = (),
) -> Evidence:
    """What is read of a checkpoint with one weight file; files are added or replaced by name."""
    recipe = recipe or Recipe()
    everything = {
        "config.json": json.dumps(config(recipe)).encode(),
        "tokenizer.json": b"{}",
        "tokenizer_config.json": b'{"chat_template": "{{ x }}"}',
        SINGLE: safetensors(tensors(recipe) if contents is None else contents),
        **(files or {}),
    }
    for name in without:
        del everything[name]
    return Evidence(
        uri="hf://zoo/otter",
        commit=COMMIT,
        sizes={name: len(content) for name, content in everything.items()},
        documents={name: everything[name] for name in DOCUMENTS if name in everything},
        first_bytes={
            name: content for name, content in everything.items() if name.endswith("safetensors")
        },
        digests=dict.fromkeys(everything, "sha256:0"),
        integrity="Hub",
    )


def verdict(seen: Evidence) -> list[tuple[str, str]]:
    """Reasons and messages; every reason is one of the API's."""
    report = inspect_checkpoint(seen)
    assert (report.facts is None) is bool(report.problems)
    assert report.problem_count == len(report.problems)
    assert not report.transient
    assert {problem.reason for problem in report.problems} <= set(REASONS)
    return [(problem.reason, problem.message) for problem in report.problems]


def only(seen: Evidence) -> tuple[str, str]:
    """The one problem of a checkpoint."""
    found = verdict(seen)
    assert len(found) == 1, found
    return found[0]


def facts(seen: Evidence) -> CheckpointFacts:
    """The facts of a sound checkpoint."""
    assert verdict(seen) == []
    report = inspect_checkpoint(seen)
    assert report.facts is not None
    return report.facts


def changed(change: Callable[[Tensors], object], recipe: Recipe | None = None) -> Evidence:
    """The evidence after a change to the tensors."""
    contents = tensors(recipe)
    change(contents)
    return evidence(recipe, contents=contents)
