"""Writes that must not happen: for a model that is gone, and by a process that leads no more."""

import pytest

from e2e.manifests import deployment, desired, service
from quantized_model_operator.cluster.api_client import ApiClient
from quantized_model_operator.cluster.api_errors import UnreachableError
from quantized_model_operator.cluster.connection import Connection, request_session
from quantized_model_operator.cluster.credentials import FixedToken
from quantized_model_operator.cluster.kinds import MODEL, SERVICE
from quantized_model_operator.cluster.transport import Transport
from quantized_model_operator.domain.outcome import NotYetError
from shell.cluster.fake_api_server import FakeApiServer
from shell.cluster.live_gateway import OTTER, Bench

pytestmark = pytest.mark.shell

SERVED = {"url": "http://otter.zoo.svc/v1", "observedGeneration": 1}


async def test_children_of_a_ghost_are_not_made_anew(bench: Bench) -> None:
    """When a served model and its children are gone, nothing is written and it is forgotten."""
    bench.put_model("otter", status=SERVED)
    observed = await bench.seen()
    bench.server.remove(MODEL.collection(), "zoo", "otter")

    with pytest.raises(NotYetError):
        await bench.gateway.apply(observed, desired(deployment(observed), service(observed)))

    assert bench.server.count("PATCH") == 0
    assert bench.gateway.models.uid(OTTER) == ""
    assert await bench.gateway.observe(OTTER) is None


async def test_a_successor_gets_nothing_of_its_ghost(bench: Bench) -> None:
    """A new model of the same name is not given children that its predecessor asked for."""
    bench.put_model("otter", status=SERVED)
    observed = await bench.seen()
    bench.server.remove(MODEL.collection(), "zoo", "otter")
    bench.put_model("otter")
    successor = bench.gateway.models.uid(OTTER)

    with pytest.raises(NotYetError):
        await bench.gateway.apply(observed, desired(deployment(observed)))

    assert bench.server.count("PATCH") == 0
    assert bench.gateway.models.uid(OTTER) == successor != observed.uid


async def test_children_of_a_living_model_come_back(bench: Bench) -> None:
    """One read of the model is all that a repair costs beside its write."""
    bench.put_model("otter", status=SERVED)
    observed = await bench.seen()
    reads = bench.server.count("GET")

    applied = await bench.gateway.apply(observed, desired(service(observed)))

    assert applied.writes == 1
    assert bench.server.count("GET") == reads + 1


async def test_first_children_need_no_read(bench: Bench) -> None:
    """A model that was never served is not asked for again."""
    bench.put_model("otter", status={"observedGeneration": 1})
    observed = await bench.seen()
    reads = bench.server.count("GET")

    await bench.gateway.apply(observed, desired(service(observed)))

    assert bench.server.count("GET") == reads


async def test_who_leads_no_more_writes_nothing(server: FakeApiServer) -> None:
    """A write fails before it is sent once the process may not write; reads go on."""
    connection = Connection(server=server.url, authorization=FixedToken("secret"))
    async with request_session(connection) as session:
        leads = True
        transport = Transport(
            server=server.url,
            session=session,
            watch_session=session,
            may_write=lambda: leads,
        )
        client = ApiClient(transport)
        manifest = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"namespace": "zoo", "name": "otter"},
        }
        await client.apply(SERVICE, manifest, manager="me", force=True)
        leads = False
        with pytest.raises(UnreachableError, match="does not lead"):
            await client.apply(SERVICE, manifest, manager="me", force=True)
        await client.get(SERVICE, "zoo", "otter")
    assert server.count("PATCH") == 1


async def test_an_invalid_mixture_is_replaced(bench: Bench) -> None:
    """When others' items make our list invalid, it is put in place of theirs as a whole."""
    observed = await bench.seen()
    await bench.gateway.apply(observed, desired(service(observed)))
    bench.server.fail("PATCH", 422)

    changed = desired(service(await bench.seen(), port=8080))
    applied = await bench.gateway.apply(await bench.seen(), changed)

    assert (applied.writes, dict(applied.refusals)) == (1, {})
    assert bench.server.count("PATCH") == 3
