"""The declared GPTQ parameters: which are understood, which are served."""

from __future__ import annotations

import json
import re
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
        ({"quant_method": "awq"}, "NotGptq", "quantised with AWQ (quant_method: awq)"),
        (
            {"quant_method": "compressed-tensors"},
            "NotGptq",
            "llm-compressor in its own format compressed-tensors, whatever the algorithm",
        ),
        ({"quant_method": "compressed_tensors"}, "NotGptq", "llm-compressor in its own format"),
        ({"quant_method": "auto-round"}, "NotGptq", "AutoRound in its own format"),
        ({"quant_method": "bitsandbytes"}, "NotGptq", "quantised with bitsandbytes"),
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
    with pytest.raises(UnusableSettingsError, match=re.escape(text)) as caught:
        parsed(**changes)
    assert caught.value.problem.reason == reason


@pytest.mark.parametrize(
    "changes",
    [
        {"checkpoint_format": "gptq_v2"},
        {"autoround_version": "0.5.1", "packing_format": "auto_round:auto_gptq"},
        {"quant_method": "GPTQ"},
        {"meta": {"quantizer": ["gptqmodel:7.6.0"]}, "pack_dtype": "int32"},
        {"dataset": ["a calibration text"] * 100, "model_seqlen": 2048, "backend": "auto"},
    ],
    ids=["optimum's format", "AutoRound's export", "capitals", "GPTQModel", "optimum's texts"],
)
def test_what_tools_add_is_accepted(changes: dict[str, Any]) -> None:
    """VLLM reads the four parameters, whichever tool wrote them beside keys of its own."""
    assert parsed(**changes) == parsed()


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


def test_a_legacy_file_alone_is_read() -> None:
    """quantize_config.json counts where config.json is silent, and only there."""
    legacy = json.dumps({"bits": 8, "group_size": 64, "desc_act": False, "sym": True}).encode()
    silent = config(Recipe(config={"quantization_config": None}))
    settings = parse_settings(silent, legacy)
    assert (settings.bits, settings.group_size, settings.in_legacy_file) == (8, 64, True)
    assert parse_settings(config(), legacy) == parsed()
    assert not parsed().in_legacy_file


@pytest.mark.parametrize(
    ("legacy", "reason", "text"),
    [
        (b'{"bits": 4}', "QuantizationIncomplete", "quantize_config.json lacks group_size"),
        (b"broken", "ConfigInvalid", "quantize_config.json is no JSON"),
        (b"[]", "ConfigInvalid", "quantize_config.json is no JSON"),
        (b'{"quant_method": "awq"}', "NotGptq", "quantised with AWQ"),
    ],
)
def test_a_legacy_file_is_judged_like_the_config(legacy: bytes, reason: str, text: str) -> None:
    """What is wrong in quantize_config.json is told with its name."""
    document = config(Recipe(config={"quantization_config": None}))
    with pytest.raises(UnusableSettingsError, match=re.escape(text)) as caught:
        parse_settings(document, legacy)
    assert caught.value.problem.reason == reason


@pytest.mark.parametrize(
    "listed",
    [
        ["self_attn.q_proj", "mlp.down_proj"],
        [["self_attn.q_proj"], ["mlp.down_proj"]],
    ],
)
def test_a_list_of_modules_is_read_flat_or_nested(listed: list[Any]) -> None:
    """A module counts as quantised when its name contains one that is listed."""
    settings = parsed(modules_in_block_to_quantize=listed)
    assert settings.lists("model.layers.3.self_attn.q_proj")
    assert settings.lists("model.layers.3.mlp.down_proj")
    assert not settings.lists("model.layers.3.mlp.up_proj")
    assert parsed().lists("anything")


@pytest.mark.parametrize("listed", ["q_proj", [1], [["q_proj", None]], [""], {"q_proj": True}])
def test_a_list_that_is_none_is_refused(listed: object) -> None:
    """Anything but names of modules is named as what to correct."""
    with pytest.raises(UnusableSettingsError, match="modules_in_block_to_quantize") as caught:
        parsed(modules_in_block_to_quantize=listed)
    assert caught.value.problem.reason == "ConfigInvalid"


@pytest.mark.parametrize(
    ("base", "rule", "found"),
    [
        ({"desc_act": False}, {"desc_act": True}, True),
        ({"desc_act": False}, {"desc_act": True, "group_size": -1}, False),
        ({"desc_act": False, "group_size": -1}, {"desc_act": True}, False),
        ({"desc_act": False, "group_size": -1}, {"desc_act": True, "group_size": 128}, True),
        ({"desc_act": True}, {"desc_act": False}, True),
    ],
)
def test_act_order_of_a_rule_counts(
    base: dict[str, Any],
    rule: dict[str, Any],
    found: bool,  # noqa: FBT001
) -> None:
    """One linear with reordered rows in several groups is enough; in one group order is free."""
    assert parsed(**base, dynamic={"model": rule}).desc_act is found


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
