"""The command says in one line what is wrong, and prints only answers on standard output."""

from pathlib import Path

import pytest

from qmo_cluster.__main__ import main


@pytest.mark.parametrize(
    "arguments",
    [["down"], ["up", "--dir", "x"], ["up", "--profile", "zoo", "--dir", "x"], ["load-image"], []],
    ids=" ".join,
)
def test_incomplete_commands_are_refused(arguments: list[str]) -> None:
    """What is missing or unknown is an error of usage."""
    with pytest.raises(SystemExit, match="2"):
        main(arguments)


def test_down_of_nothing_is_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Taking down a cluster that was never there succeeds and prints no answer."""
    assert main(["down", "--dir", str(tmp_path / "never")]) == 0

    assert capsys.readouterr().out == ""
    assert not (tmp_path / "never").exists()


def test_foreign_files_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder with other files is refused in one line and left as it is."""
    (tmp_path / "thesis.txt").touch()

    assert main(["down", "--dir", str(tmp_path)]) == 1

    assert capsys.readouterr().err.count("\n") == 1
    assert (tmp_path / "thesis.txt").exists()


def test_a_path_too_long_for_sockets_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The limit is told before anything is made."""
    long = tmp_path / ("x" * 100)

    assert main(["up", "--profile", "control-plane", "--dir", str(long)]) == 1

    assert "too long" in capsys.readouterr().err
    assert not long.exists()


def test_images_need_a_cluster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Loading an image into a folder without a cluster says so."""
    assert main(["load-image", "--dir", str(tmp_path), "archive.tar"]) == 1

    assert "no cluster" in capsys.readouterr().err
