"""What every gateway promises about status, events and observation."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from e2e.benches import START, Bench
from e2e.gateway_contract import new_model, seen
from e2e.manifests import SPEC, labels
from quantized_model_operator.cluster.gateway import ModelEvent
from quantized_model_operator.domain.cluster_state import ModelKey


def status(ready: str, reason: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A status with one condition."""
    condition = {
        "type": "Ready",
        "status": ready,
        "reason": reason,
        "message": f"it is {reason}",
        "observedGeneration": 1,
    }
    return {"observedGeneration": 1, "conditions": [condition], **fields}


def ready_of(model: Mapping[str, Any]) -> Mapping[str, Any]:
    """The condition."""
    condition: Mapping[str, Any] = model["status"]["conditions"][0]
    return condition


class StatusContract:
    """A status is written when it says something new, with honest times."""

    async def test_a_status_is_written_once(self, bench: Bench) -> None:
        """The same status is written the first time only."""
        observed = await new_model(bench)
        said = status("False", "Fetching", replicas=0, url="http://otter")
        assert await bench.gateway.write_status(observed, said)
        assert not await bench.gateway.write_status(await seen(bench), said)
        model = await bench.model("otter")
        assert model["status"]["url"] == "http://otter"
        assert model["status"]["replicas"] == 0
        assert ready_of(model)["reason"] == "Fetching"

    async def test_the_next_observation_has_the_status(self, bench: Bench) -> None:
        """What was written is seen at once, before any event of it."""
        observed = await new_model(bench)
        await bench.gateway.write_status(observed, status("False", "Fetching"))
        assert ready_of((await seen(bench)).model)["reason"] == "Fetching"

    async def test_the_transition_time_follows_the_status(self, bench: Bench) -> None:
        """A new reason keeps the time, a new status of the condition moves it."""
        observed = await new_model(bench)
        await bench.gateway.write_status(observed, status("False", "Fetching"))
        bench.clock.now = START + timedelta(minutes=5)
        assert await bench.gateway.write_status(await seen(bench), status("False", "Loading"))
        kept = ready_of(await bench.model("otter"))
        assert (kept["reason"], kept["lastTransitionTime"]) == ("Loading", "2026-03-01T12:00:00Z")
        assert await bench.gateway.write_status(await seen(bench), status("True", "Serving"))
        moved = ready_of(await bench.model("otter"))
        assert moved["lastTransitionTime"] == "2026-03-01T12:05:00Z"

    async def test_what_is_not_said_any_more_goes(self, bench: Bench) -> None:
        """A field and a condition that are left out disappear."""
        observed = await new_model(bench)
        first = status("False", "Fetching", url="http://otter")
        first["conditions"].append({**first["conditions"][0], "type": "Reconciling"})
        await bench.gateway.write_status(observed, first)
        assert await bench.gateway.write_status(await seen(bench), status("False", "Fetching"))
        now = (await bench.model("otter"))["status"]
        assert "url" not in now
        assert [condition["type"] for condition in now["conditions"]] == ["Ready"]

    async def test_an_unknown_field_is_not_written_for_ever(self, bench: Bench) -> None:
        """A field that the CRD does not know neither stops a status nor makes each look new."""
        observed = await new_model(bench)
        said = status("False", "Fetching", notInTheSchema="x", model={"bits": 4, "other": 1})
        assert await bench.gateway.write_status(observed, said)
        written = (await bench.model("otter"))["status"]
        assert written["model"]["bits"] == 4
        assert not await bench.gateway.write_status(await seen(bench), said)

    async def test_a_model_that_is_gone_gets_no_status(self, bench: Bench) -> None:
        """Neither a deleted model nor a new one of its name gets the old one's status."""
        observed = await new_model(bench)
        await bench.delete_model("otter")
        assert not await bench.gateway.write_status(observed, status("True", "Serving"))
        await bench.put_model("otter", SPEC)
        assert not await bench.gateway.write_status(observed, status("True", "Serving"))
        assert "Serving" not in str((await bench.model("otter")).get("status"))

    async def test_an_event_is_not_repeated(self, bench: Bench) -> None:
        """The same event is recorded once, another one as well."""
        observed = await new_model(bench)
        event = ModelEvent(kind="Warning", reason="DoesNotFit", message="too large")
        other = ModelEvent(kind="Normal", reason="Serving", message="it answers")
        for one in (event, event, other, event):
            await bench.gateway.emit_event(observed, one)
        assert sorted(await bench.events()) == ["DoesNotFit", "Serving"]


class ObserveContract:
    """Observations hold what exists, and nothing of others."""

    async def test_an_unknown_model_is_none(self, bench: Bench) -> None:
        """A model that does not exist is not observed."""
        assert await bench.gateway.observe(ModelKey(bench.namespace, "nobody")) is None

    async def test_a_new_model_has_nothing(self, bench: Bench) -> None:
        """A new model is seen with its spec and generation, and without children."""
        observed = await new_model(bench)
        assert observed.model["spec"]["model"]["uri"] == "pvc://weights/otter"
        assert observed.generation == 1
        assert observed.uid
        assert not observed.children
        assert not observed.pods
        assert not observed.conflicts

    async def test_a_changed_spec_is_a_new_generation(self, bench: Bench) -> None:
        """After a change of the spec the generation grows."""
        await new_model(bench)
        await bench.put_model("otter", {"model": {"uri": "pvc://weights/heron"}})
        assert (await seen(bench)).generation == 2

    async def test_a_deleted_model_is_none(self, bench: Bench) -> None:
        """A model that was deleted is not observed any more."""
        await new_model(bench)
        await bench.delete_model("otter")
        assert await bench.gateway.observe(ModelKey(bench.namespace, "otter")) is None

    async def test_pods_of_the_model_are_seen(self, bench: Bench) -> None:
        """A pod with the labels of the model is seen with its containers; others' are not."""
        await new_model(bench)
        await bench.put(pod(bench.namespace, "otter-1", "otter"))
        await bench.put(pod(bench.namespace, "heron-1", "heron"))

        async def heard() -> bool:
            pods = (await seen(bench)).pods
            return bool(pods) and pods[0].phase == "Running"

        await bench.until(heard)
        (found,) = (await seen(bench)).pods
        assert found.name == "otter-1"
        assert [container.name for container in found.containers] == ["fetch", "engine"]
        assert found.containers[1].last_end is not None
        assert found.containers[1].last_end.exit_code == 7
        assert found.containers[1].restart_count == 1

    async def test_claims_of_the_model_are_seen(self, bench: Bench) -> None:
        """The claim that the spec names is seen, another one is not."""
        await new_model(bench)
        for name in ("weights", "other"):
            await bench.put(claim(bench.namespace, name))

        async def heard() -> bool:
            return bool((await seen(bench)).claims)

        await bench.until(heard)
        claims = (await seen(bench)).claims
        assert set(claims) == {"weights"}
        assert claims["weights"].access_modes == ("ReadWriteMany",)


def pod(namespace: str, name: str, model: str) -> dict[str, Any]:
    """A pod whose engine has been restarted once."""
    ended = {"exitCode": 7, "reason": "Error", "finishedAt": "2026-03-01T11:00:00Z"}
    running = {"running": {"startedAt": "2026-03-01T11:01:00Z"}}
    kept = {"image": "mirror.example/engine:9", "imageID": "sha256:0"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels(model)},
        "spec": {
            "nodeName": "nowhere",
            "initContainers": [{"name": "fetch", "image": "mirror.example/tools:1"}],
            "containers": [{"name": "engine", "image": "mirror.example/engine:9"}],
            "terminationGracePeriodSeconds": 0,
        },
        "status": {
            "phase": "Running",
            "containerStatuses": [
                {
                    "name": "engine",
                    "ready": False,
                    "restartCount": 1,
                    "state": running,
                    "lastState": {"terminated": ended},
                    **kept,
                }
            ],
        },
    }


def claim(namespace: str, name: str) -> dict[str, Any]:
    """A claim that waits for a volume."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "storageClassName": "none",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
