"""Arguments that are refused come with a list that is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantized_model_operator.api.flag_tables import argument_table, argument_tables
from quantized_model_operator.domain.argument_remedies import Edit, mended
from quantized_model_operator.domain.argument_rules import (
    ArgumentContext,
    argument_problems,
    argument_warnings,
)
from quantized_model_operator.domain.engine_version import EngineVersion, parse_engine_version
from quantized_model_operator.domain.merge_patch import merged


def context(version: str = "0.33.0") -> ArgumentContext:
    """What arguments for this version are judged with."""
    table = argument_table(parse_engine_version(version))
    return ArgumentContext(version=version, table=table, others=argument_tables)


@pytest.mark.parametrize(
    ("arguments", "suggestion"),
    [
        (["--port", "9000"], {"engine": {"args": None}}),
        (["--max-model-len", "4k"], {"engine": {"args": None, "maxModelLen": 4000}}),
        (["--max-model-len=auto"], {"engine": {"args": None}}),
        (["--dtype", "half"], {"engine": {"args": None, "dtype": "float16"}}),
        (["--dtype", "float32"], {"engine": {"args": None}}),
        (["--kv-cache-dtype", "fp8"], {"engine": {"args": None, "kvCacheDtype": "fp8"}}),
        (["--kv-cache-dtype", "nvfp4"], {"engine": {"args": None}}),
        (["-tp", "2"], {"engine": {"args": None}, "hardware": {"gpusPerReplica": 2}}),
        (
            ["--seed", "1", "--served-model-name", "a", "b", "--enforce-eager"],
            {
                "engine": {"args": ["--seed", "1", "--enforce-eager"]},
                "model": {"servedNames": ["a", "b"]},
            },
        ),
    ],
)
def test_owned_arguments_move_to_their_field(
    arguments: list[str], suggestion: dict[str, Any]
) -> None:
    """An owned flag is taken out, and its value goes where the operator reads it, if it may."""
    (problem,) = argument_problems(arguments, context())
    assert problem.rule == "arguments-are-not-owned"
    assert problem.suggestion == suggestion


@pytest.mark.parametrize("flag", ["-tp", "--gpu-memory-utilization", "--kv-cache-dtype"])
def test_on_cpu_nothing_moves_into_fields_of_gpus(flag: str) -> None:
    """A flag that is about GPUs is only taken out of the list of a model on CPU."""
    on_cpu = replace(context(), on_cpu=True)
    (problem,) = argument_problems([flag, "1", "--seed", "1"], on_cpu)
    assert problem.suggestion == {"engine": {"args": ["--seed", "1"]}}


def test_every_suggestion_mends_the_whole_list() -> None:
    """Patches of several refusals can be merged in any order: the list is the same in all."""
    arguments = ["--port", "1", "--swap-space", "4", "--seed", "1", "--max-num-seqs", "8"]
    problems = list(argument_problems(arguments, context()))
    assert [problem.field for problem in problems] == [
        f"spec.engine.args[{index}]" for index in (0, 2, 6)
    ]
    engine = {"args": ["--seed", "1"], "maxNumSeqs": 8}
    assert merged(problem.suggestion for problem in problems) == {"engine": engine}
    backwards = merged(problem.suggestion for problem in reversed(problems))
    assert backwards == {"engine": engine}


def test_the_same_value_twice_is_told_apart() -> None:
    """Of two equal values behind one flag the second is the stray one."""
    (problem,) = argument_problems(["--seed", "1", "1"], context())
    assert problem.field == "spec.engine.args[2]"
    assert problem.suggestion == {"engine": {"args": ["--seed", "1"]}}


def test_edits_do_not_overlap() -> None:
    """Where two edits meet, the first one is made."""
    edits = [Edit(index=1, count=2, instead=("x",)), Edit(index=2, count=1)]
    assert mended(["a", "b", "c", "d"], edits) == ["a", "x", "d"]


def test_a_version_without_a_table_is_warned_about() -> None:
    """Nothing is checked there, and the plan says so."""
    assert argument_warnings(context()) == ()
    (warning,) = argument_warnings(context("0.19.0"))
    assert "0.19.0" in warning


KNOWN = [name for table in argument_tables() for row in table.rows for name in row.names]
ENTRIES = st.one_of(
    st.sampled_from(KNOWN),
    st.sampled_from(["5", "x", "8", "--swap-space", "--enable-x", "--load-format=zzz", "-1"]),
    st.sampled_from(KNOWN).map(lambda name: f"{name}=5"),
)


@given(
    st.lists(ENTRIES, max_size=5),
    st.sampled_from([EngineVersion(0, 20), EngineVersion(0, 32), EngineVersion(0, 33)]),
)
def test_a_mended_list_is_taken(arguments: list[str], version: EngineVersion) -> None:
    """What the suggestions leave is refused for nothing but values."""
    known = context(str(version))
    problems = list(argument_problems(arguments, known))
    suggested = merged(item.suggestion for item in problems)
    if suggested is None:
        return
    left = suggested["engine"]["args"] or []
    again = {item.rule for item in argument_problems(left, known)}
    assert again <= {"argument-values-are-taken"}


def test_a_misspelt_owned_flag_is_not_suggested() -> None:
    """Where the nearest flag is one of the operator's, its field is named instead."""
    (problem,) = argument_problems(["--max-modl-len", "4096"], context())
    assert "--max-model-len is set by the operator: use spec.engine.maxModelLen" in problem.message
    assert problem.suggestion == {"engine": {"args": None}}
