"""Arguments are read as the parser of vLLM reads them; texts are those of its own parser."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantized_model_operator.api.flag_tables import argument_table
from quantized_model_operator.domain.engine_arguments import ArgumentTable, read_arguments
from quantized_model_operator.domain.engine_version import EngineVersion


def table(minor: int = 33) -> ArgumentTable:
    """The table of vLLM 0.``minor``."""
    found = argument_table(EngineVersion(0, minor))
    assert found is not None
    return found


def accepted(*arguments: str, minor: int = 33) -> bool:
    """Whether vLLM would start with these arguments."""
    return read_arguments(arguments, table(minor))[1] == ()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--enable-auto-tool-choice", "--tool-call-parser", "hermes"),
        ("--tool-call-parser=hermes",),
        ("--tool_call_parser", "hermes"),
        ("--enable-auto",),
        ("--stream", "5"),
        ("--max-logprobs", "-1"),
        ("--max-lora-rank", "16"),
        ("--max-num-queued-tokens", "4k"),
        ("--max-num-queued-tokens", "None"),
        ("--max-num-queued-tokens", ""),
        ("--compilation-config", '{"mode": 3}'),
        ("--compilation-config.mode", "3"),
        ("--compilation-config.mode=3",),
        ("--compilation-config", '{"max_cudagraph_capture_size": 4k}'),
        ("-O3",),
        ("-O", "3"),
        ("-O.mode=3",),
        ("--disable-chunked-prefill",),
        ("--no-enable-chunked-prefill",),
        ("--override-generation-config", '{"temperature": 0}'),
        ("--lora-modules", "a=/models/a", "b=/models/b"),
        ("--collect-detailed-traces", "None"),
        ("--hf-overrides", "anything"),
        (),
    ],
)
def test_what_vllm_takes_is_taken(arguments: tuple[str, ...]) -> None:
    """Values, abbreviations, both negations, sizes, JSON and dotted JSON pass as in vLLM 0.33."""
    assert accepted(*arguments)


@pytest.mark.parametrize(
    ("arguments", "flag", "message"),
    [
        (("--swap-space", "4"), "--swap-space", ""),
        (("--nonsense.key", "4"), "--nonsense", ""),
        (("--max-lora-rank", "3"), "--max-lora-rank", "invalid choice: 3 (choose from 1, 8, 16"),
        (("--max-logprobs", "5.5"), "--max-logprobs", "invalid whole number value: '5.5'"),
        (("--max-logprobs",), "--max-logprobs", "expected one argument"),
        (("--enforce-eager=1",), "--enforce-eager", "ignored explicit argument '1'"),
        (("--max-lo", "5"), "--max-lo", "ambiguous option: --max-lo could match"),
        (("--performance-mode", "fast"), "--performance-mode", "invalid choice: 'fast'"),
        (("--attention-config", "fast"), "--attention-config", "invalid JSON object value"),
        (("--max-num-queued-tokens", "2.5K"), "--max-num-queued-tokens", "decimals are not"),
        (("--watermark", "much"), "--watermark", "invalid number value: 'much'"),
    ],
)
def test_what_vllm_refuses_is_refused(arguments: tuple[str, ...], flag: str, message: str) -> None:
    """Unknown flags, bad values, missing values and ambiguous abbreviations are faults."""
    (fault,) = read_arguments(arguments, table())[1]
    assert fault.flag == flag
    assert fault.message.startswith(message) or (not message and not fault.message)


def test_faults_are_told_apart() -> None:
    """Each fault has the index and the number of the entries that it is about."""
    arguments = ("--enforce-eager", "stray", "--swap-space", "4", "--seed", "1", "2")
    found = read_arguments(arguments, table())[1]
    assert [(fault.index, fault.count, fault.flag) for fault in found] == [
        (1, 1, ""),
        (2, 2, "--swap-space"),
        (6, 1, ""),
    ]


def test_what_is_set_is_known() -> None:
    """Values come back converted, switches by the spelling that was used, in order."""
    arguments = ("--seed", "7", "--disable-chunked-prefill", "--enforce", "--seed=8")
    used, _ = read_arguments(arguments, table())
    assert [(item.index, item.row.dest, item.value) for item in used] == [
        (0, "seed", 7),
        (2, "enable_chunked_prefill", False),
        (3, "enforce_eager", True),
        (4, "seed", 8),
    ]


@pytest.mark.parametrize(("minor", "known"), [(20, False), (32, False), (33, True)])
def test_the_second_negation_is_new(minor: int, *, known: bool) -> None:
    """``--disable-x`` for ``--enable-x`` came with vLLM 0.33; ``--no-enable-x`` is in all."""
    assert accepted("--disable-prefix-caching", minor=minor) == known
    assert accepted("--no-enable-prefix-caching", minor=minor)


WORDS = st.sampled_from(
    ["--seed", "1", "-1", "--swap-space", "a b", "--enforce-eager", "-tp", "--x.y", "", "-", "--"]
)


@given(st.lists(st.one_of(WORDS, st.text(max_size=8)), max_size=6))
def test_any_list_is_read(arguments: list[str]) -> None:
    """Whatever a user writes is read without an error, and faults lie within the list."""
    used, faults = read_arguments(arguments, table())
    indexes = [item.index for item in used] + [fault.index for fault in faults]
    assert all(0 <= index < len(arguments) for index in indexes)
    assert all(fault.count >= 1 for fault in faults)
