"""Smoke test of the node profile: pods, network, volumes, and the traces of a killed cluster."""

import http.server
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from qmo_cluster import host, ownership
from qmo_cluster.cluster import Cluster
from qmo_cluster.commands import run
from qmo_cluster.errors import ClusterError
from qmo_cluster.images import image_names, write_archive
from qmo_cluster.lifecycle import down, up
from qmo_cluster.processes import end_processes, marked_processes
from qmo_cluster.programs import Profile
from qmo_cluster.settings import NODE_NAME, Layout
from smoke.workloads import DEPLOYMENTS, ECHO_IMAGE, PODS, SERVICES, get, serve_echo

pytestmark = pytest.mark.node

_ECHO_SOURCES = Path(__file__).parent / "echo"


@pytest.fixture(scope="module")
def echo_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image from nothing with the static echo program."""
    folder = tmp_path_factory.mktemp("echo")
    run(
        ["go", "build", "-C", _ECHO_SOURCES, "-trimpath", "-o", folder / "echo", "."],
        env={**os.environ, "CGO_ENABLED": "0"},
        timeout_seconds=300,
    )
    archive = folder / "echo.tar"
    write_archive(archive, name=ECHO_IMAGE, files={"echo": folder / "echo"}, entrypoint=["/echo"])
    return archive


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of the only node cluster of this module."""
    return tmp_path_factory.mktemp("clusters") / "node"


@pytest.fixture(scope="module")
def cluster(directory: Path, echo_archive: Path) -> Iterator[Cluster]:
    """A node that has the echo image."""
    try:
        running = up(Profile.NODE, directory)
        running.load_image(echo_archive)
        yield running
    finally:
        down(directory)
    assert host.leftovers(Layout.at(directory)) == []
    assert ownership.owner() is None
    assert "kube-proxy" not in run(["nft", "list", "tables"]).stdout


@pytest.fixture
def echo(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a Service in front of two pods, gone after the test."""
    name = request.node.name.replace("_", "-")[:50].rstrip("-")
    yield serve_echo(cluster, name, replicas=2)
    cluster.api.delete(f"{DEPLOYMENTS}/{name}")
    cluster.api.delete(f"{SERVICES}/{name}")


def test_services_answer(cluster: Cluster, echo: str) -> None:
    """Both pods answer through the Service's address, from the host and by DNS name from a pod."""
    names = {pod["metadata"]["name"] for pod in cluster.api.get(PODS)["items"]}

    assert {get(echo)[1] for _ in range(40)} <= names
    for url in (
        "http://test-services-answer/",
        "http://test-services-answer.default.svc.cluster.local/",
    ):
        # Pods on one bridge, and pods that reach themselves, need the translation both ways.
        answers = {get(echo, "/fetch", url=url) for _ in range(40)}
        assert {status for status, _ in answers} == {200}
        assert len({body for _, body in answers}) == 2


def test_pods_reach_the_host_but_nothing_beyond(cluster: Cluster, echo: str) -> None:
    """A pod reaches a server on the bridge's address; it has no route and no names beyond."""
    server = http.server.HTTPServer(
        (cluster.settings.host, 0), http.server.SimpleHTTPRequestHandler
    )
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    url = f"http://{cluster.settings.host}:{server.server_port}/missing"
    assert get(echo, "/fetch", url=url)[0] == 404
    thread.join()
    server.server_close()

    assert "network is unreachable" in get(echo, "/fetch", url="http://192.0.2.1/")[1]
    assert "no such host" in get(echo, "/fetch", url="http://example.org/")[1]


def test_a_pod_is_its_service_account(cluster: Cluster, echo: str) -> None:
    """A pod reaches the API by the Service `kubernetes` and has its service account's rights."""
    assert get(echo, "/api", of="/readyz") == (200, "ok")
    status, body = get(echo, "/api", of="/api/v1/nodes")

    assert status == 403
    assert "system:serviceaccount:default:default" in body
    assert cluster.api.exists(f"/api/v1/nodes/{NODE_NAME}")


def test_logs_and_exec_pass_the_kubelet(cluster: Cluster, echo: str) -> None:
    """The API server reads logs and runs commands by the kubelet's verified certificate."""
    assert get(echo)[0] == 200
    name = "deployment/test-logs-and-exec-pass-the-kubelet"

    assert "listening" in cluster.kubectl("logs", name).stdout
    assert "address already in use" in cluster.kubectl("exec", name, "--", "/echo").stdout


def test_a_claim_is_a_folder_of_the_host(cluster: Cluster, tmp_path: Path) -> None:
    """A pod writes to a claim on a local volume, and the file is in the host's folder."""
    tmp_path.chmod(0o777)
    affinity = {
        "required": {
            "nodeSelectorTerms": [
                {
                    "matchExpressions": [
                        {
                            "key": "kubernetes.io/hostname",
                            "operator": "In",
                            "values": [NODE_NAME],
                        }
                    ]
                }
            ]
        }
    }
    size = {"storage": "1Gi"}
    cluster.api.create(
        "/api/v1/persistentvolumes",
        {
            "metadata": {"name": "folder"},
            "spec": {
                "capacity": size,
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "",
                "persistentVolumeReclaimPolicy": "Retain",
                "local": {"path": str(tmp_path)},
                "nodeAffinity": affinity,
            },
        },
    )
    cluster.api.create(
        "/api/v1/namespaces/default/persistentvolumeclaims",
        {
            "metadata": {"name": "folder"},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "",
                "volumeName": "folder",
                "resources": {"requests": size},
            },
        },
    )
    claim = {"name": "data", "persistentVolumeClaim": {"claimName": "folder"}}
    mount = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    address = serve_echo(cluster, "claim", pod={"volumes": [claim], "container": mount})

    assert get(address, "/write", to="/data/note")[0] == 200

    assert (tmp_path / "note").read_text() == "written\n"
    cluster.api.delete(f"{DEPLOYMENTS}/claim")
    cluster.api.delete(f"{SERVICES}/claim")


@pytest.mark.usefixtures("cluster")
def test_one_node_cluster_fits_a_machine(directory: Path, tmp_path: Path) -> None:
    """A second node cluster is refused by name of the first, which keeps running."""
    try:
        with pytest.raises(ClusterError, match=str(directory)):
            up(Profile.NODE, tmp_path / "other")
    finally:
        down(tmp_path / "other")

    assert not (tmp_path / "other").exists()
    assert Cluster.open(directory).api.is_ready()


def test_a_killed_cluster_is_cleaned_and_comes_up_again(cluster: Cluster, directory: Path) -> None:
    """With all processes killed, `up` in the same folder cleans, keeps images and works."""
    layout = cluster.layout
    serve_echo(cluster, "before")
    end_processes(marked_processes(layout), patience_seconds=0)
    assert host.mounts_below(layout)
    assert host.bridge_exists(layout)

    again = up(Profile.NODE, directory)

    assert not again.api.exists(f"{DEPLOYMENTS}/before")
    assert ECHO_IMAGE in image_names(layout)
    assert get(serve_echo(again, "after"))[0] == 200
    # The module's other tests go on with the new cluster.
    cluster.settings = again.settings


def test_a_dead_cluster_elsewhere_is_cleaned(
    cluster: Cluster, directory: Path, echo_archive: Path, tmp_path: Path
) -> None:
    """What a dead cluster of another folder left, even a deleted one, does not hinder a new one."""
    end_processes(marked_processes(cluster.layout), patience_seconds=0)
    moved = tmp_path / "moved"
    try:
        up(Profile.NODE, moved)
        assert host.leftovers(cluster.layout) == []
    finally:
        down(moved)
    again = up(Profile.NODE, directory)
    again.load_image(echo_archive)
    cluster.settings = again.settings


def test_buildah_images_are_imported(cluster: Cluster, tmp_path: Path) -> None:
    """An OCI archive that buildah made is imported under its name."""
    image, archive = "localhost/from-buildah:1", tmp_path / "image.tar"
    storage = ["--root", f"{tmp_path}/storage", "--runroot", f"{tmp_path}/run",
               "--storage-driver", "vfs"]  # fmt: skip
    shutil.copy(_ECHO_SOURCES / "go.mod", tmp_path / "file")
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY file /file\n")
    run(["buildah", *storage, "bud", "--isolation", "chroot", "--tag", image, tmp_path])
    run(["buildah", *storage, "push", "--disable-compression", image,
         f"oci-archive:{archive}:{image}"])  # fmt: skip

    done = subprocess.run(  # noqa: S603 - the command of this package
        ["/usr/bin/env", "python3", "-m", "qmo_cluster", "load-image",
         "--dir", str(cluster.layout.directory), str(archive)],
        cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert image in done.stdout
    assert image in image_names(cluster.layout)
