"""Bringing a cluster up and taking it down."""

import json
import shutil
from pathlib import Path

from qmo_cluster import addresses, control_plane, host, kwok, node, ownership
from qmo_cluster.building import ensure_programs
from qmo_cluster.cluster import Cluster
from qmo_cluster.commands import run
from qmo_cluster.credentials import write_credentials
from qmo_cluster.errors import fail
from qmo_cluster.images import ctr, image_names, load_images, write_pause_archive
from qmo_cluster.processes import ProcessSpec
from qmo_cluster.programs import Profile
from qmo_cluster.progress import Progress
from qmo_cluster.settings import NODE_NAME, Layout, Settings
from qmo_cluster.waiting import wait_until

# Services of the control plane profile lead nowhere: no proxy serves them.
_VIRTUAL_SERVICE_CIDR = "10.96.0.0/24"


def up(
    profile: Profile,
    directory: str | Path,
    *,
    audit: bool | None = None,
    gpu_nodes: int = 0,
    progress: Progress | None = None,
) -> Cluster:
    """Bring up a new, empty cluster in a state folder and return it when it is ready.

    What an earlier run left in this folder or of it on the machine is removed first; only imported
    images survive. `audit` is on by default in the control plane profile.

    Raises:
        ClusterError: with a sentence; the folder and its logs are left for reading.
    """
    progress = progress or Progress()
    layout = Layout.at(directory)
    _check_folder(layout)
    programs = ensure_programs(profile, progress)
    if profile is Profile.NODE:
        abandoned = ownership.check_free_for(layout)
        if abandoned is not None:
            progress.say(f"cleaning what a dead cluster in {abandoned.directory} left")
            _clean(abandoned)
    _clean(layout)
    _forget(layout, keep_images=True)
    settings = _prepare(profile, layout, audit=audit, programs=programs)
    cluster = Cluster(settings)
    _start_control_plane(cluster, progress)
    if profile is Profile.NODE:
        _start_node(cluster, progress)
    else:
        _start_kwok(cluster, gpu_nodes, progress)
    _write_environment(cluster)
    progress.say(f"ready: KUBECONFIG={cluster.kubeconfig}")
    return cluster


def down(
    directory: str | Path, *, keep_images: bool = False, progress: Progress | None = None
) -> None:
    """Take down whatever is left of a cluster and remove its state; safe to repeat.

    Raises:
        ClusterError: the folder is not a cluster's, or something stays mounted below it.
    """
    progress = progress or Progress()
    layout = Layout.at(directory)
    _check_folder(layout)
    _clean(layout)
    _forget(layout, keep_images=keep_images)
    progress.say(f"nothing runs any more of the cluster in {layout.directory}")


def _check_folder(layout: Layout) -> None:
    """A folder is used only when it is new, empty or ours: its contents will be deleted."""
    directory = layout.directory
    if not directory.exists() or layout.settings_file.exists():
        return
    left_by_keep_images = {layout.containerd.name}
    if {path.name for path in directory.iterdir()} <= left_by_keep_images:
        return
    fail(f"{directory} holds other files; name a new folder for the cluster.")


def _clean(layout: Layout) -> None:
    host.clean(layout)
    ownership.release(layout)


def _forget(layout: Layout, *, keep_images: bool) -> None:
    if not layout.directory.exists():
        return
    left = host.mounts_below(layout)
    if left:
        fail(f"{left[0]} is still mounted; the folder is left as it is.")
    # The marker goes last, so that an interrupted removal can be repeated.
    kept = {layout.settings_file.name} | ({layout.containerd.name} if keep_images else set())
    for path in layout.directory.iterdir():
        if path.name not in kept:
            _remove(path)
    layout.settings_file.unlink(missing_ok=True)
    if not any(layout.directory.iterdir()):
        layout.directory.rmdir()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _prepare(
    profile: Profile, layout: Layout, *, audit: bool | None, programs: list[Path]
) -> Settings:
    layout.directory.mkdir(parents=True, exist_ok=True)
    layout.directory.chmod(0o711)
    settings = _choose_settings(profile, layout, audit=audit)
    settings.save()
    layout.programs.mkdir()
    for program in programs:
        (layout.programs / program.name).symlink_to(program)
    files = {
        "audit-policy.json": json.dumps(control_plane.audit_policy(), indent=2),
        "kwok.yaml": "",
        **(node.config_files(settings) if profile is Profile.NODE else {}),
    }
    for name, text in files.items():
        path = layout.config / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    write_credentials(settings)
    return settings


def _choose_settings(profile: Profile, layout: Layout, *, audit: bool | None) -> Settings:
    if profile is Profile.CONTROL_PLANE:
        return Settings(
            profile=profile,
            directory=layout.directory,
            host="127.0.0.1",
            pod_cidr="",
            service_cidr=_VIRTUAL_SERVICE_CIDR,
            ports=addresses.free_ports(addresses.CONTROL_PLANE_PORTS, ["127.0.0.1"]),
            audit=True if audit is None else audit,
        )
    pods, services = addresses.free_ranges(layout.name, addresses.used_ranges())
    # The bridge has no address yet; a port that is free everywhere is free there.
    names = (*addresses.CONTROL_PLANE_PORTS, *addresses.NODE_PORTS)
    return Settings(
        profile=profile,
        directory=layout.directory,
        host=addresses.gateway_of(pods),
        pod_cidr=pods,
        service_cidr=services,
        ports=addresses.free_ports(names, ["0.0.0.0"]),  # noqa: S104 - a probe, closed at once
        audit=bool(audit),
    )


def _start(cluster: Cluster, spec: ProcessSpec) -> None:
    cluster.processes.start(spec)


def _start_control_plane(cluster: Cluster, progress: Progress) -> None:
    settings = cluster.settings
    if settings.profile is Profile.NODE:
        ownership.claim(settings.layout)
        host.prepare(settings)
        progress.say(f"bridge {settings.layout.name} has {settings.host}")
    _start(cluster, control_plane.etcd(settings))
    _start(cluster, control_plane.kube_apiserver(settings))
    cluster.wait_for_api()
    progress.say(f"API server ready at {settings.api_url}")
    _start(cluster, control_plane.kube_controller_manager(settings))
    _start(cluster, control_plane.kube_scheduler(settings))


def _wait_for_controllers(cluster: Cluster) -> None:
    def account_exists() -> bool:
        for name in control_plane.CONTROL_PLANE:
            cluster.processes.require_running(name)
        return cluster.api.exists("/api/v1/namespaces/default/serviceaccounts/default")

    wait_until("the default service account exists", account_exists, timeout_seconds=60)


def _start_kwok(cluster: Cluster, gpu_nodes: int, progress: Progress) -> None:
    cluster.api.create(
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", kwok.stage_definition()
    )
    cluster.wait_for_condition(
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/stages.kwok.x-k8s.io",
        "Established",
    )
    cluster.set_stages()
    _start(cluster, kwok.kwok(cluster.settings))
    _wait_for_controllers(cluster)
    progress.say("controllers run")
    if gpu_nodes:
        cluster.add_gpu_nodes(gpu_nodes)
        progress.say(f"{gpu_nodes} fake GPU nodes are Ready")


def _start_node(cluster: Cluster, progress: Progress) -> None:
    specs = node.process_specs(cluster.settings)
    for path, document in node.dns_objects(cluster.settings):
        cluster.api.create(path, document)
    _start(cluster, specs["containerd"])
    _prepare_runtime(cluster)
    progress.say("containerd ready")
    for name in node.NODE[1:]:
        _start(cluster, specs[name])

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


def _write_environment(cluster: Cluster) -> None:
    settings, layout = cluster.settings, cluster.layout
    document = {
        "profile": settings.profile.value,
        "directory": str(layout.directory),
        "kubeconfig": str(layout.kubeconfig),
        "apiUrl": settings.api_url,
        "caFile": str(layout.credentials / "ca.crt"),
        "auditLog": str(layout.audit_log) if settings.audit else None,
        "programs": str(layout.programs),
        "logs": str(layout.logs),
        "hostAddress": settings.host,
        "bridge": layout.name if settings.profile is Profile.NODE else None,
        "podCidr": settings.pod_cidr or None,
        "serviceCidr": settings.service_cidr,
        "dnsAddress": settings.dns_address if settings.profile is Profile.NODE else None,
        "etcdUrl": settings.etcd_url,
        "containerdSocket": (
            str(layout.runtime_socket) if settings.profile is Profile.NODE else None
        ),
    }
    layout.environment_file.write_text(json.dumps(document, indent=2) + "\n")
