"""The tables of arguments that come with the operator, and what they know of each version."""

from __future__ import annotations

import pytest

from quantized_model_operator.api.flag_tables import (
    argument_table,
    argument_tables,
    tabled_versions,
)
from quantized_model_operator.domain.engine_arguments import ArgumentTable, read_arguments
from quantized_model_operator.domain.engine_flags import OWNED_FLAGS
from quantized_model_operator.domain.engine_rule_table import TABLED_VERSIONS
from quantized_model_operator.domain.engine_version import NEWEST_KNOWN_VERSION, EngineVersion


def table(minor: int) -> ArgumentTable:
    """The table of vLLM 0.``minor``."""
    found = argument_table(EngineVersion(0, minor))
    assert found is not None
    return found


def names(minor: int) -> set[str]:
    """All spellings of all arguments of vLLM 0.``minor``."""
    return {name for row in table(minor).rows for name in row.names}


def test_each_documented_version_has_a_table() -> None:
    """The versions that the documentation lists are those whose arguments are known."""
    assert tabled_versions() == TABLED_VERSIONS
    assert tabled_versions()[-1] == NEWEST_KNOWN_VERSION


def test_a_version_that_was_not_read_has_none() -> None:
    """A version older or newer than those that were read has no table."""
    assert argument_table(EngineVersion(0, 19)) is None
    assert argument_table(EngineVersion(0, NEWEST_KNOWN_VERSION.minor + 1)) is None


def test_patches_share_the_table_of_their_minor_version() -> None:
    """0.33.7 is judged like 0.33.0."""
    assert argument_table(EngineVersion(0, 33, 7)) == table(33)


@pytest.mark.parametrize(
    ("minor", "count"),
    [(20, 240), (25, 271), (29, 293), (30, 301), (31, 312), (32, 317), (33, 321)],
)
def test_tables_are_whole(minor: int, count: int) -> None:
    """Each table has as many arguments as its version's parser, and no name twice."""
    rows = table(minor).rows
    assert len(rows) == count
    spelled = [name for row in rows for name in row.names]
    assert len(spelled) == len(set(spelled))


@pytest.mark.parametrize(
    ("flag", "minors"),
    [
        ("--calculate-kv-scales", set(range(20, 28))),
        ("--max-num-partial-prefills", set(range(20, 27))),
        ("--swap-space", set()),
        ("--disable-prefix-caching", {33}),
        ("--no-enable-prefix-caching", set(range(20, 34))),
    ],
)
def test_flags_come_and_go(flag: str, minors: set[int]) -> None:
    """Removed and new flags are in the tables of exactly the versions that have them."""
    assert {minor for minor in range(20, 34) if flag in names(minor)} == minors


def test_owned_flags_exist() -> None:
    """Every flag that the operator owns is one of the newest version's or of an older one's."""
    everywhere = set().union(*(names(item.version.minor) for item in argument_tables()))
    assert set(OWNED_FLAGS) <= everywhere


@pytest.mark.parametrize("known", argument_tables(), ids=lambda item: str(item.version))
def test_rendered_flags_are_known_to_every_version(known: ArgumentTable) -> None:
    """What the operator writes into a pod is accepted by the parser of every tabled version."""
    rendered = [
        *("--served-model-name", "a", "b", "--host", "0.0.0.0", "--port", "8000"),  # noqa: S104
        *("--dtype", "float16", "--max-model-len", "4096", "--shutdown-timeout", "60"),
        *("--kv-cache-dtype", "fp8", "--tensor-parallel-size", "2"),
        *("--gpu-memory-utilization", "0.92", "--kv-cache-memory-bytes", "67108864"),
        *("--max-num-seqs", "64", "--max-num-batched-tokens", "2048", "--enforce-eager"),
    ]
    used, faults = read_arguments(rendered, known)
    assert faults == ()
    assert len(used) == 13
