"""A little of the data tells of files that were not written completely."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from quantized_model_operator.domain.data_samples import (
    SAMPLE_BYTES,
    sample_problems,
    wanted_samples,
)
from quantized_model_operator.domain.quantization_settings import parse_settings
from quantized_model_operator.domain.safetensors_header import parse_header
from unit.tiny_checkpoint import Recipe, Tensor, Tensors, config, linear, safetensors

if TYPE_CHECKING:
    from quantized_model_operator.domain.checkpoint import CheckpointProblem


def problems(contents: Tensors, recipe: Recipe | None = None) -> list[CheckpointProblem]:
    """What samples of these tensors of one linear give away."""
    named = {f"model.layers.0.mlp.up_proj.{part}": tensor for part, tensor in contents.items()}
    file = safetensors(named)
    headers = {"m.safetensors": parse_header(file, len(file))}
    samples = {wanted.tensor: file[wanted.begin : wanted.end] for wanted in wanted_samples(headers)}
    assert samples
    assert all(0 < len(sample) <= SAMPLE_BYTES for sample in samples.values())
    return list(sample_problems(samples, headers, parse_settings(config(recipe), None)))


def replaced(part: str, data: bytes, dtype: str = "") -> Tensors:
    """A linear of 512 inputs with other data in one tensor."""
    contents = linear(512, 256)
    old = contents[part]
    repeated = (data * len(old.data))[: len(old.data)]
    return {**contents, part: Tensor(dtype or old.dtype, old.shape, repeated)}


def test_sound_data_gives_nothing_away() -> None:
    """Scales and ordered groups pass, in both types of scales."""
    assert problems(linear(512, 256)) == []
    assert problems(replaced("scales", struct.pack("<H", 0x3C23), "BF16")) == []


def test_zeros_and_what_is_no_number_are_found() -> None:
    """The file and the tensor are named."""
    cases = {
        "zeros": replaced("scales", b"\0"),
        "groups beyond all rows": replaced("g_idx", b"\xa5"),
        "infinity": replaced("scales", struct.pack("<e", float("inf"))),
        "no number": replaced("scales", struct.pack("<H", 0x7FC0), "BF16"),
    }
    for contents in cases.values():
        (problem,) = problems(contents)
        assert problem.reason == "ShardDamaged"
        assert "in m.safetensors has impossible values" in problem.message


def test_reordered_rows_need_act_order() -> None:
    """Groups out of order are wrong text with desc_act false, and expected with true."""
    reordered = replaced("g_idx", struct.pack("<4i", 3, 1, 0, 2))
    (problem,) = problems(reordered)
    assert problem.reason == "ShapesDisagree"
    assert "up_proj.g_idx reorders rows" in problem.message
    assert problems(reordered, Recipe(quantization={"desc_act": True})) == []
    assert problems(reordered, Recipe(quantization={"group_size": -1})) == []


def test_groups_that_were_never_written_tell_nothing() -> None:
    """All groups zero is no order of rows, and vLLM reads none; zeros in scales are damage."""
    assert problems(replaced("g_idx", b"\0")) == []
    both = {**replaced("g_idx", b"\0"), "scales": replaced("scales", b"\0")["scales"]}
    assert [problem.reason for problem in problems(both)] == ["ShardDamaged"]


def test_a_large_model_is_sampled_sparsely() -> None:
    """The number of samples is bounded, and they are spread over all tensors."""
    contents = {f"model.layers.{n}.up.scales": Tensor("F16", (1,), b"ab") for n in range(5000)}
    file = safetensors(contents)
    wanted = wanted_samples({"m.safetensors": parse_header(file, len(file))})
    assert 1000 < len(wanted) <= 2000
