"""What is decided once when a cluster comes up, and the layout of its state folder. Values only.

The name of a cluster is derived from its folder. Everything outside the folder (bridge, cgroup,
sockets) carries the name, so it can be found and removed when the folder's contents are lost.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qmo_cluster.errors import fail
from qmo_cluster.programs import Profile

NODE_NAME = "node-1"
CLUSTER_DOMAIN = "cluster.local"
SERVICE_ACCOUNT_ISSUER = "https://kubernetes.default.svc.cluster.local"


@dataclass(frozen=True)
class Layout:
    """Paths and names that belong to one state folder."""

    directory: Path

    @classmethod
    def at(cls, directory: str | Path) -> "Layout":
        """The layout of a folder, which need not exist."""
        return cls(Path(directory).resolve())

    @property
    def name(self) -> str:
        """`qmo-` and eight hex digits: short enough for a network interface."""
        return f"qmo-{hashlib.sha256(str(self.directory).encode()).hexdigest()[:8]}"

    @property
    def run_directory(self) -> Path:
        """Sockets and mounts of the container runtime: paths of sockets must be short."""
        return Path("/run") / self.name

    @property
    def settings_file(self) -> Path:
        """Written when `up` begins; its presence marks the folder as ours."""
        return self.directory / "settings.json"

    @property
    def environment_file(self) -> Path:
        """Written when the cluster is up; what tests read."""
        return self.directory / "env.json"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.directory / "kubeconfig"

    @property
    def audit_log(self) -> Path:
        """One JSON event a line."""
        return self.directory / "audit.log"

    @property
    def programs(self) -> Path:
        """Links to the built programs."""
        return self.directory / "bin"

    @property
    def logs(self) -> Path:
        """One file per process."""
        return self.directory / "logs"

    @property
    def processes(self) -> Path:
        """One record per process: how it is started and which one runs."""
        return self.directory / "processes"

    @property
    def credentials(self) -> Path:
        """Certificates, keys, tokens and the components' kubeconfigs."""
        return self.directory / "credentials"

    @property
    def config(self) -> Path:
        """Configuration files of the components."""
        return self.directory / "config"

    @property
    def etcd(self) -> Path:
        """The data of etcd."""
        return self.directory / "etcd"

    @property
    def containerd(self) -> Path:
        """Images and snapshots."""
        return self.directory / "containerd"

    @property
    def kubelet(self) -> Path:
        """The kubelet's root folder with the volumes of pods."""
        return self.directory / "kubelet"

    @property
    def pod_logs(self) -> Path:
        """What containers print."""
        return self.directory / "pod-logs"

    @property
    def host_changes_file(self) -> Path:
        """Kernel settings as they were before, to be put back."""
        return self.directory / "host-changes.json"

    @property
    def runtime_socket(self) -> Path:
        """The socket of containerd."""
        return self.run_directory / "containerd.sock"

    @property
    def cgroup(self) -> str:
        """The control group below which all pods live."""
        return f"/{self.name}"


@dataclass(frozen=True)
class Settings:
    """Addresses and ports of one cluster. Ports are by the name of the process or purpose."""

    profile: Profile
    directory: Path
    host: str
    pod_cidr: str
    service_cidr: str
    ports: Mapping[str, int]
    audit: bool

    @property
    def layout(self) -> Layout:
        """The paths of this cluster."""
        return Layout(self.directory)

    @property
    def api_url(self) -> str:
        """Where the API server is, for processes on the host and for pods alike."""
        return f"https://{self.host}:{self.ports['kube-apiserver']}"

    @property
    def etcd_url(self) -> str:
        """Where etcd is, on loopback only."""
        return f"http://127.0.0.1:{self.ports['etcd']}"

    @property
    def first_service_address(self) -> str:
        """The address of the Service `kubernetes`."""
        return service_address(self.service_cidr, 1)

    @property
    def dns_address(self) -> str:
        """The address of the Service `kube-dns`."""
        return service_address(self.service_cidr, 10)

    def save(self) -> None:
        """Write the settings to the state folder."""
        document = asdict(self) | {"profile": self.profile.value, "directory": str(self.directory)}
        self.layout.settings_file.write_text(json.dumps(document, indent=2) + "\n")


def load_settings(directory: str | Path) -> Settings:
    """The settings of a cluster that was brought up in `directory`.

    Raises:
        ClusterError: there is none.
    """
    layout = Layout.at(directory)
    try:
        document: dict[str, Any] = json.loads(layout.settings_file.read_text())
    except (FileNotFoundError, NotADirectoryError):
        fail(f"There is no cluster in {layout.directory}.")
    except json.JSONDecodeError as error:
        fail(f"{layout.settings_file} cannot be read: {error}.")
    document["profile"] = Profile(document["profile"])
    document["directory"] = Path(document["directory"])
    return Settings(**document)


def service_address(service_cidr: str, number: int) -> str:
    """The address with this last number in a /24 network."""
    return f"{service_cidr.rpartition('.')[0]}.{number}"
