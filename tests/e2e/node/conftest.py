"""The node, the hub and the chart for all tests on real pods, and a namespace for each."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.node.node_site import OPERATOR, Site, build_site
from e2e.node.space import Space
from hub import Access, Hub, running_hub
from qmo_cluster.cluster import Cluster
from qmo_demo import installation

TOKEN = "hub-token-of-the-tests"  # noqa: S105 - of a hub that ends with the tests
GATED = "zoo/gated"


@pytest.fixture(scope="session")
def hub_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the repositories of the hub."""
    return tmp_path_factory.mktemp("hub")


@pytest.fixture(scope="session")
def hub(node_cluster: Cluster, hub_root: Path) -> Iterator[Hub]:
    """A hub at an address of this machine that pods reach; one repository needs a token."""
    access = Access(gated={GATED: {TOKEN}})
    address = str(node_cluster.environment["hostAddress"])
    with running_hub(hub_root, access, host=address) as hub:
        yield hub


@pytest.fixture(scope="session")
def site(node_cluster: Cluster, hub: Hub, hub_root: Path) -> Site:
    """The node with the images and the chart."""
    return build_site(node_cluster, hub, hub_root)


def new_space(site: Site, folder: Path) -> Space:
    """A namespace that admits restricted pods only."""
    space = Space(site.cluster, f"zoo-{uuid.uuid4().hex[:8]}", OPERATOR, folder, site=site)
    site.kubernetes.apply(installation.namespace(space.namespace))
    return space


@pytest.fixture
def space(site: Site, tmp_path: Path) -> Iterator[Space]:
    """A namespace of its own."""
    space = new_space(site, tmp_path)
    yield space
    space.clear()


@pytest.fixture(scope="session")
def healthy(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    """A namespace in which the model ``otter`` serves, whatever happens elsewhere."""
    space = new_space(site, tmp_path_factory.mktemp("healthy"))
    space.claim_with("weights", {"tiny": space.tiny_copy})
    space.model("otter", space.spec("pvc://weights/tiny"))
    space.until_serving("otter")
    yield space
    space.clear()
