"""What the in-memory cluster plays besides the gateway."""

from e2e.benches import SettableClock
from e2e.manifests import SPEC, deployment, desired, job, service
from quantized_model_operator.cluster.in_memory import InMemoryCluster, Write
from quantized_model_operator.domain.child_objects import Removal
from quantized_model_operator.domain.cluster_state import LogKey, ModelKey, ObjectKey, Observed

OTTER = ModelKey("zoo", "otter")


async def seen(cluster: InMemoryCluster) -> Observed:
    """What is observed of the otter."""
    observed = await cluster.observe(OTTER)
    assert observed is not None
    return observed


async def cluster_with_model() -> tuple[InMemoryCluster, Observed]:
    """A cluster with one model."""
    cluster = InMemoryCluster(SettableClock())
    cluster.put_model(OTTER, SPEC)
    return cluster, await seen(cluster)


async def test_a_finished_job_leaves_its_message() -> None:
    """A Job that ends is Complete, and its pod carries the termination message and the owner."""
    cluster, observed = await cluster_with_model()
    await cluster.apply(observed, desired(job(observed)))
    cluster.finish_job("zoo", "otter-inspect-1", message='{"version": 1}')
    after = await seen(cluster)
    made = after.children[ObjectKey("Job", "otter-inspect-1")]
    assert made["status"]["conditions"][0]["type"] == "Complete"
    (pod,) = after.pods
    assert pod.owner_uid == made["metadata"]["uid"]
    assert pod.job_name == "otter-inspect-1"
    assert pod.phase == "Succeeded"
    assert pod.containers[0].end is not None
    assert pod.containers[0].end.message == '{"version": 1}'


async def test_a_failed_job_says_so() -> None:
    """A Job whose program exits with an error is Failed."""
    cluster, observed = await cluster_with_model()
    await cluster.apply(observed, desired(job(observed)))
    pod = cluster.finish_job("zoo", "otter-inspect-1", exit_code=1)
    assert pod.phase == "Failed"
    status = (await seen(cluster)).children[ObjectKey("Job", "otter-inspect-1")]["status"]
    assert status["conditions"][0]["type"] == "Failed"


async def test_removing_a_job_removes_its_pods() -> None:
    """With a Job its pods go, as background deletion does."""
    cluster, observed = await cluster_with_model()
    await cluster.apply(observed, desired(job(observed)))
    cluster.finish_job("zoo", "otter-inspect-1")
    key = ObjectKey("Job", "otter-inspect-1")
    uid = (await seen(cluster)).children[key]["metadata"]["uid"]
    await cluster.apply(observed, desired(removals=(Removal(key=key, uid=uid, why="test"),)))
    assert not (await seen(cluster)).pods


async def test_children_go_with_their_model() -> None:
    """Deleting a model deletes its children, and a new one of its name starts with none."""
    cluster, observed = await cluster_with_model()
    await cluster.apply(observed, desired(service(observed)))
    cluster.delete_model(OTTER)
    assert cluster.get("zoo", ObjectKey("Service", "otter")) is None
    cluster.put_model(OTTER, SPEC)
    assert not (await seen(cluster)).children


async def test_writes_are_recorded_in_order() -> None:
    """Each effect is a value, in the order in which it happened."""
    cluster, observed = await cluster_with_model()
    await cluster.apply(observed, desired(service(observed), deployment(observed)))
    await cluster.write_status(observed, {"replicas": 0})
    assert cluster.writes == [
        Write("apply", "zoo", ObjectKey("Deployment", "otter")),
        Write("apply", "zoo", ObjectKey("Service", "otter")),
        Write("status", "zoo", ObjectKey("QuantizedModel", "otter")),
    ]


async def test_the_status_of_a_child_is_its_controllers() -> None:
    """A status that is set is observed, and applying again does not take it away."""
    cluster, observed = await cluster_with_model()
    key = ObjectKey("Deployment", "otter")
    await cluster.apply(observed, desired(deployment(observed)))
    cluster.set_status("zoo", key, {"readyReplicas": 1})
    await cluster.apply(await seen(cluster), desired(deployment(observed, args=["--port=1"])))
    assert (await seen(cluster)).children[key]["status"] == {"readyReplicas": 1}


async def test_what_is_observed_is_a_copy() -> None:
    """Changing an observed object changes nothing in the cluster."""
    cluster, observed = await cluster_with_model()
    await cluster.apply(observed, desired(service(observed)))
    child = (await seen(cluster)).children[ObjectKey("Service", "otter")]
    child["spec"]["selector"]["stolen"] = "yes"
    assert "stolen" not in str((await seen(cluster)).children)


async def test_logs_belong_to_pods_of_the_model() -> None:
    """A log is observed only with a pod of the model."""
    cluster, observed = await cluster_with_model()
    await cluster.apply(observed, desired(job(observed)))
    pod = cluster.finish_job("zoo", "otter-inspect-1", exit_code=1)
    cluster.put_log(LogKey(pod.uid, "inspect", 0), "the cause")
    cluster.put_log(LogKey("another", "inspect", 0), "not ours")
    assert (await seen(cluster)).logs == {LogKey(pod.uid, "inspect", 0): "the cause"}
