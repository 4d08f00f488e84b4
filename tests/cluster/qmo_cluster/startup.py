"""Starts the processes of a prepared cluster in order and waits until each part is usable."""

from qmo_cluster import control_plane, host, kwok, node, ownership
from qmo_cluster.cluster import Cluster
from qmo_cluster.commands import run
from qmo_cluster.images import ctr, image_names, load_images, write_pause_archive
from qmo_cluster.programs import Profile
from qmo_cluster.progress import Progress
from qmo_cluster.settings import NODE_NAME
from qmo_cluster.waiting import wait_until


def start_control_plane(cluster: Cluster, progress: Progress) -> None:
    """Etcd and the API server until it is ready, then the controllers and the scheduler."""
    settings = cluster.settings
    if settings.profile is Profile.NODE:
        ownership.claim(settings.layout)
        host.prepare(settings)
        progress.say(f"bridge {settings.layout.name} has {settings.host}")
    cluster.processes.start(control_plane.etcd(settings))
    cluster.processes.start(control_plane.kube_apiserver(settings))
    cluster.wait_for_api()
    progress.say(f"API server ready at {settings.api_url}")
    cluster.processes.start(control_plane.kube_controller_manager(settings))
    cluster.processes.start(control_plane.kube_scheduler(settings))


def _wait_for_controllers(cluster: Cluster) -> None:
    def account_exists() -> bool:
        for name in control_plane.CONTROL_PLANE:
            cluster.processes.require_running(name)
        return cluster.api.exists("/api/v1/namespaces/default/serviceaccounts/default")

    wait_until("the default service account exists", account_exists, timeout_seconds=60)


def start_kwok(cluster: Cluster, gpu_nodes: int, progress: Progress) -> None:
    """The stages, kwok, and some fake nodes with one L4 each."""
    cluster.api.create(
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", kwok.stage_definition()
    )
    cluster.wait_for_condition(
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/stages.kwok.x-k8s.io",
        "Established",
    )
    cluster.set_stages()
    cluster.processes.start(kwok.kwok(cluster.settings))
    _wait_for_controllers(cluster)
    progress.say("controllers run")
    if gpu_nodes:
        cluster.add_gpu_nodes(gpu_nodes)
        progress.say(f"{gpu_nodes} fake GPU nodes are Ready")


def start_node(cluster: Cluster, progress: Progress) -> None:
    """The container runtime, then the kubelet and the network, until the node is Ready."""
    specs = node.process_specs(cluster.settings)
    for path, document in node.dns_objects(cluster.settings):
        cluster.api.create(path, document)
    cluster.processes.start(specs["containerd"])
    _prepare_runtime(cluster)
    progress.say("containerd ready")
    for name in node.NODE[1:]:
        cluster.processes.start(specs[name])

    def node_ready() -> bool:
        for name in node.NODE:
            cluster.processes.require_running(name)
        return cluster.api.exists(f"/api/v1/nodes/{NODE_NAME}")

    wait_until("the kubelet registers its node", node_ready, timeout_seconds=90)
    cluster.wait_for_condition(f"/api/v1/nodes/{NODE_NAME}", "Ready", timeout_seconds=120)
    _wait_for_controllers(cluster)
    progress.say("node Ready")


def _prepare_runtime(cluster: Cluster) -> None:
    """Wait for containerd, drop containers of an earlier run, import the pause image."""
    layout = cluster.layout

    def answers() -> bool:
        cluster.processes.require_running("containerd")
        return run([*ctr(layout), "version"], check=False).returncode == 0

    wait_until("containerd answers", answers, timeout_seconds=60)
    old = run([*ctr(layout), "containers", "list", "--quiet"]).stdout.split()
    if old:
        run([*ctr(layout), "containers", "delete", *old])
    if node.PAUSE_IMAGE not in image_names(layout):
        archive = layout.directory / "pause.tar"
        write_pause_archive(layout.programs / "pause", archive)
        load_images(layout, [archive])
        archive.unlink()
