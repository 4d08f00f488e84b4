"""Suggestions as options and as patches."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from quantized_model_operator.cli.plan import plan
from quantized_model_operator.cli.plan_remedy import OPTION_OF_FIELD, remedy
from quantized_model_operator.domain.cluster_state import ModelKey


@pytest.mark.parametrize(
    ("suggestion", "options"),
    [
        ({"engine": {"maxModelLen": 4096}}, ["--max-model-len 4096"]),
        (
            {"engine": {"dtype": "bfloat16"}, "hardware": {"gpusPerReplica": 2}},
            ["--dtype bfloat16 --tensor-parallel-size 2"],
        ),
        ({"hardware": {"products": ["NVIDIA-L4", "Tesla-T4"]}}, ["--gpu L4 --gpu T4"]),
        ({"engine": {"kvCacheDtype": None}}, ["without --kv-cache-dtype"]),
        ({"engine": {"args": []}}, ["in a manifest, spec.engine.args: []"]),
    ],
)
def test_without_a_manifest_options_are_suggested(
    suggestion: dict[str, Any], options: list[str]
) -> None:
    """Fields that have an option are told by it, null as leaving it out."""
    assert list(remedy(suggestion, None)) == options


def test_for_a_manifest_fields_and_the_patch_are_told() -> None:
    """Who keeps the file edits its fields, and who has only the cluster patches it."""
    patch = '{"spec": {"engine": {"maxModelLen": 4096, "dtype": null}}}'
    told = list(remedy({"engine": {"maxModelLen": 4096, "dtype": None}}, ModelKey("zoo", "otter")))
    assert told == [
        "spec.engine.maxModelLen: 4096",
        "remove spec.engine.dtype",
        "kubectl --namespace zoo patch quantizedmodel otter --type merge \\",
        f"  --patch '{patch}'",
    ]


def test_a_patch_is_one_word_of_a_shell() -> None:
    """Quotes in what a user wrote do not end the patch that is to be copied."""
    suggestion = {"engine": {"args": ["--chat-template=it's an otter"]}}
    *_, first, second = remedy(suggestion, ModelKey("default", "otter"))
    words = shlex.split(first.removesuffix("\\") + second)
    assert words[:3] == ["kubectl", "patch", "quantizedmodel"]
    assert json.loads(words[-1]) == {"spec": suggestion}


def test_suggested_options_exist() -> None:
    """Every option that is ever suggested is one of the command."""
    known = {option for parameter in plan.params for option in parameter.opts}
    assert set(OPTION_OF_FIELD.values()) <= known
