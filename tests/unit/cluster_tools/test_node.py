"""The node's configuration keeps within the cluster's own folders and names."""

import json
import tomllib
from pathlib import Path

import pytest

from qmo_cluster import control_plane, node
from qmo_cluster.addresses import CONTROL_PLANE_PORTS, NODE_PORTS
from qmo_cluster.programs import Profile
from qmo_cluster.settings import Settings


@pytest.fixture
def settings() -> Settings:
    """Settings with a port for every name."""
    names = (*CONTROL_PLANE_PORTS, *NODE_PORTS)
    return Settings(
        profile=Profile.NODE,
        directory=Path("/var/tmp/otter"),  # noqa: S108 - never made
        host="10.201.0.1",
        pod_cidr="10.201.0.0/24",
        service_cidr="10.201.128.0/24",
        ports={name: 21000 + number for number, name in enumerate(names)},
        audit=False,
    )


def test_containerd_keeps_to_its_folders(settings: Settings) -> None:
    """Every path and socket of containerd is below a folder that carries the cluster's name."""
    config = tomllib.loads(node.containerd_config(settings))
    runtime = config["plugins"]["io.containerd.cri.v1.runtime"]
    own = (str(settings.directory), str(settings.layout.run_directory))

    paths = [
        config["root"],
        config["state"],
        config["grpc"]["address"],
        config["plugins"]["io.containerd.internal.v1.opt"]["path"],
        runtime["cni"]["conf_dir"],
        runtime["containerd"]["runtimes"]["runc"]["options"]["Root"],
    ]

    assert all(path.startswith(own) for path in paths)
    assert runtime["netns_mounts_under_state_dir"] is True
    assert runtime["restrict_oom_score_adj"] is True


def test_the_kubelet_runs_on_old_and_odd_hosts(settings: Settings) -> None:
    """Cgroup v1, swap and full disks do not stop it, and its pods have a group of their own."""
    config = node.kubelet_config(settings)

    assert config["failCgroupV1"] is False
    assert config["failSwapOn"] is False
    assert config["cgroupRoot"] == f"/{settings.layout.name}"
    assert config["podLogsDir"].startswith(str(settings.directory))
    assert config["makeIPTablesUtilChains"] is False


def test_pods_have_no_way_out(settings: Settings) -> None:
    """A pod's only route beyond the bridge leads to services, without masquerading."""
    (bridge,) = node.network_config(settings)["plugins"]

    assert bridge["ipMasq"] is False
    assert bridge["ipam"]["routes"] == [{"dst": settings.service_cidr}]


def test_json_files_are_json(settings: Settings) -> None:
    """Every configuration file that claims to be JSON is."""
    files = node.config_files(settings)

    documents = [
        json.loads(text) for name, text in files.items() if name.endswith((".json", ".conflist"))
    ]

    assert len(documents) == 3


def test_names_outside_the_cluster_do_not_exist(settings: Settings) -> None:
    """CoreDNS answers for the cluster's domain and denies every other name."""
    blocks = node.corefile(settings).split("}\n.:")

    assert "kubernetes {" in blocks[0]
    assert "NXDOMAIN" not in blocks[0]
    assert "NXDOMAIN" in blocks[1]


def test_no_process_listens_for_strangers(settings: Settings) -> None:
    """No process is told to listen on all addresses."""
    specs = [
        control_plane.etcd(settings),
        control_plane.kube_apiserver(settings),
        control_plane.kube_controller_manager(settings),
        control_plane.kube_scheduler(settings),
        *node.process_specs(settings).values(),
    ]
    words = [word for spec in specs for word in spec.argv]

    assert not [word for word in words if "0.0.0.0" in word]  # noqa: S104 - what must not be
    assert "--bind-address=10.201.0.1" in words


def test_the_audit_log_is_an_option(settings: Settings) -> None:
    """Without audit the API server is given no audit flag."""
    assert not [w for w in control_plane.kube_apiserver(settings).argv if "audit" in w]
