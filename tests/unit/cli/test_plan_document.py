"""Answers as JSON and YAML: names, sums, and what is always there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from quantized_model_operator.api.crd import crd_document
from unit.cli.plan_runs import run_qm

if TYPE_CHECKING:
    from pathlib import Path

Capsys = pytest.CaptureFixture[str]

PLAN_FIELDS = {
    "summary",
    "kernel",
    "device",
    "products",
    "tensorParallelSize",
    "dtype",
    "kvCacheDtype",
    "weightsBytesPerGpu",
    "kvCacheBytesPerGpu",
    "kvCacheTokens",
    "expectedKvCacheTokens",
    "maxModelLen",
    "maxConcurrency",
    "gpuMemoryBytes",
    "engineVersion",
}
BATCH_FIELDS = {"maxNumSeqs", "maxNumBatchedTokens"}
OWN_FIELDS = {
    "fits",
    "alternatives",
    "warnings",
    "refusals",
    "memoryPerGpu",
    "hardware",
    "tensorParallelSizes",
    "model",
    "source",
}


def document(capsys: Capsys, *arguments: str) -> dict[str, Any]:
    """The JSON of a plan."""
    return run_qm(capsys, "plan", *arguments, "--output", "json").document


def schema_fields(group: str) -> set[str]:
    """Names of the fields of a part of the status, as the API has them."""
    properties = crd_document()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    return set(properties["status"]["properties"][group]["properties"])


@pytest.mark.usefixtures("badger")
def test_a_plan_has_these_fields(capsys: Capsys) -> None:
    """A plan on GPUs has every documented field, and no other."""
    assert (
        set(document(capsys, "badger", "--gpu", "H100")) == PLAN_FIELDS | BATCH_FIELDS | OWN_FIELDS
    )


@pytest.mark.usefixtures("badger")
def test_a_refusal_has_these_fields(capsys: Capsys) -> None:
    """A refusal has the same fields but those of the plan."""
    found = document(capsys, "badger", "--gpu", "L4")
    assert set(found) == OWN_FIELDS - {"memoryPerGpu"}
    assert found["fits"] is False
    (refusal,) = found["refusals"]
    always = {"reason", "field", "message"}
    assert always <= set(refusal) <= always | {"rule", "suggestion"}


@pytest.mark.usefixtures("badger")
def test_names_are_those_of_the_status(capsys: Capsys) -> None:
    """Plan and checkpoint are told by the names that the resource's status has for them."""
    found = document(capsys, "badger", "--gpu", "H100")
    assert schema_fields("plan") >= PLAN_FIELDS
    assert set(found["model"]) <= schema_fields("model")


@pytest.mark.parametrize("gpu", ["T4", "L4", "A100-80GB", "H200"])
@pytest.mark.usefixtures("otter")
def test_memory_adds_up(gpu: str, capsys: Capsys) -> None:
    """The parts of a GPU's memory are positive and add up to all of it."""
    found = document(capsys, "otter", "--gpu", gpu, "-tp", "2")
    parts = found["memoryPerGpu"]
    assert sum(parts.values()) == found["gpuMemoryBytes"]
    assert min(parts.values()) >= 0
    assert parts["weightsBytes"] == found["weightsBytesPerGpu"]
    assert parts["kvCacheBytes"] == found["kvCacheBytesPerGpu"]
    assert found["kvCacheTokens"] < found["expectedKvCacheTokens"]


@pytest.mark.usefixtures("otter")
def test_every_size_has_a_verdict(capsys: Capsys) -> None:
    """Sizes from 1 to 16 are told, and an illegal one with its reason."""
    sizes = document(capsys, "otter", "--gpu", "L4")["tensorParallelSizes"]
    assert [item["size"] for item in sizes] == list(range(1, 17))
    assert {item["size"] for item in sizes if item["legal"]} == {1, 2}
    assert all(item["legal"] or item["message"] for item in sizes)


@pytest.mark.usefixtures("otter")
def test_yaml_is_the_same_document(capsys: Capsys) -> None:
    """Both forms carry the same values."""
    text = run_qm(capsys, "plan", "otter", "--gpu", "L4", "--output", "yaml").out
    assert yaml.safe_load(text) == document(capsys, "otter", "--gpu", "L4")


def test_nothing_is_claimed_of_weights_that_were_not_read(otter: Path, capsys: Capsys) -> None:
    """A folder's weights have no digest here; what was read is less than the weights."""
    found = document(capsys, str(otter), "--gpu", "L4")
    assert not {"digest", "integrity", "resolvedRevision"} & set(found["model"])
    assert found["source"]["uri"] == str(otter)
    assert found["source"]["bytesRead"] < found["model"]["weightsBytes"] / 50


@pytest.mark.usefixtures("otter")
def test_a_comparison_has_a_plan_for_each_gpu(capsys: Capsys) -> None:
    """Each row is a plan or a refusal of its own, and the whole fits if one does."""
    found = document(capsys, "otter", "--all-gpus")
    assert set(found) == {"fits", "gpusPerNode", "gpus", "tensorParallelSizes", "model", "source"}
    for row in found["gpus"]:
        wanted = (
            PLAN_FIELDS | BATCH_FIELDS | {"memoryPerGpu"} if row["fits"] else {"gpuMemoryBytes"}
        )
        assert set(row) == wanted | {"gpu", "fits", "alternatives", "warnings", "refusals"}
        assert bool(row["refusals"]) is not row["fits"]
    assert found["fits"] is any(row["fits"] for row in found["gpus"])


@pytest.mark.usefixtures("otter")
def test_batch_limits_are_told(capsys: Capsys) -> None:
    """What was typed is told, and vLLM's own where nothing was, on GPUs and on CPU."""
    typed = ("--max-num-seqs", "7", "--max-num-batched-tokens", "1k")
    for hardware, own in (("--gpu=L4", (256, 2048)), ("--device=cpu", (128, 2048))):
        chosen = document(capsys, "otter", hardware, *typed)
        assert (chosen["maxNumSeqs"], chosen["maxNumBatchedTokens"]) == (7, 1000)
        plain = document(capsys, "otter", hardware)
        assert (plain["maxNumSeqs"], plain["maxNumBatchedTokens"]) == own
