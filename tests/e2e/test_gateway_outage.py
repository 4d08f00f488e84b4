"""The live gateway through a restart of a real API server."""

import uuid

import pytest

from e2e.benches import live_bench
from e2e.gateway_contract import DEPLOYMENT, SERVICE, new_model, seen
from e2e.manifests import deployment, desired, service
from qmo_cluster.cluster import Cluster

pytestmark = pytest.mark.e2e


async def test_caches_survive_a_restart_of_the_api_server(control_plane_with_crd: Cluster) -> None:
    """What changes right after the API server comes back is heard, and nothing is written twice."""
    namespace = f"outage-{uuid.uuid4().hex[:8]}"
    async with live_bench(str(control_plane_with_crd.kubeconfig), namespace) as bench:
        observed = await new_model(bench)
        wanted = desired(deployment(observed), service(observed))
        await bench.gateway.apply(observed, wanted)
        control_plane_with_crd.stop("kube-apiserver")
        control_plane_with_crd.start("kube-apiserver")
        await bench.delete(SERVICE)

        async def heard() -> bool:
            return set((await seen(bench)).children) == {DEPLOYMENT}

        await bench.until(heard)
        assert (await bench.gateway.apply(await seen(bench), wanted)).writes == 1
        assert (await bench.gateway.apply(await seen(bench), wanted)).writes == 0
