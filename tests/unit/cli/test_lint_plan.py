"""With its checkpoint, `qm lint` says of a model what the planner of the operator says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from checkpoint_headers import header_set, model_tensors, write_header_set
from hub import running_hub
from published_models import PUBLISHED
from quantized_model_operator.cli.qm import run
from unit.cli.lint_manifests import COMMIT, model
from unit.tiny_checkpoint import write_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAME = "otter/river-GPTQ-Int4"
BASE = "Qwen/Qwen2-7B-Instruct"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of repositories with one checkpoint of Qwen2-7B in it."""
    folder: Path = tmp_path_factory.mktemp("hub")
    config = PUBLISHED[BASE].config
    write_header_set(folder / NAME, header_set(config, model_tensors(config)))
    return folder


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(workspace: Path, spec: str, name: str = "otter") -> str:
    """A file with a model of this spec."""
    (workspace / f"{name}.yaml").write_text(model(spec, name), encoding="utf-8")
    return f"{name}.yaml"


def test_a_model_that_fits_passes(root: Path, workspace: Path) -> None:
    """Without a GPU in the manifest any known one will do."""
    assert run(["lint", write(workspace, ""), "--checkpoint", str(root / NAME)]) == 0


@pytest.fixture
def planned(root: Path, workspace: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What is printed of a refused model, given its spec and options."""

    def run_with(spec: str, *options: str) -> str:
        checkpoint = ["--checkpoint", str(root / NAME)]
        assert run(["lint", write(workspace, spec), *checkpoint, *options]) == 2
        return capsys.readouterr().out

    return run_with


@pytest.mark.parametrize(
    ("spec", "options", "words"),
    [
        (
            "hardware: {gpusPerReplica: 7}\n",
            [],
            "otter.yaml:9:30: error: spec.hardware.gpusPerReplica: ",
        ),
        ("engine: {maxModelLen: 99999}\n", [], "otter.yaml:9:25: error: spec.engine.maxModelLen: "),
        ("hardware: {products: [Tesla-V100-SXM2-16GB]}\n", [], "error: spec.hardware.products: "),
        ("", ["--gpu", "V100-16GB"], "error: spec.hardware.products: "),
        ("hardware: {device: CPU, memory: 4Gi}\n", [], "set spec.hardware.memory to at least"),
        (
            "hardware: {gpusPerReplica: 4}\n",
            ["--gpu", "L4", "--gpu-count", "2"],
            "error: spec.hardware.gpusPerReplica: ",
        ),
    ],
)
def test_a_refused_plan_is_a_finding(
    planned: Callable[..., str], spec: str, options: list[str], words: str
) -> None:
    """What the planner refuses is an error at the field that it names."""
    assert words in planned(spec, *options)


@pytest.mark.parametrize(
    "spec",
    [
        "hardware: {products: [Some-Other-GPU]}\n",
        "hardware: {resourceName: nvidia.com/mig-1g.10gb}\n",
    ],
)
def test_what_only_the_cluster_knows_is_not_guessed(root: Path, workspace: Path, spec: str) -> None:
    """A GPU that is not known here is planned by the operator, who sees its labels."""
    assert run(["lint", write(workspace, spec), "--checkpoint", str(root / NAME)]) == 0


def test_products_of_the_manifest_win(root: Path, workspace: Path) -> None:
    """--gpu is for models that name no product."""
    file = write(workspace, "hardware: {products: [NVIDIA-L4]}\n")
    assert run(["lint", file, "--checkpoint", str(root / NAME), "--gpu", "V100-16GB"]) == 0


def test_a_broken_checkpoint_is_a_finding(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the inspection would refuse is an error at the uri."""
    config = PUBLISHED[BASE].config
    made = header_set(config, model_tensors(config), bits=3)
    folder = write_header_set(workspace / "checkpoint", made)
    assert run(["lint", write(workspace, ""), "--checkpoint", str(folder)]) == 2
    assert "otter.yaml:7:10: error: spec.model.uri: " in capsys.readouterr().out


def test_an_unreadable_checkpoint_is_no_verdict(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the checkpoint there is no answer, which exits with 1, unless something is wrong."""
    assert run(["lint", write(workspace, ""), "--checkpoint", "absent"]) == 1
    assert "spec.model.uri: absent is no folder here" in capsys.readouterr().out
    wrong = write(workspace, "zebra: 1\n", "wrong")
    assert run(["lint", wrong, "--checkpoint", "absent"]) == 2


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A hub with one small checkpoint, whose commit this is."""
    write_checkpoint(tmp_path / "hub" / NAME)
    with running_hub(tmp_path / "hub") as running:
        monkeypatch.setenv("HF_ENDPOINT", running.endpoint)
        monkeypatch.setenv("NO_PROXY", "*")
        repository = running.repositories.get(NAME)
        assert repository is not None
        yield repository.commit


def test_checkpoints_on_the_hub_are_read(
    hub: str, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --online each hub checkpoint is read at its revision; a claim is left alone."""
    good, claim = model(name="good"), model(name="claim")
    texts = {
        "good": good.replace(COMMIT, hub),
        "wrong": model("hardware: {gpusPerReplica: 3}\n", "wrong").replace(COMMIT, hub),
        "claim": claim.replace(f"    revision: {COMMIT}\n", "").replace("hf://otter", "pvc://a"),
    }
    for name, text in texts.items():
        (workspace / f"{name}.yaml").write_text(text, encoding="utf-8")
    assert run(["lint", "--online", "good.yaml", "claim.yaml"]) == 0
    assert run(["lint", "--online", "wrong.yaml"]) == 2
    assert "wrong.yaml:9:30: error: spec.hardware.gpusPerReplica" in capsys.readouterr().out


def test_a_revision_that_is_not_there_is_no_verdict(
    hub: str, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A checkpoint that the hub does not have cannot be planned, and is named."""
    assert hub != COMMIT
    assert run(["lint", "--online", write(workspace, "")]) == 1
    assert COMMIT in capsys.readouterr().out


def test_a_gpu_without_a_checkpoint_is_wrong_use(workspace: Path) -> None:
    """Without a checkpoint nothing is planned, so a GPU says nothing."""
    assert run(["lint", write(workspace, ""), "--gpu", "L4"]) == 1
    assert run(["lint", write(workspace, ""), "--online", "--gpu", "L44"]) == 1
