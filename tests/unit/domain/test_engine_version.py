"""Versions of vLLM: reading them, and which row of a table holds."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantized_model_operator.domain.engine_version import (
    NEWEST_KNOWN_VERSION,
    OLDEST_KNOWN_VERSION,
    EngineVersion,
    InvalidEngineVersionError,
    parse_engine_version,
    row_for,
    version_warnings,
)
from quantized_model_operator.domain.memory_rows import MEMORY_ROWS
from quantized_model_operator.domain.quantization import GPTQ_ROWS


@dataclass(frozen=True)
class Named:
    """A row of a table for these tests."""

    since: EngineVersion
    name: str


ROWS = (Named(EngineVersion(0, 11), "old"), Named(EngineVersion(0, 30), "new"))


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("0.33.0", (0, 33, 0)),
        ("v0.33.1", (0, 33, 1)),
        ("0.33", (0, 33, 0)),
        ("0.32.0+cpu", (0, 32, 0)),
        ("0.33.0rc1", (0, 33, 0)),
        ("0.33.0.post1", (0, 33, 0)),
        (" 1.2.3 ", (1, 2, 3)),
    ],
)
def test_versions_are_read(text: str, version: tuple[int, int, int]) -> None:
    """Release, short, local, candidate and post versions are read as their release."""
    assert parse_engine_version(text) == EngineVersion(*version)


@pytest.mark.parametrize("text", ["", "latest", "0", "0.x.1", "0.33.0 beta", "-0.33.0", "0.33.0/"])
def test_other_texts_are_no_versions(text: str) -> None:
    """A text that is no version is refused with an example of one."""
    with pytest.raises(InvalidEngineVersionError, match=r"0\.33\.0"):
        parse_engine_version(text)


@given(st.tuples(*[st.integers(0, 999)] * 3))
def test_a_version_reads_back_as_itself(numbers: tuple[int, int, int]) -> None:
    """Writing a version and reading it again gives the same version."""
    version = EngineVersion(*numbers)
    assert parse_engine_version(str(version)) == version


def test_versions_compare_by_number() -> None:
    """0.9 is older than 0.33, and a patch does not change the release."""
    assert parse_engine_version("0.9.2") < parse_engine_version("0.33.0")
    assert parse_engine_version("0.33.4").release == EngineVersion(0, 33)


@pytest.mark.parametrize(
    ("version", "name"),
    [((0, 5), "old"), ((0, 11), "old"), ((0, 29, 9), "old"), ((0, 30), "new"), ((1, 0), "new")],
)
def test_the_last_row_that_holds_is_taken(version: tuple[int, ...], name: str) -> None:
    """A row holds from its version on, also for newer versions than any row names."""
    assert row_for(ROWS, EngineVersion(*version)).name == name


def test_known_versions_are_not_warned_about() -> None:
    """The oldest and newest known versions, patches included, carry no warning."""
    assert version_warnings(OLDEST_KNOWN_VERSION) == ()
    assert version_warnings(EngineVersion(0, 33, 7)) == ()


def test_unknown_versions_are_warned_about_and_not_refused() -> None:
    """A newer and an older version than the tables know carry one warning each."""
    newer = EngineVersion(NEWEST_KNOWN_VERSION.major, NEWEST_KNOWN_VERSION.minor + 1)
    older = EngineVersion(OLDEST_KNOWN_VERSION.major, OLDEST_KNOWN_VERSION.minor - 1)
    assert "newer than 0.33.0" in version_warnings(newer)[0]
    assert "older than 0.11.0" in version_warnings(older)[0]


@pytest.mark.parametrize("rows", [GPTQ_ROWS, MEMORY_ROWS])
def test_tables_are_ordered_and_say_where_they_are_from(
    rows: tuple[Named, ...],
) -> None:
    """Rows rise by version, and each names its source with a date."""
    versions = [row.since for row in rows]
    assert versions == sorted(set(versions))
    assert all("2026-11" in getattr(row, "source", "") for row in rows)


def test_the_last_row_of_the_rules_is_the_strictest() -> None:
    """An unknown newer version is allowed nothing that the last known version refuses."""
    last = GPTQ_ROWS[-1]
    for row in GPTQ_ROWS[1:]:
        assert set(last.bits) <= set(row.bits)
        assert set(last.group_sizes) <= set(row.group_sizes)
        assert last.minimum_compute_capability >= row.minimum_compute_capability
