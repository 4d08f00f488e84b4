"""The declared GPTQ parameters: which are understood, which are served."""

from __future__ import annotations

from typing import Any

import pytest

from quantized_model_operator.domain.quantization_settings import (
    QuantizationSettings,
    UnusableSettingsError,
    parse_settings,
    settings_problems,
)
from unit.tiny_checkpoint import Recipe, config


def parsed(**changes: object) -> QuantizationSettings:
    """The tiny model's settings with changed keys; ``None`` removes one."""
    return parse_settings(config(Recipe(quantization=changes)), None)


def reasons(**changes: object) -> list[str]:
    """Reasons against the changed settings."""
    return [problem.reason for problem in settings_problems(parsed(**changes))]


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("group_size", [-1, 32, 64, 128])
@pytest.mark.parametrize("desc_act", [False, True])
def test_what_some_vllm_serves_passes(bits: int, group_size: int, desc_act: bool) -> None:  # noqa: FBT001
    """Act-order depends on the version of vLLM, so the plan judges it and not the inspection."""
    assert reasons(bits=bits, group_size=group_size, desc_act=desc_act) == []
    assert parsed(desc_act=desc_act).desc_act is desc_act


@pytest.mark.parametrize("bits", [2, 3, 5, 6, 7, 16])
def test_other_bits_are_refused(bits: int) -> None:
    """Only 4 and 8 bits are served."""
    assert reasons(bits=bits) == ["UnsupportedBits"]


@pytest.mark.parametrize("group_size", [0, 16, 127, 256, 1024])
def test_other_group_sizes_are_refused(group_size: int) -> None:
    """Only -1, 32, 64 and 128 are served."""
    assert reasons(group_size=group_size) == ["UnsupportedGroupSize"]


def test_asymmetric_quantisation_is_refused() -> None:
    """The zero points of asymmetric checkpoints are not read."""
    assert reasons(sym=False) == ["UnsupportedSymmetry"]


@pytest.mark.parametrize("key", ["bits", "group_size", "desc_act", "sym"])
def test_a_missing_key_is_named(key: str) -> None:
    """The message names the missing key."""
    with pytest.raises(UnusableSettingsError, match=f"lacks {key}") as caught:
        parsed(**{key: None})
    assert caught.value.problem.reason == "QuantizationIncomplete"


@pytest.mark.parametrize(
    ("changes", "reason", "text"),
    [
        ({"quant_method": "awq"}, "NotGptq", "quantised with awq"),
        ({"quant_method": "compressed-tensors"}, "NotGptq", "compressed-tensors"),
        ({"quant_method": "foo"}, "NotGptq", "quantised with foo"),
        ({"quant_method": None}, "NotGptq", "no quant_method"),
        ({"checkpoint_format": "marlin"}, "NotGptq", "checkpoint_format: marlin"),
        ({"bits": "4"}, "ConfigInvalid", "bits of quantization_config"),
        ({"bits": 10**9}, "ConfigInvalid", "bits of quantization_config"),
        ({"sym": 1}, "ConfigInvalid", "sym of quantization_config"),
        ({"dynamic": [1]}, "ConfigInvalid", "no table of rules"),
        ({"dynamic": {"-:(": {}}}, "ConfigInvalid", "no regular expression"),
        ({"dynamic": {"a": {"bits": "8"}}}, "ConfigInvalid", "bits of the dynamic rule a"),
    ],
)
def test_settings_that_are_not_gptq_are_refused(
    changes: dict[str, Any], reason: str, text: str
) -> None:
    """The reason tells a foreign method from a broken file, the message names the value."""
    with pytest.raises(UnusableSettingsError, match=text.replace("(", r"\(")) as caught:
        parsed(**changes)
    assert caught.value.problem.reason == reason


def test_gptq_v2_is_accepted() -> None:
    """VLLM never reads the format, and with symmetric quantisation it does not matter."""
    assert parsed(checkpoint_format="gptq_v2").bits == 4


def test_settings_of_other_places_are_found() -> None:
    """VLLM reads them from text_config and compression_config too."""
    document = config()
    section = document.pop("quantization_config")
    nested = {**document, "text_config": {"quantization_config": section}}
    assert parse_settings(nested, None) == parsed()
    assert parse_settings({**document, "compression_config": section}, None) == parsed()


def test_an_unquantised_checkpoint_is_told_so() -> None:
    """Without any section the checkpoint is not quantised."""
    with pytest.raises(UnusableSettingsError, match="not quantised") as caught:
        parse_settings(config(Recipe(config={"quantization_config": None})), None)
    assert caught.value.problem.reason == "NotGptq"


def test_a_legacy_file_alone_is_not_enough() -> None:
    """VLLM does not read quantize_config.json by itself, so the message says what to copy."""
    document = config(Recipe(config={"quantization_config": None}))
    with pytest.raises(UnusableSettingsError, match=r"only quantize_config\.json") as caught:
        parse_settings(document, b'{"bits": 4}')
    assert caught.value.problem.reason == "QuantizationIncomplete"
    with pytest.raises(UnusableSettingsError, match=r"quantize_config\.json is no JSON"):
        parse_settings(document, b"broken")


def test_the_first_matching_rule_decides() -> None:
    """Rules match from the start of the name, in order, and may leave modules unquantised."""
    settings = parsed(
        dynamic={
            "-:.*mlp": {},
            "+:model.layers.0": {"bits": 8},
            "model": {"group_size": 32},
        }
    )
    assert settings.declared_for("model.layers.0.mlp.up_proj") is None
    assert settings.declared_for("model.layers.0.self_attn.q_proj") == (8, 128)
    assert settings.declared_for("model.layers.1.self_attn.q_proj") == (4, 32)
    assert settings.declared_for("lm_head") == (4, 128)


def test_rules_are_judged_like_the_base() -> None:
    """A rule may not ask for what vLLM does not serve, one that leaves modules dense may."""
    assert reasons(dynamic={"a": {"bits": 3}, "b": {"sym": False}, "-:c": {"bits": 2}}) == [
        "UnsupportedBits",
        "UnsupportedSymmetry",
    ]
