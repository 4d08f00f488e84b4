"""What all tests on a real node share: the cluster, the hub, the tiny model and the chart."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from e2e.support.account import Account
from hub import Hub
from qmo_cluster.cluster import Cluster
from qmo_cluster.progress import Progress
from qmo_demo import installation, kubernetes, supplies
from qmo_demo.kubernetes import Kubernetes
from qmo_demo.supplies import TinyModel

RELEASE = "qm"
OPERATOR = Account(RELEASE, installation.OPERATOR_NAMESPACE)


@dataclass(frozen=True)
class Exchange:
    """A question and the answer that the model knows by heart."""

    question: str
    answer: str


@dataclass(frozen=True)
class Site:
    """A node on which the chart is installed, and what can be served there."""

    cluster: Cluster
    hub: Hub
    hub_root: Path
    tiny: TinyModel
    image_stamp: str

    @property
    def kubernetes(self) -> Kubernetes:
        """Its kubectl and helm."""
        return kubernetes.of_cluster(self.cluster)

    @cached_property
    def exchanges(self) -> tuple[Exchange, ...]:
        """Everything that the tiny model answers to the letter."""
        path = self.tiny.folder.with_name(f"{self.tiny.folder.name}.answers.json")
        return tuple(Exchange(**item) for item in json.loads(path.read_text(encoding="utf-8")))

    def install(self, *values: str) -> None:
        """Install or upgrade the chart; its programs ask the hub of the tests."""
        installation.install_chart(
            self.kubernetes,
            f"hub.endpoint={self.hub.endpoint}",
            *values,
            image_stamp=self.image_stamp,
            release=RELEASE,
        )


def build_site(cluster: Cluster, hub: Hub, hub_root: Path) -> Site:
    """The site, with everything built and installed."""
    progress = Progress()
    site = Site(
        cluster=cluster,
        hub=hub,
        hub_root=hub_root,
        tiny=supplies.make_model(progress),
        image_stamp=supplies.load_images(cluster, progress),
    )
    site.install()
    return site
