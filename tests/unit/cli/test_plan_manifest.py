"""Plans of manifests: which document, whose values win, and what is refused in them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from checkpoint_headers import header_set, model_tensors, write_header_set
from published_models import PUBLISHED
from unit.cli.plan_runs import Run, run_qm

if TYPE_CHECKING:
    from pathlib import Path

Capsys = pytest.CaptureFixture[str]


def manifest(spec: dict[str, Any] | None = None, name: str = "otter") -> dict[str, Any]:
    """A QuantizedModel whose source nobody can reach."""
    return {
        "apiVersion": "serving.quantizedmodel.dev/v1alpha1",
        "kind": "QuantizedModel",
        "metadata": {"name": name, "namespace": "zoo"},
        "spec": {"model": {"uri": "pvc://weights/otter"}, **(spec or {})},
    }


def write(folder: Path, *documents: dict[str, Any]) -> str:
    """A file with these documents."""
    file = folder / "models.yaml"
    file.write_text(yaml.safe_dump_all(documents))
    return str(file)


def plan(capsys: Capsys, file: str, *arguments: str) -> Run:
    """A plan of a manifest whose checkpoint is read from a folder."""
    run = run_qm(
        capsys, "plan", file, "--checkpoint", "otter", "--gpu", "L4", "-o", "json", *arguments
    )
    assert run.code != 1, run.err
    return run


def test_the_spec_is_planned(otter: Path, capsys: Capsys) -> None:
    """Fields of the spec are the defaults of the plan."""
    spec = {
        "engine": {"maxModelLen": 1000, "version": "0.25.1", "args": ["--enforce-eager"]},
        "hardware": {"gpusPerReplica": 2},
    }
    found = plan(capsys, write(otter.parent, manifest(spec))).document
    assert found["maxModelLen"] == 1000
    assert found["engineVersion"] == "0.25.1"
    assert found["tensorParallelSize"] == 2


def test_options_win(otter: Path, capsys: Capsys) -> None:
    """What is typed stands in place of what the spec says."""
    spec = {
        "engine": {"maxModelLen": 1000, "version": "0.25.1", "kvCacheDtype": "fp8"},
        "hardware": {"gpusPerReplica": 2, "products": ["Tesla-T4"]},
    }
    file = write(otter.parent, manifest(spec))
    typed = ("--max-model-len", "auto", "--engine", "0.33.0", "-tp", "1")
    found = plan(capsys, file, *typed, "--kv-cache-dtype", "auto").document
    assert found["maxModelLen"] == 2048
    assert found["engineVersion"] == "0.33.0"
    assert found["tensorParallelSize"] == 1
    assert found["kvCacheDtype"] == "auto"
    assert found["products"] == ["NVIDIA-L4"]


def test_a_manifest_for_gpus_planned_on_cpu(otter: Path, capsys: Capsys) -> None:
    """With --device cpu the numbers of GPUs mean nothing, and the CPU's engine is the default."""
    hardware = {"gpusPerReplica": 2, "products": ["NVIDIA-L4"]}
    file = write(otter.parent, manifest({"hardware": hardware}))
    run = run_qm(capsys, "plan", file, "--checkpoint", "otter", "--device", "cpu", "-o", "json")
    assert run.code == 0
    assert run.document["device"] == "CPU"
    assert run.document["engineVersion"] == "0.32.0"


def test_arguments_are_judged_by_the_version_that_is_typed(otter: Path, capsys: Capsys) -> None:
    """An argument that a typed version of vLLM does not have is refused."""
    spec = {"engine": {"args": ["--max-num-active-seqs=8"], "version": "0.33.0"}}
    file = write(otter.parent, manifest(spec))
    assert plan(capsys, file).code == 0
    older = plan(capsys, file, "--engine", "0.20.0")
    assert older.code == 2
    assert older.document["refusals"][0]["field"] == "spec.engine.args[0]"


def test_parts_of_a_spec_that_are_no_mappings(otter: Path, capsys: Capsys) -> None:
    """A spec of the wrong form is refused with its fields, whatever is typed."""
    file = write(otter.parent, manifest({"hardware": "big", "engine": ["fast"]}))
    for typed in ((), ("--engine", "0.30.0"), ("--device", "gpu")):
        run = plan(capsys, file, *typed)
        assert run.code == 2
        fields = {item["field"] for item in run.document["refusals"]}
        assert fields == {"spec.hardware", "spec.engine"}


def test_sizes_are_those_of_the_way_experts_are_shared(here: Path, capsys: Capsys) -> None:
    """The sizes that are listed are those that the plan may take, with experts split or whole."""
    config = {**PUBLISHED["Qwen/Qwen3-30B-A3B"].config, "num_hidden_layers": 1}
    write_header_set(here / "otter", header_set(config, model_tensors(config)))
    for args, may_be_split in (([], False), (["--enable-expert-parallel"], True)):
        spec = {"engine": {"args": args}, "hardware": {"gpusPerReplica": 16}}
        run = plan(capsys, write(here, manifest(spec)))
        sizes = {item["size"]: item["legal"] for item in run.document["tensorParallelSizes"]}
        assert sizes[16] == run.document["fits"] == may_be_split


def test_products_of_the_manifest_stand_in_for_a_cluster(otter: Path, capsys: Capsys) -> None:
    """Without --gpu and cluster the known products that the manifest names are planned on."""
    products = ["NVIDIA-L40S", "Custom-GPU"]
    file = write(otter.parent, manifest({"hardware": {"products": products}}))
    run = run_qm(capsys, "plan", file, "--checkpoint", "otter", "-o", "json")
    assert run.document["products"] == ["NVIDIA-L40S"]
    assert run.document["hardware"]["origin"].startswith("spec.hardware.products")


@pytest.mark.usefixtures("otter")
def test_a_claim_cannot_be_read_from_here(here: Path, capsys: Capsys) -> None:
    """A pvc:// source needs --checkpoint, and the sentence says so."""
    run = run_qm(capsys, "plan", write(here, manifest()), "--gpu", "L4")
    assert run.error.startswith("pvc://weights/otter is a claim of a cluster, which cannot be read")
    assert "add --checkpoint" in run.error


@pytest.mark.usefixtures("otter")
def test_several_models_are_chosen_by_name(here: Path, capsys: Capsys) -> None:
    """One of several is chosen by its name, with or without the namespace."""
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "otter"}}
    lengths = {"otter": 1000, "badger": 500}
    models = [
        manifest({"engine": {"maxModelLen": length}}, name) for name, length in lengths.items()
    ]
    file = write(here, service, *models)
    for name in ("badger", "zoo/badger"):
        assert plan(capsys, file, "--name", name).document["maxModelLen"] == 500
    several = run_qm(capsys, "plan", file, "--gpu", "L4")
    assert several.error == (f"{file} has 2 QuantizedModels: choose one with --name: otter, badger")
    missing = run_qm(capsys, "plan", file, "--gpu", "L4", "--name", "weasel")
    assert missing.error == (
        f"{file} has no single QuantizedModel of the name weasel; it has otter, badger"
    )


@pytest.mark.usefixtures("otter")
def test_standard_input(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capsys) -> None:
    """``-`` reads the manifest from a pipe."""
    del here
    text = yaml.safe_dump(manifest({"engine": {"maxModelLen": 500}}))
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert plan(capsys, "-").document["maxModelLen"] == 500


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("kind: Service\n", "has no QuantizedModel of serving.quantizedmodel.dev"),
        ("a: [1\nb: 2\n", "is no YAML: "),
        ("", "has no QuantizedModel of serving.quantizedmodel.dev"),
    ],
)
def test_files_without_a_model(text: str, sentence: str, here: Path, capsys: Capsys) -> None:
    """A file that is no manifest of a model is an error with its place."""
    (here / "file.yaml").write_text(text)
    error = run_qm(capsys, "plan", "file.yaml", "--gpu", "L4").error
    assert error.startswith("file.yaml")
    assert sentence in error


@pytest.mark.usefixtures("otter")
def test_a_file_of_weights_is_no_manifest(capsys: Capsys) -> None:
    """Who names the weight file instead of its folder gets an error and no traceback."""
    run = run_qm(capsys, "plan", "otter/model.safetensors", "--gpu", "L4")
    assert run.error.startswith("otter/model.safetensors")


@pytest.mark.usefixtures("otter")
def test_a_spec_that_the_operator_refuses(here: Path, capsys: Capsys) -> None:
    """What the operator would refuse is refused here, before anything is read."""
    spec = {"engine": {"args": ["--port", "1"], "maxModelLen": 0}}
    run = run_qm(capsys, "plan", write(here, manifest(spec)), "--gpu", "L4", "-o", "json")
    assert run.code == 2
    assert run.document["refusals"][0]["field"] == "spec.engine.maxModelLen"
    owned = {"engine": {"args": ["--port", "1"]}}
    table = run_qm(capsys, "plan", write(here, manifest(owned)), "--gpu", "L4")
    assert table.code == 2
    assert "OwnedArgument (spec.engine.args[0])" in table.out
