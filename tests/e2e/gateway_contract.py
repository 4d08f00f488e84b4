"""What every gateway promises, whatever is behind it; the classes are inherited by tests."""

from collections.abc import Mapping
from typing import Any

from e2e.benches import Bench
from e2e.manifests import SPEC, deployment, desired, job, labels, record, service
from quantized_model_operator.domain.child_objects import Removal
from quantized_model_operator.domain.cluster_state import ModelKey, ObjectKey, Observed
from quantized_model_operator.domain.well_known import MANAGED_BY, MANAGED_BY_LABEL

DEPLOYMENT = ObjectKey("Deployment", "otter")
SERVICE = ObjectKey("Service", "otter")
JOB = ObjectKey("Job", "otter-inspect-1")
RECORD = ObjectKey("ConfigMap", "record-0a1b")


async def seen(bench: Bench, name: str = "otter") -> Observed:
    """What the gateway sees of a model."""
    observed = await bench.gateway.observe(ModelKey(bench.namespace, name))
    assert observed is not None
    return observed


async def new_model(bench: Bench, name: str = "otter") -> Observed:
    """A model that was just created."""
    await bench.put_model(name, SPEC)
    return await seen(bench, name)


def engine_of(manifest: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The container of the Deployment."""
    assert manifest is not None
    container: Mapping[str, Any] = manifest["spec"]["template"]["spec"]["containers"][0]
    return container


class ApplyContract:
    """Objects are made as desired, with the fewest writes, and nobody else's are touched."""

    async def test_everything_is_made_and_seen_at_once(self, bench: Bench) -> None:
        """What was applied exists, and the next observation has it without waiting."""
        observed = await new_model(bench)
        wanted = desired(
            record(bench.namespace), job(observed), deployment(observed), service(observed)
        )
        applied = await bench.gateway.apply(observed, wanted)
        assert applied.writes == 4
        assert not applied.conflicts
        assert set(applied.objects) == {DEPLOYMENT, SERVICE, JOB, RECORD}
        after = await seen(bench)
        assert set(after.children) == {DEPLOYMENT, SERVICE, JOB}
        assert after.records["record-0a1b"]["data"] == {"report": "good"}
        for key in applied.objects:
            assert await bench.get(key) is not None

    async def test_nothing_is_written_twice(self, bench: Bench) -> None:
        """Applying the same again writes nothing, defaults and notations of the server aside."""
        observed = await new_model(bench)
        wanted = desired(
            record(bench.namespace), job(observed), deployment(observed), service(observed)
        )
        await bench.gateway.apply(observed, wanted)
        again = await bench.gateway.apply(await seen(bench), wanted)
        assert again.writes == 0
        assert set(again.objects) == {DEPLOYMENT, SERVICE, JOB, RECORD}
        assert again.objects[DEPLOYMENT]["kind"] == "Deployment"

    async def test_a_changed_field_is_written_once(self, bench: Bench) -> None:
        """A change of one object is one write of that object."""
        observed = await new_model(bench)
        await bench.gateway.apply(observed, desired(deployment(observed), service(observed)))
        changed = desired(deployment(observed, args=["--port=9000"]), service(observed))
        applied = await bench.gateway.apply(await seen(bench), changed)
        assert applied.writes == 1
        assert engine_of(await bench.get(DEPLOYMENT))["args"] == ["--port=9000"]
        assert (await bench.gateway.apply(await seen(bench), changed)).writes == 0

    async def test_a_field_no_longer_rendered_goes(self, bench: Bench) -> None:
        """An environment variable that is not rendered any more is removed."""
        observed = await new_model(bench)
        await bench.gateway.apply(observed, desired(deployment(observed)))
        fewer = desired(deployment(observed, env=[{"name": "PORT", "value": "8000"}]))
        assert (await bench.gateway.apply(await seen(bench), fewer)).writes == 1
        assert engine_of(await bench.get(DEPLOYMENT))["env"] == [{"name": "PORT", "value": "8000"}]

    async def test_a_foreign_edit_of_an_own_field_is_repaired(self, bench: Bench) -> None:
        """Somebody changes the image; the next apply changes it back with one write."""
        observed = await new_model(bench)
        wanted = desired(deployment(observed), service(observed))
        await bench.gateway.apply(observed, wanted)
        edit = deployment(observed, image="evil.example/engine:6")
        await bench.apply_as("kubectl-edit", edit)

        async def heard() -> bool:
            child = (await seen(bench)).children[DEPLOYMENT]
            return bool(engine_of(child)["image"] == "evil.example/engine:6")

        await bench.until(heard)
        assert (await bench.gateway.apply(await seen(bench), wanted)).writes == 1
        assert engine_of(await bench.get(DEPLOYMENT))["image"] == "mirror.example/engine:9"

    async def test_a_child_whose_label_was_changed_is_repaired(self, bench: Bench) -> None:
        """A child that somebody hides from the operator's selector is found and repaired."""
        observed = await new_model(bench)
        wanted = desired(service(observed))
        await bench.gateway.apply(observed, wanted)
        stolen = service(observed)
        stolen["metadata"]["labels"] = {MANAGED_BY_LABEL: "thief"}
        await bench.apply_as("thief", stolen)

        async def heard() -> bool:
            child = (await seen(bench)).children.get(SERVICE)
            return child is None or child["metadata"]["labels"][MANAGED_BY_LABEL] == "thief"

        await bench.until(heard)
        applied = await bench.gateway.apply(await seen(bench), wanted)
        assert (applied.writes, dict(applied.conflicts)) == (1, {})
        live = await bench.get(SERVICE)
        assert live is not None
        assert live["metadata"]["labels"][MANAGED_BY_LABEL] == MANAGED_BY

    async def test_a_foreign_addition_is_left_alone(self, bench: Bench) -> None:
        """A label that somebody adds to a child stays and causes no write."""
        observed = await new_model(bench)
        wanted = desired(service(observed))
        await bench.gateway.apply(observed, wanted)
        addition = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": "otter",
                "namespace": bench.namespace,
                "labels": {"team": "river"},
            },
        }
        await bench.apply_as("somebody-else", addition)

        async def heard() -> bool:
            return "team" in (await seen(bench)).children[SERVICE]["metadata"]["labels"]

        await bench.until(heard)
        assert (await bench.gateway.apply(await seen(bench), wanted)).writes == 0
        live = await bench.get(SERVICE)
        assert live is not None
        assert live["metadata"]["labels"]["team"] == "river"

    async def test_a_name_that_somebody_owns_is_a_conflict(self, bench: Bench) -> None:
        """An object of the user's with our name is not touched, and the rest is applied."""
        observed = await new_model(bench)
        theirs = service(observed, port=9999)
        theirs["metadata"] = {"name": "otter", "namespace": bench.namespace}
        theirs["spec"]["selector"] = {"app": "theirs"}
        await bench.apply_as("helm", theirs)
        applied = await bench.gateway.apply(
            observed, desired(deployment(observed), service(observed))
        )
        assert set(applied.conflicts) == {SERVICE}
        assert "helm" in applied.conflicts[SERVICE]
        assert set(applied.objects) == {DEPLOYMENT}
        assert applied.writes == 1
        live = await bench.get(SERVICE)
        assert live is not None
        assert live["spec"]["selector"] == {"app": "theirs"}
        assert set((await seen(bench)).conflicts) == {SERVICE}

    async def test_a_conflict_ends_when_the_name_is_free(self, bench: Bench) -> None:
        """A conflict that is over is not observed any more."""
        observed = await new_model(bench)
        await bench.put_model("heron", SPEC)
        heron = await seen(bench, "heron")
        theirs = service(heron)
        theirs["metadata"]["name"] = "otter"
        await bench.gateway.apply(heron, desired(theirs))
        first = await bench.gateway.apply(observed, desired(service(observed)))
        assert set(first.conflicts) == {SERVICE}
        await bench.delete(SERVICE)

        async def heard() -> bool:
            return not (await seen(bench, "heron")).children

        await bench.until(heard)
        second = await bench.gateway.apply(await seen(bench), desired(service(observed)))
        assert not second.conflicts
        assert not (await seen(bench)).conflicts

    async def test_a_child_of_another_model_is_a_conflict(self, bench: Bench) -> None:
        """A Deployment that another model controls is neither changed nor adopted."""
        await bench.put_model("heron", SPEC)
        heron = await seen(bench, "heron")
        theirs = deployment(heron)
        theirs["metadata"]["name"] = "otter"
        await bench.gateway.apply(heron, desired(theirs))
        observed = await new_model(bench)
        applied = await bench.gateway.apply(observed, desired(deployment(observed)))
        assert set(applied.conflicts) == {DEPLOYMENT}
        assert applied.writes == 0
        assert DEPLOYMENT not in (await seen(bench)).children

    async def test_a_job_is_never_patched(self, bench: Bench) -> None:
        """A Job that exists stays as it was made, whatever is rendered now."""
        observed = await new_model(bench)
        await bench.gateway.apply(observed, desired(job(observed)))
        other = desired(job(observed, image="mirror.example/tools:2"))
        applied = await bench.gateway.apply(await seen(bench), other)
        assert applied.writes == 0
        assert engine_of(await bench.get(JOB))["image"] == "mirror.example/tools:1"

    async def test_removals_take_only_the_very_object(self, bench: Bench) -> None:
        """A removal with another uid, or of nothing, does nothing; the right one removes."""
        observed = await new_model(bench)
        await bench.gateway.apply(observed, desired(job(observed)))
        uid = first_uid(await seen(bench), JOB)
        wrong = Removal(key=JOB, uid="00000000-0000-4000-8000-0000000000ff", why="test")
        nothing = Removal(key=ObjectKey("Job", "never-was"), uid=uid, why="test")
        kept = await bench.gateway.apply(await seen(bench), desired(removals=(wrong, nothing)))
        assert kept.writes == 0
        assert await bench.get(JOB) is not None
        right = Removal(key=JOB, uid=uid, why="test")
        gone = await bench.gateway.apply(await seen(bench), desired(removals=(right,)))
        assert gone.writes == 1
        assert JOB not in (await seen(bench)).children
        assert await bench.get(JOB) is None

    async def test_a_record_is_shared(self, bench: Bench) -> None:
        """A record made for one model is seen by its neighbour, and survives the first."""
        observed = await new_model(bench)
        await bench.gateway.apply(observed, desired(record(bench.namespace)))
        await bench.put_model("heron", SPEC)
        assert "record-0a1b" in (await seen(bench, "heron")).records
        again = await bench.gateway.apply(
            await seen(bench, "heron"), desired(record(bench.namespace))
        )
        assert again.writes == 0
        await bench.delete_model("otter")
        assert "record-0a1b" in (await seen(bench, "heron")).records

    async def test_pruning_is_by_owner_not_by_label(self, bench: Bench) -> None:
        """An object that only carries our labels is no child of the model."""
        observed = await new_model(bench)
        stray = service(observed)
        stray["metadata"] = {
            "name": "stray",
            "namespace": bench.namespace,
            "labels": labels("otter"),
        }
        await bench.put(stray)
        await bench.gateway.apply(observed, desired(service(observed)))
        assert set((await seen(bench)).children) == {SERVICE}


def first_uid(observed: Observed, key: ObjectKey) -> str:
    """Uid of a child."""
    return str(observed.children[key]["metadata"]["uid"])
