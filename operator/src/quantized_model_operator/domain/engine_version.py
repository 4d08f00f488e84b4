"""Pure: versions of vLLM as comparable values, and the table rows that hold for them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

_PATTERN = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?:[-+.]?[a-zA-Z][0-9A-Za-z.+-]*)?")


class InvalidEngineVersionError(ValueError):
    """The text is no version of vLLM, such as ``0.33.0``."""


@dataclass(frozen=True, slots=True, order=True)
class EngineVersion:
    """A release of vLLM; rules belong to its minor version."""

    major: int
    minor: int
    patch: int = 0

    def __str__(self) -> str:
        """As vLLM writes it, without a local part."""
        return f"{self.major}.{self.minor}.{self.patch}"

    @property
    def release(self) -> "EngineVersion":
        """The first release of the same minor version: what table rows compare with."""
        return EngineVersion(self.major, self.minor)


OLDEST_KNOWN_VERSION = EngineVersion(0, 11)
"""The oldest version whose GPTQ rules were read. Source: vLLM 0.11 sources, 2026-11."""

NEWEST_KNOWN_VERSION = EngineVersion(0, 33)
"""The newest version whose rules were read and measured. Source: vLLM 0.33.0 (2026-11-02)."""

_FIRST_READ = f"{OLDEST_KNOWN_VERSION}, the first version whose rules were read"
_LAST_READ = f"{NEWEST_KNOWN_VERSION}, the last version whose rules were read"


class VersionedRow(Protocol):
    """A row of a table that holds from one minor version of vLLM on."""

    @property
    def since(self) -> EngineVersion:
        """The first minor version the row holds for."""


Row = TypeVar("Row", bound=VersionedRow)


def parse_engine_version(text: str) -> EngineVersion:
    """The version in the text: ``0.33.0``, ``v0.33``, ``0.32.0+cpu`` or ``0.33.0rc1``.

    ``InvalidEngineVersionError`` for anything else.
    """
    match = _PATTERN.fullmatch(text.strip())
    if match is None:
        raise InvalidEngineVersionError(
            f"{text!r} is not a version of vLLM; write it like {NEWEST_KNOWN_VERSION}"
        )
    major, minor, patch = match.groups()
    return EngineVersion(int(major), int(minor), int(patch or 0))


def row_for(rows: Sequence[Row], version: EngineVersion) -> Row:
    """The last row that holds for the version; the first row for anything older.

    Rows are ordered by ``since``, and the last row of each table is its strictest, so an unknown
    newer version gets the strictest rules.
    """
    holding = [row for row in rows if row.since <= version.release]
    return holding[-1] if holding else rows[0]


def version_warnings(version: EngineVersion) -> tuple[str, ...]:
    """What to tell a user whose version lies outside of what the tables cover."""
    if version.release > NEWEST_KNOWN_VERSION:
        return (f"vLLM {version} is newer than {_LAST_READ}: its strictest rules are used",)
    if version.release < OLDEST_KNOWN_VERSION:
        return (f"vLLM {version} is older than {_FIRST_READ}: its rules are used",)
    return ()
