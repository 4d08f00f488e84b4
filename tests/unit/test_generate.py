"""The tool that writes generated files and verifies the committed ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from tools.generate import Generator, as_text, differences, generate

if TYPE_CHECKING:
    from pathlib import Path

TARGETS = ("crds/otters.yaml", "charts/otter/files/otters.yaml")
SOURCE = """
def document():
    shared = {"app": "otter"}
    return {"kind": "Otter", "apiVersion": "v1", "labels": shared, "selector": shared}
"""


@pytest.fixture
def otter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator:
    """A generator whose source is a module made for the test."""
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "otter_source.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.syspath_prepend(sources)
    return Generator(name="otter", source="otter_source:document", targets=TARGETS)


def test_every_target_receives_the_same_bytes(otter: Generator, tmp_path: Path) -> None:
    """One run writes the same document to each target of a generator."""
    written = generate([otter], tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in written] == list(TARGETS)
    assert len({path.read_bytes() for path in written}) == 1


def test_written_files_are_current(otter: Generator, tmp_path: Path) -> None:
    """Verifying right after writing finds no difference."""
    generate([otter], tmp_path)
    assert differences([otter], tmp_path) == []


def test_an_edited_copy_is_found(otter: Generator, tmp_path: Path) -> None:
    """A target edited by hand is reported with its name and the changed line, and is not mended."""
    _, chart_copy = generate([otter], tmp_path)
    chart_copy.write_text(chart_copy.read_text().replace("kind: Otter", "kind: Heron"))
    (found,) = differences([otter], tmp_path)
    assert "charts/otter/files/otters.yaml (committed)" in found
    assert "-kind: Heron" in found
    assert "+kind: Otter" in found
    assert "Heron" in chart_copy.read_text()


def test_a_missing_copy_is_found(otter: Generator, tmp_path: Path) -> None:
    """A target that was never committed is reported by name."""
    assert differences([otter], tmp_path) == [f"{target} is missing" for target in TARGETS]


def test_manifests_are_plain_sorted_yaml() -> None:
    """Manifests are written with sorted keys, without anchors, and read back unchanged."""
    shared = {"app": "otter"}
    document = {"b": shared, "a": shared}
    text = as_text(document)
    assert "&" not in text
    assert text.index("\na:") < text.index("\nb:")
    assert yaml.safe_load(text) == document


def test_several_manifests_become_several_documents() -> None:
    """A sequence of manifests is written as one file of several documents, in order."""
    documents = [{"kind": "Role"}, {"kind": "RoleBinding"}]
    assert list(yaml.safe_load_all(as_text(documents))) == documents


def test_finished_text_is_left_alone() -> None:
    """Text from a generator is written byte for byte."""
    assert as_text("# Reference\n") == "# Reference\n"
