"""Built programs are found again exactly as long as nothing about them changed."""

from pathlib import Path

import pytest

from qmo_cluster.building import cache_directory, ensure_programs, programs_are_built, recipe_hash
from qmo_cluster.errors import ClusterError
from qmo_cluster.programs import PROGRAMS, Profile, Program, programs_of
from qmo_cluster.progress import Progress

OTTER = Program("otter", "zoo", "animals.example/otter")


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder with one tool module."""
    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo" / "go.mod").write_text("module zoo\n")
    (tmp_path / "zoo" / "go.sum").write_text("animals.example/otter v1.0.0 h1:a=\n")
    return tmp_path


@pytest.mark.parametrize("name", ["go.mod", "go.sum"])
def test_a_changed_pin_changes_the_folder(tools: Path, name: str) -> None:
    """The hash changes with each file that pins."""
    before = recipe_hash("zoo", [OTTER], tools)

    (tools / "zoo" / name).write_text("changed\n")

    assert recipe_hash("zoo", [OTTER], tools) != before


def test_changed_flags_change_the_folder(tools: Path) -> None:
    """The hash changes with the recipe."""
    flagged = Program("otter", "zoo", "animals.example/otter", link_flags="-X a=b")

    assert recipe_hash("zoo", [OTTER], tools) != recipe_hash("zoo", [flagged], tools)


def test_both_profiles_share_a_folder() -> None:
    """What the control plane profile built, the node profile does not build again."""
    hashes = {
        recipe_hash("kubernetes", [p for p in programs_of(profile) if p.tool == "kubernetes"])
        for profile in Profile
    }

    assert len(hashes) == 1


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"QMO_CACHE": "/q", "XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/q/bin"),
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/quantized-model-operator/bin"),
        ({"HOME": "/h"}, "/h/.cache/quantized-model-operator/bin"),
    ],
)
def test_the_cache_is_where_users_expect_it(environment: dict[str, str], expected: str) -> None:
    """The own variable wins over the user's cache folder, and that over the home folder."""
    assert cache_directory(environment) == Path(expected)


def test_nothing_is_built_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every program in place Go is not even looked for."""
    for program in programs_of(Profile.NODE):
        same_tool = [other for other in PROGRAMS if other.tool == program.tool]
        folder = tmp_path / f"{program.tool}-{recipe_hash(program.tool, same_tool)}"
        folder.mkdir(exist_ok=True)
        (folder / program.name).touch()
    monkeypatch.setenv("PATH", "/nowhere")

    paths = ensure_programs(Profile.NODE, Progress(quiet=True), tmp_path)

    assert programs_are_built(Profile.NODE, tmp_path)
    assert [path.name for path in paths] == [p.name for p in programs_of(Profile.NODE)]


def test_without_go_the_reason_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing program on a machine without Go is one sentence, not a traceback."""
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(ClusterError, match="Go is not installed"):
        ensure_programs(Profile.CONTROL_PLANE, Progress(quiet=True), tmp_path)
