"""`qm lint` finds files, reports in three forms, and exits with what CI relies on."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from quantized_model_operator.cli.lint_kustomize import patches_named_in
from quantized_model_operator.cli.qm import run
from unit.cli.lint_manifests import model

if TYPE_CHECKING:
    from pathlib import Path

WRONG = model("replicaz: 2\n")
MOVING = model().replace("revision:", "# revision:")
OTHER = "apiVersion: v1\nkind: Service\nmetadata: {name: otter}\n"


def write(path: Path, text: str) -> str:
    """The name of a file with this text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_clean_file_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file with nothing wrong says so and exits with 0."""
    assert run(["lint", write(tmp_path / "a.yaml", model())]) == 0
    assert capsys.readouterr().out == "1 QuantizedModel in 1 file: nothing to complain about.\n"


def test_a_finding_is_told_as_compilers_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistake is one line with file, line and column, its remedy below it, and exit code 2."""
    file = write(tmp_path / "a.yaml", OTHER + "---\n" + WRONG)
    assert run(["lint", file]) == 2
    assert capsys.readouterr().out.splitlines() == [
        f'{file}:13:3: error: unknown field "spec.replicaz"',
        "    did you mean replicas?",
        "1 QuantizedModel in 1 file: 1 error, 0 warnings.",
    ]


def test_a_warning_fails_in_strict_mode_only(tmp_path: Path) -> None:
    """Something to think over exits with 0, and with --strict with 2."""
    file = write(tmp_path / "a.yaml", MOVING)
    assert run(["lint", file]) == 0
    assert run(["lint", "--strict", file]) == 2


def test_no_model_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A path without any model says so; only --strict makes it a failure."""
    file = write(tmp_path / "a.yaml", OTHER)
    assert run(["lint", file]) == 0
    assert capsys.readouterr().out == "No QuantizedModel found in 1 file.\n"
    assert run(["lint", "--strict", file]) == 2


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_an_unreadable_path_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    """A path that does not exist or is no text exits with 1 and names it."""
    path = tmp_path / "a.yaml"
    if content is not None:
        path.write_bytes(content)
    assert run(["lint", str(path)]) == 1
    assert str(path) in capsys.readouterr().err


def test_no_path_is_wrong_use() -> None:
    """Without a path there is nothing to judge, which is an error and no finding."""
    assert run(["lint"]) == 1


def test_standard_input_is_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a renderer writes can be piped in."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(WRONG))
    assert run(["lint", "-"]) == 2
    assert capsys.readouterr().out.startswith('-:9:3: error: unknown field "spec.replicaz"')


def test_a_directory_is_searched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """YAML and JSON files of all folders are judged, hidden folders and other files are not."""
    for name in ("a.yaml", "b/c.yml", "b/d.json", ".git/e.yaml", "f.txt"):
        write(tmp_path / name, WRONG.replace("name: otter", f"name: {name[0]}{name[-1]}"))
    assert run(["lint", str(tmp_path)]) == 2
    out = capsys.readouterr().out
    found = [line.split(":")[0] for line in out.splitlines() if ": error: " in line]
    assert found == [str(tmp_path / name) for name in ("a.yaml", "b/c.yml", "b/d.json")]


def test_broken_files_of_others_do_not_matter(tmp_path: Path) -> None:
    """In a directory, a broken file that says nothing of models is not ours to judge."""
    write(tmp_path / "values.yaml", "a: [\n")
    file = write(tmp_path / "models.yaml", model())
    assert run(["lint", str(tmp_path)]) == 0
    assert run(["lint", str(tmp_path / "values.yaml"), file]) == 2


PATCH = """\
apiVersion: serving.quantizedmodel.dev/v1alpha1
kind: QuantizedModel
metadata: {name: otter}
spec:
  hardware: {$patch: replace, products: [NVIDIA-L4]}
"""
KUSTOMIZATION = "resources: [../base]\npatches: [{path: otter.yaml}, {patch: '- op: remove'}]\n"


@pytest.mark.parametrize("kustomization", ["kustomization.yaml", "Kustomization"])
def test_a_patch_is_judged_as_a_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kustomization: str
) -> None:
    """A patch of Kustomize needs no required fields, and its fields must be right all the same."""
    write(tmp_path / "base/otter.yaml", model())
    patch = write(tmp_path / "production/otter.yaml", PATCH)
    assert run(["lint", patch]) == 2
    write(tmp_path / "production" / kustomization, KUSTOMIZATION)
    patches_named_in.cache_clear()
    assert run(["lint", "--strict", str(tmp_path)]) == 0
    write(tmp_path / "production/otter.yaml", PATCH + "  zebra: 1\n")
    capsys.readouterr()
    assert run(["lint", patch]) == 2
    out = capsys.readouterr().out.splitlines()
    assert out[0] == f'{patch}:6:3: error: unknown field "spec.zebra"'
    assert out[-1] == "1 QuantizedModel in 1 file: 1 error, 0 warnings."


def test_patches_in_the_old_form_are_known(tmp_path: Path) -> None:
    """The older list of strategic merge patches names patches as well."""
    patch = write(tmp_path / "parts/otter.yaml", PATCH)
    write(tmp_path / "kustomization.yml", "patchesStrategicMerge: [parts/otter.yaml]\n")
    assert run(["lint", str(tmp_path)]) == 0
    assert run(["lint", patch]) == 2


def test_json_has_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --output json a program gets each finding with place, field, message and remedy."""
    file = write(tmp_path / "a.yaml", WRONG)
    assert run(["lint", "--output", "json", file]) == 2
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert document == {
        "models": 1,
        "files": 1,
        "errors": 1,
        "warnings": 0,
        "findings": [
            {
                "severity": "error",
                "reason": "UnknownField",
                "file": file,
                "line": 9,
                "column": 3,
                "model": "otter",
                "field": "spec.replicaz",
                "message": 'unknown field "spec.replicaz"',
                "remedy": "did you mean replicas?",
            }
        ],
    }


def test_github_gets_annotations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --output github each finding is a workflow command with escaped properties."""
    file = write(tmp_path / "a,b.yaml", WRONG)
    assert run(["lint", "-o", "github", file]) == 2
    first, *_ = capsys.readouterr().out.splitlines()
    escaped = file.replace(",", "%2C")
    assert first == (
        f"::error file={escaped},line=9,col=3,title=otter%3A UnknownField::"
        'unknown field "spec.replicaz"; did you mean replicas?'
    )


def test_five_hundred_manifests_take_less_than_two_seconds(tmp_path: Path) -> None:
    """A large repository is judged in under two seconds of CPU, the start of Python included."""
    for index in range(500):
        spec = "engine: {args: [--enable-auto-tool-choice]}\nhardware: {products: [NVIDIA-L4]}\n"
        write(tmp_path / f"{index}.yaml", model(spec, name=f"otter-{index}"))
    program = "import sys; from quantized_model_operator.cli.qm import main; main(sys.argv[1:])"
    before = _children_seconds()
    completed = subprocess.run(  # noqa: S603 - a fixed program in this interpreter
        [sys.executable, "-c", program, "lint", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert completed.stdout == "500 QuantizedModels in 500 files: nothing to complain about.\n"
    assert _children_seconds() - before < 2


def _children_seconds() -> float:
    """CPU seconds of ended child processes."""
    import resource  # noqa: PLC0415 - only here

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
