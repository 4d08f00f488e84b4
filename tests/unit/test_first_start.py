"""The first start of a model in a whole cluster: what it costs, and what a restart finds."""

import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

from quantized_model_operator.cluster.in_memory import InMemoryCluster
from quantized_model_operator.domain.checkpoint import InspectionReport, report_to_json
from quantized_model_operator.domain.child_objects import AppliedObjects, DesiredObjects
from quantized_model_operator.domain.cluster_state import (
    ModelKey,
    ObjectKey,
    Observed,
    ObservedPod,
)
from quantized_model_operator.domain.well_known import MODEL_LABEL
from quantized_model_operator.reconcile import reconcile
from unit.otter import COMMIT, GPU_SPEC, HUB_URI, NOW, SETTINGS, container, facts, serving_pod

OTTER = ModelKey("zoo", "otter")
DEPLOYMENT = ObjectKey("Deployment", "otter")
LOG = Path(__file__).parent / "domain" / "evidence" / "h100-0.5b-int4.log.gz"
TOLD = gzip.decompress(LOG.read_bytes()).decode()


class Zoo(InMemoryCluster):
    """A cluster with the otter, whose checkpoint has to be inspected."""

    def __init__(self) -> None:
        super().__init__(lambda: NOW)
        self.put_model(OTTER, GPU_SPEC)

    def add_gpu_node(self) -> None:
        """A node with an L4."""
        labels = {
            "nvidia.com/gpu.product": "NVIDIA-L4",
            "nvidia.com/gpu.memory": "23034",
            "nvidia.com/gpu.compute.major": "8",
            "nvidia.com/gpu.compute.minor": "9",
        }
        status = {
            "allocatable": {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "1"},
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        self.put({"kind": "Node", "metadata": {"name": "bank", "labels": labels}, "status": status})

    async def apply(self, observed: Observed, desired: DesiredObjects) -> AppliedObjects:
        """As ever, with the generation that a real API server counts."""
        applied = await super().apply(observed, desired)
        counted = {
            key: {**body, "metadata": {**body["metadata"], "generation": 1}}
            for key, body in applied.objects.items()
        }
        return replace(applied, objects=counted)

    async def settle(self) -> list[str]:
        """Reconcile until nothing is written; the verbs of what was."""
        before = len(self.writes)
        while True:
            seen = len(self.writes)
            await reconcile(OTTER, self, SETTINGS, NOW)
            if len(self.writes) == seen:
                return [f"{write.verb} {write.key.kind}" for write in self.writes[before:]]

    async def inspected(self) -> None:
        """The checkpoint is found good."""
        await self.settle()
        report = InspectionReport(facts=facts(HUB_URI, COMMIT))
        (job,) = [write.key.name for write in self.writes if write.key.kind == "Job"]
        self.finish_job("zoo", job, message=report_to_json(report))
        await self.settle()

    async def started(self, log: str = TOLD) -> ObservedPod:
        """One replica has passed its startup probe, and its log can be read if there is one."""
        self.add_gpu_node()
        await self.inspected()
        pod = serving_pod(container(started=True))
        labels = {**pod.labels, MODEL_LABEL: "otter"}
        pod = replace(pod, labels=labels, node_name="bank", ready=True)
        self.put_pod("zoo", pod)
        if log:
            self.put_start_log(pod.uid, log)
        return pod

    async def ready(self) -> list[str]:
        """The Deployment controller counts the replica as ready; what is written then."""
        counts = {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1}
        self.set_status("zoo", DEPLOYMENT, {"observedGeneration": 1, **counts})
        return await self.settle()

    @property
    def status(self) -> dict[str, Any]:
        """Of the otter."""
        found: dict[str, Any] = self.model(OTTER)["status"]
        return found


async def test_figures_cost_no_write_of_their_own() -> None:
    """The pod's start alone writes no figures; the write that says Ready carries them."""
    zoo = Zoo()
    await zoo.started()
    await zoo.settle()
    assert "engine" not in zoo.status

    assert await zoo.ready() == ["status QuantizedModel"]

    assert zoo.status["engine"]["kvCacheTokens"] == 6_046_960
    assert zoo.status["conditions"][0]["status"] == "True"
    assert await zoo.settle() == []


async def test_an_operator_that_starts_later_writes_nothing() -> None:
    """Everything it needs is in the status: it neither reads the log nor writes."""
    zoo = Zoo()
    pod = await zoo.started()
    await zoo.ready()

    zoo.put_start_log(pod.uid, "another log\n")
    observed = await zoo.observe(OTTER)

    assert observed is not None
    assert observed.start is None
    assert await zoo.settle() == []


async def test_a_late_log_is_one_status_more() -> None:
    """A log that could not be read at first is told when it can; Ready did not wait for it."""
    zoo = Zoo()
    pod = await zoo.started(log="")
    await zoo.ready()
    assert zoo.status["conditions"][0]["status"] == "True"

    zoo.put_start_log(pod.uid, TOLD)

    assert await zoo.settle() == ["status QuantizedModel"]
    assert zoo.status["engine"]["kvCacheTokens"] == 6_046_960


async def test_a_surprise_is_one_event() -> None:
    """What vLLM does unlike the plan is told by one Event, beside the status."""
    zoo = Zoo()
    await zoo.started()
    await zoo.ready()
    await zoo.settle()

    warning = "vLLM reports MacheteLinearKernel, the plan expected Marlin"
    assert zoo.status["engine"]["warnings"][0] == warning
    (event,) = [event for _, event in zoo.events if event.reason == "EngineDiffersFromPlan"]
    assert event.kind == "Warning"
    assert warning in event.message


async def test_a_refused_change_keeps_the_figures() -> None:
    """While a new spec is refused, what vLLM said of the running one stays."""
    zoo = Zoo()
    await zoo.started()
    await zoo.ready()
    before = zoo.status["engine"]

    zoo.put_model(OTTER, {**GPU_SPEC, "engine": {"args": ["--no-such-flag"]}})
    await zoo.settle()

    assert zoo.status["conditions"][0]["status"] == "False"
    assert zoo.status["engine"] == before


async def test_a_model_without_gpus_goes_on_when_they_come() -> None:
    """Refused without GPUs, with what would fit; served by itself when a node appears."""
    zoo = Zoo()
    zoo.put_model(OTTER, {**GPU_SPEC, "hardware": {}})
    zoo.put({"kind": "Node", "metadata": {"name": "den"}, "status": {}})
    await zoo.inspected()
    ready = zoo.status["conditions"][0]
    assert ready["reason"] == "NoAcceleratorInSight"
    for said in ("No node offers a GPU as nvidia.com/gpu", "1 nodes in sight", "Would fit: 1 "):
        assert said in ready["message"]
    assert zoo.get("zoo", DEPLOYMENT) is None

    zoo.add_gpu_node()
    await zoo.settle()

    assert zoo.get("zoo", DEPLOYMENT) is not None
    assert zoo.status["plan"]["products"] == ["NVIDIA-L4"]
