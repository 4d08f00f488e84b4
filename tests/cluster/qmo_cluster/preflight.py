"""What this machine lacks for a cluster: one sentence each, each with what to do."""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from qmo_cluster.building import TOOLS_DIRECTORY, cache_directory, programs_are_built
from qmo_cluster.commands import run
from qmo_cluster.errors import fail
from qmo_cluster.programs import Profile
from qmo_cluster.progress import Progress

GIB = 2**30
_SEARCH_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/lib/cni:/opt/cni/bin"
_BUILD_GIB = 16
_CLUSTER_GIB = 2
_VLLM_GIB = 12
_MEMORY_GIB = {Profile.CONTROL_PLANE: 2, Profile.NODE: 3}
_VLLM_MEMORY_GIB = 8
_INSTALL_TIMEOUT_SECONDS = 900


@dataclass(frozen=True)
class Needed:
    """A program and the Debian package that has it."""

    program: str
    package: str


_EVERYWHERE = (Needed("openssl", "openssl"),)
_ON_NODES = (
    Needed("runc", "runc"),
    Needed("bridge", "containernetworking-plugins"),
    Needed("nft", "nftables"),
    Needed("ip", "iproute2"),
    Needed("umount", "mount"),
    Needed("modprobe", "kmod"),
)
# To build the images that a node runs.
_FOR_IMAGES = (
    Needed("buildah", "buildah"),
    Needed("debootstrap", "debootstrap"),
)


@dataclass(frozen=True)
class Machine:
    """What is known of a machine; tests make their own."""

    is_root: bool
    has_go: bool
    programs_are_built: bool
    free_disk_bytes: int
    available_memory_bytes: int
    cpu_flags: frozenset[str]
    drops_forwarded_packets: bool
    has_program: Callable[[str], bool]


def this_machine(profile: Profile) -> Machine:
    """The machine we run on."""
    return Machine(
        is_root=os.geteuid() == 0,
        has_go=shutil.which("go") is not None,
        programs_are_built=programs_are_built(profile),
        free_disk_bytes=_free_disk_bytes(cache_directory()),
        available_memory_bytes=_available_memory_bytes(),
        cpu_flags=_cpu_flags(),
        drops_forwarded_packets=_drops_forwarded_packets(),
        has_program=lambda name: shutil.which(name, path=_SEARCH_PATH) is not None,
    )


def problems(
    profile: Profile, *, with_vllm: bool = False, machine: Machine | None = None
) -> list[str]:
    """One sentence for each thing that is missing; empty when the cluster can come up."""
    machine = machine or this_machine(profile)
    found = []
    if profile is Profile.NODE and not machine.is_root:
        found.append("The node profile needs root: it makes mounts, a bridge and control groups.")
    if not machine.has_go and not machine.programs_are_built:
        found.append(f"Go is missing: it builds the programs of {TOOLS_DIRECTORY.name}/ once.")
    found += [
        f"The program {needed.program} is missing: install the Debian package "
        f"{needed.package}, or run this with --install."
        for needed in missing_programs(profile, machine)
    ]
    if profile is Profile.NODE and machine.drops_forwarded_packets:
        found.append(
            "The firewall drops forwarded packets, so pods cannot reach each other: "
            "set `iptables --policy FORWARD ACCEPT`."
        )
    found += _sizes(profile, machine, with_vllm=with_vllm)
    if with_vllm and "avx512f" not in machine.cpu_flags:
        found.append("This CPU has no AVX-512F, which vLLM for CPUs needs.")
    return found


def missing_programs(profile: Profile, machine: Machine) -> list[Needed]:
    """The programs of Debian packages that a profile needs and the machine lacks."""
    needed = _EVERYWHERE + ((*_ON_NODES, *_FOR_IMAGES) if profile is Profile.NODE else ())
    return [item for item in needed if not machine.has_program(item.program)]


def install_missing_packages(profile: Profile, progress: Progress) -> None:
    """Install what is missing with apt-get.

    Raises:
        ClusterError: not root, no apt-get, or the installation fails.
    """
    packages = sorted({item.package for item in missing_programs(profile, this_machine(profile))})
    if not packages:
        return
    if os.geteuid() != 0:
        fail(f"Only root can install packages; missing are {', '.join(packages)}.")
    progress.say(f"installing {', '.join(packages)}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command: Sequence[str] = ("apt-get", "install", "--yes", "--no-install-recommends", *packages)
    run(["apt-get", "update"], env=env, timeout_seconds=_INSTALL_TIMEOUT_SECONDS)
    run(command, env=env, timeout_seconds=_INSTALL_TIMEOUT_SECONDS)


def _sizes(profile: Profile, machine: Machine, *, with_vllm: bool) -> list[str]:
    disk = _CLUSTER_GIB + (0 if machine.programs_are_built else _BUILD_GIB)
    disk += _VLLM_GIB if with_vllm else 0
    memory = _MEMORY_GIB[profile] + (_VLLM_MEMORY_GIB if with_vllm else 0)
    found = []
    for what, has, needs in (
        ("disk space is free", machine.free_disk_bytes, disk),
        ("memory is available", machine.available_memory_bytes, memory),
    ):
        if has < needs * GIB:
            found.append(f"Only {has / GIB:.1f} GiB of {what}; {needs} GiB are needed.")
    return found


def _drops_forwarded_packets() -> bool:
    if os.geteuid() != 0 or shutil.which("iptables", path=_SEARCH_PATH) is None:
        return False
    listing = run(["iptables", "--list-rules", "FORWARD"], check=False).stdout
    return "--policy FORWARD DROP" in listing or "-P FORWARD DROP" in listing


def _free_disk_bytes(directory: Path) -> int:
    while not directory.exists():
        directory = directory.parent
    return shutil.disk_usage(directory).free


def _available_memory_bytes() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def _cpu_flags() -> frozenset[str]:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("flags"):
            return frozenset(line.partition(":")[2].split())
    return frozenset()
