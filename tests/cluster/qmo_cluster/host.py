"""What a node changes outside its folder: bridge, route, control group, kernel settings.

`prepare` makes it, `clean` takes away what is left of it, whether or not the processes had a
chance to. Everything is found by the cluster's name or by being below its folders; nothing else
is touched.
"""

import contextlib
import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from qmo_cluster.addresses import gateway_of
from qmo_cluster.commands import run
from qmo_cluster.errors import fail
from qmo_cluster.processes import (
    Processes,
    Running,
    end_processes,
    marked_processes,
    start_time,
)
from qmo_cluster.settings import Layout, Settings
from qmo_cluster.waiting import wait_until

_CGROUP_ROOT = Path("/sys/fs/cgroup")
_SYSCTLS = Path("/proc/sys")
# Written by the CNI bridge plugin, the kubelet and kube-proxy.
_CHANGED_SYSCTLS = (
    "net/ipv4/ip_forward",
    "net/ipv4/conf/all/route_localnet",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
# Folders of the whole machine that the node's programs make, the deepest first.
_DEVICE_PLUGINS = "/var/lib/kubelet/device-plugins"
_SHARED_FOLDERS = (
    "/run/containerd/s",
    "/run/containerd",
    "/var/lib/cni/results",
    "/var/lib/cni",
    _DEVICE_PLUGINS,
    "/var/lib/kubelet",
    "/var/log/containers",
)
_CNI_RESULTS = Path("/var/lib/cni/results")
_CONTAINER_LOG_LINKS = Path("/var/log/containers")


def prepare(settings: Settings) -> None:
    """Make the bridge with its address, the services' route and the pods' control group."""
    layout = settings.layout
    layout.run_directory.mkdir(mode=0o711, exist_ok=True)
    changes = {
        "sysctls": {key: _read_sysctl(key) for key in _CHANGED_SYSCTLS},
        "newFolders": [folder for folder in _SHARED_FOLDERS if not Path(folder).exists()],
    }
    layout.host_changes_file.write_text(json.dumps(changes, indent=2) + "\n")
    name, gateway = layout.name, gateway_of(settings.pod_cidr)
    if not (_SYSCTLS / "net/bridge").exists():
        run(["modprobe", "br_netfilter"])
    run(["ip", "link", "add", name, "type", "bridge"])
    # Answers of a pod to another pod on the same bridge must pass the address translation too.
    (_SYSCTLS / "net/ipv4/ip_forward").write_text("1")
    run(["ip", "link", "set", name, "type", "bridge", "nf_call_iptables", "1"])
    run(["ip", "address", "add", f"{gateway}/24", "dev", name])
    run(["ip", "link", "set", name, "up"])
    # Without it, a host that has no default route refuses services' addresses untranslated.
    run(["ip", "route", "add", settings.service_cidr, "dev", name, "src", gateway])
    for hierarchy in _cgroup_hierarchies():
        _offer_controllers(hierarchy)
        (hierarchy / name).mkdir(exist_ok=True)


def clean(layout: Layout) -> None:
    """Remove everything of a cluster but its folder; safe to repeat, whatever is missing.

    Raises:
        ClusterError: something stays mounted below the folder.
    """
    # The kubelet before its pods, or it starts them again; shims last, they reap their containers.
    end_processes(Processes(layout).all_running(), patience_seconds=0)
    for members in _cgroup_members(layout):
        end_processes(members, patience_seconds=0)
    end_processes(marked_processes(layout), patience_seconds=0)
    if os.geteuid() != 0:
        # Only root makes more than processes, and others may not even look.
        return
    _unmount(layout)
    _remove_links(layout)
    _remove_cgroups(layout)
    _remove_runtime_files(layout)
    _undo_changes(layout)


def mounts_below(layout: Layout) -> list[Path]:
    """Mount points below the cluster's folders, the deepest first."""
    roots = (layout.directory, layout.run_directory)
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        # Blanks in paths are written as octal escapes.
        point = Path(line.split()[4].encode().decode("unicode_escape"))
        if any(root in point.parents for root in roots):
            found.append(point)
    return sorted(found, key=lambda path: len(path.parts), reverse=True)


def leftovers(layout: Layout) -> list[str]:
    """What is still there of a cluster outside its folder, one short text each."""
    found = [f"mount {point}" for point in mounts_below(layout)]
    found += [f"process {process.pid}" for process in marked_processes(layout)]
    found += [f"control group {folder}" for folder in _cgroup_folders(layout)]
    if os.access(_CNI_RESULTS, os.R_OK):
        found += [f"file {path}" for path in _CNI_RESULTS.glob(f"{layout.name}-*")]
    if bridge_exists(layout):
        found.append(f"bridge {layout.name}")
    if layout.run_directory.exists():
        found.append(f"folder {layout.run_directory}")
    return found


def bridge_exists(layout: Layout) -> bool:
    """Whether the cluster's bridge is there."""
    return any(name == layout.name for _, name in socket.if_nameindex())


def _unmount(layout: Layout) -> None:
    for point in mounts_below(layout):
        # Lazily when something still looks at it; gone from the tree either way.
        if run(["umount", point], check=False).returncode != 0:
            run(["umount", "--lazy", point], check=False)
    left = mounts_below(layout)
    if left:
        fail(f"{left[0]} cannot be unmounted; the folder is left as it is.")


def _remove_links(layout: Layout) -> None:
    if not bridge_exists(layout):
        return
    listing = run(["ip", "-json", "link", "show", "master", layout.name], check=False).stdout
    for link in json.loads(listing or "[]"):
        run(["ip", "link", "delete", link["ifname"]], check=False)
    run(["ip", "link", "delete", layout.name])


def _cgroup_hierarchies() -> list[Path]:
    """The root itself with cgroup v2, else one folder per controller; aliases once."""
    if not _CGROUP_ROOT.is_dir():
        return []
    if (_CGROUP_ROOT / "cgroup.controllers").exists():
        return [_CGROUP_ROOT]
    return [path for path in sorted(_CGROUP_ROOT.iterdir()) if not path.is_symlink()]


def _offer_controllers(hierarchy: Path) -> None:
    """With cgroup v2, let child groups have every controller; the kubelet insists on some."""
    offered = hierarchy / "cgroup.controllers"
    for controller in offered.read_text().split() if offered.exists() else []:
        with contextlib.suppress(OSError):
            (hierarchy / "cgroup.subtree_control").write_text(f"+{controller}")


def _cgroup_folders(layout: Layout) -> Iterator[Path]:
    """Our control groups, the deepest first."""
    for hierarchy in _cgroup_hierarchies():
        for folder, _, _ in os.walk(hierarchy / layout.name, topdown=False):
            yield Path(folder)


def _cgroup_members(layout: Layout) -> Iterator[list[Running]]:
    """The processes of pods, asked anew until none is left: a fork may slip through one look."""
    while True:
        pids: set[int] = set()
        for folder in _cgroup_folders(layout):
            with contextlib.suppress(OSError):
                pids |= {int(line) for line in (folder / "cgroup.procs").read_text().split()}
        members = [Running(pid, started) for pid in pids if (started := start_time(pid))]
        if not members:
            return
        yield members


def _remove_cgroups(layout: Layout) -> None:
    def gone() -> bool:
        for folder in _cgroup_folders(layout):
            with contextlib.suppress(OSError):
                folder.rmdir()
        return not any(_cgroup_folders(layout))

    wait_until(f"control groups named {layout.name} are removed", gone, timeout_seconds=10)


def _remove_runtime_files(layout: Layout) -> None:
    for record in layout.run_directory.rglob("bootstrap.json"):
        # Shims listen in a folder that all containerds of a machine share.
        with contextlib.suppress(OSError, ValueError, KeyError):
            address = json.loads(record.read_text())["address"]
            Path(address.removeprefix("unix://")).unlink(missing_ok=True)
    for result in _CNI_RESULTS.glob(f"{layout.name}-*"):
        result.unlink()
    if _CONTAINER_LOG_LINKS.is_dir():
        for link in _CONTAINER_LOG_LINKS.iterdir():
            if link.is_symlink() and layout.pod_logs in link.readlink().parents:
                link.unlink()
    shutil.rmtree(layout.run_directory, ignore_errors=True)


def _read_sysctl(key: str) -> str | None:
    path = _SYSCTLS / key
    return path.read_text().strip() if path.exists() else None


def _undo_changes(layout: Layout) -> None:
    try:
        changes = json.loads(layout.host_changes_file.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return
    for key, value in changes.get("sysctls", {}).items():
        if value is not None and _read_sysctl(key) != value:
            with contextlib.suppress(OSError):
                (_SYSCTLS / key).write_text(value)
    folders = changes.get("newFolders", [])
    if _DEVICE_PLUGINS in folders:
        # A kubelet that was killed leaves its socket.
        shutil.rmtree(_DEVICE_PLUGINS, ignore_errors=True)
    for folder in folders:
        # Only empty ones go.
        with contextlib.suppress(OSError):
            Path(folder).rmdir()
    layout.host_changes_file.unlink()
