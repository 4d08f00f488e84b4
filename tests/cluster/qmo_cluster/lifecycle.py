"""Bringing a cluster up and taking it down."""

import json
import shutil
from pathlib import Path

from qmo_cluster import addresses, control_plane, host, node, ownership
from qmo_cluster.building import ensure_programs
from qmo_cluster.cluster import Cluster
from qmo_cluster.credentials import write_credentials
from qmo_cluster.errors import fail
from qmo_cluster.programs import Profile
from qmo_cluster.progress import Progress
from qmo_cluster.settings import Layout, Settings
from qmo_cluster.startup import start_control_plane, start_kwok, start_node

# Services of the control plane profile lead nowhere: no proxy serves them.
_VIRTUAL_SERVICE_CIDR = "10.96.0.0/20"
# A socket's path has at most 107 characters; the kubelet makes kubelet/pod-resources/kubelet.sock.
_LONGEST_DIRECTORY = 107 - len("/kubelet/pod-resources/kubelet.sock")


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
    if layout.settings_file.exists():
        progress.say("cleaning what an earlier run left")
    _clean(layout)
    _forget(layout, keep_images=True)
    settings = _prepare(profile, layout, audit=audit, programs=programs)
    cluster = Cluster(settings)
    start_control_plane(cluster, progress)
    if profile is Profile.NODE:
        start_node(cluster, progress)
    else:
        start_kwok(cluster, gpu_nodes, progress)
    _write_environment(cluster)
    progress.say(f"ready: KUBECONFIG={cluster.kubeconfig}")
    return cluster


def down(
    directory: str | Path, *, keep_images: bool = False, progress: Progress | None = None
) -> None:
    """Take down whatever is left of a cluster and remove its state; safe to repeat.

    Raises:
        ClusterError: the folder is not a cluster's, or something of it could not be removed.
    """
    progress = progress or Progress()
    layout = Layout.at(directory)
    _check_folder(layout)
    _clean(layout)
    _forget(layout, keep_images=keep_images)
    left = host.leftovers(layout)
    if left:
        fail(f"Something of the cluster is left: {', '.join(left)}.")
    progress.say(f"nothing runs any more of the cluster in {layout.directory}")


def _check_folder(layout: Layout) -> None:
    """A folder is used only when it is new, empty or ours: its contents will be deleted."""
    directory = layout.directory
    if len(str(directory)) > _LONGEST_DIRECTORY:
        fail(f"{directory} is too long a path: sockets below it could not be named.")
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
