"""What `qm plan` says and what the operator decides for the same model on the same nodes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from fake_nodes import Body, gpu_node_body, running_nodes
from quantized_model_operator.cli.checkpoint_source import read_checkpoint
from quantized_model_operator.cluster.parsing import node_from
from quantized_model_operator.report.details import plan_details
from unit import otter as operator_side
from unit.cli.plan_runs import run_qm

if TYPE_CHECKING:
    from pathlib import Path

Capsys = pytest.CaptureFixture[str]

URI = "pvc://weights/badger"
DEN: Body = {
    "metadata": {"name": "den", "labels": {}},
    "spec": {},
    "status": {
        "allocatable": {"cpu": "64", "memory": "512Gi"},
        "conditions": [{"type": "Ready", "status": "True"}],
    },
}
NODES = [
    gpu_node_body("pool-1", "NVIDIA-L4", 4),
    gpu_node_body("big-1", "NVIDIA-A100-SXM4-80GB", 8),
    gpu_node_body("big-2", "NVIDIA-H100-80GB-HBM3", 2, unschedulable=True),
    DEN,
]
SPECS: dict[str, dict[str, Any]] = {
    "nothing settled": {},
    "a length": {"engine": {"maxModelLen": 8192}},
    "a length that needs more GPUs": {
        "engine": {"maxModelLen": 32768},
        "hardware": {"products": ["NVIDIA-L4"]},
    },
    "two GPUs": {"hardware": {"gpusPerReplica": 2}},
    "a pool from zero": {"hardware": {"products": ["NVIDIA-H200"]}},
    "engine settings": {
        "engine": {
            "version": "0.30.0",
            "dtype": "bfloat16",
            "kvCacheDtype": "fp8",
            "gpuMemoryUtilization": 0.8,
            "maxNumSeqs": 64,
            "maxNumBatchedTokens": 4096,
            "args": ["--enforce-eager"],
        }
    },
    "CPU": {"hardware": {"device": "CPU", "memory": "100Gi"}},
    "too long": {"engine": {"maxModelLen": 1_000_000}},
    "illegal size": {"hardware": {"gpusPerReplica": 3}},
    "no such product": {"hardware": {"products": ["NVIDIA-K80"]}},
    "too little memory": {"hardware": {"device": "CPU", "memory": "4Gi"}},
}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_the_same_plan(
    spec: dict[str, Any],
    badger: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capsys,
) -> None:
    """Field by field `qm plan` says what status.plan, or the refusal, will say."""
    full = {"model": {"uri": URI}, **spec}
    (badger.parent / "model.yaml").write_text(
        yaml.safe_dump(
            {
                "apiVersion": "serving.quantizedmodel.dev/v1alpha1",
                "kind": "QuantizedModel",
                "metadata": {"name": "otter", "namespace": "zoo"},
                "spec": full,
            }
        )
    )
    with running_nodes(NODES) as server:
        file = server.write_kubeconfig(badger.parent / "kubeconfig")
        monkeypatch.setenv("KUBECONFIG", str(file))
        said = run_qm(capsys, "plan", "model.yaml", "--checkpoint", str(badger), "-o", "json")
    facts = read_checkpoint(str(badger)).report.facts
    assert facts is not None
    seen = operator_side.observed(full, known=replace(facts, uri=URI, commit="uid-of-weights"))
    decided = operator_side.planned(replace(seen, nodes=tuple(node_from(node) for node in NODES)))
    if decided.serving is None:
        assert said.code == 2
        assert [(item["reason"], item["message"]) for item in said.document["refusals"]] == [
            (problem.reason, problem.message) for problem in decided.problems
        ]
        return
    assert said.code == 0
    expected = plan_details(decided.serving.plan)
    assert {key: said.document[key] for key in expected if key != "warnings"} == {
        key: value for key, value in expected.items() if key != "warnings"
    }
    assert set(expected.get("warnings", ())) <= set(said.document["warnings"])
