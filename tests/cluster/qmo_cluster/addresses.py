"""Chooses free ports and, for the node profile, address ranges that nothing here uses."""

import ipaddress
import json
import secrets
import socket
from collections.abc import Iterable, Sequence

from qmo_cluster.commands import run
from qmo_cluster.errors import fail

# Below the range from which the kernel takes the local ports of outgoing connections.
_FIRST_PORT, _LAST_PORT = 20000, 29999
_PORT_ATTEMPTS = 2000
# One range 10.N.0.0/16 per cluster: pods in the first /24, services in the 128th.
_FIRST_RANGE, _RANGES = 200, 50

CONTROL_PLANE_PORTS = (
    "etcd",
    "etcd-peer",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
)
NODE_PORTS = (
    "kubelet",
    "kubelet-health",
    "kube-proxy-health",
    "kube-proxy-metrics",
    "coredns",
    "coredns-health",
)


def free_ports(names: Iterable[str], hosts: Sequence[str]) -> dict[str, int]:
    """A port for each name that no one listens on at any of the host addresses.

    Raises:
        ClusterError: hardly any port is free.
    """
    ports: dict[str, int] = {}
    for name in names:
        for _ in range(_PORT_ATTEMPTS):
            port = _FIRST_PORT + secrets.randbelow(_LAST_PORT - _FIRST_PORT + 1)
            if port not in ports.values() and all(_is_free(host, port) for host in hosts):
                ports[name] = port
                break
        else:
            fail(f"No free port found between {_FIRST_PORT} and {_LAST_PORT}.")
    return ports


def _is_free(host: str, port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True


def free_ranges(name: str, used: Iterable[str]) -> tuple[str, str]:
    """(pod range, service range) that overlap none of the used ones; stable for a cluster's name.

    Raises:
        ClusterError: every candidate is used.
    """
    taken = [ipaddress.ip_network(text, strict=False) for text in used]
    start = int(name.encode().hex(), 16) % _RANGES
    for step in range(_RANGES):
        second = _FIRST_RANGE + (start + step) % _RANGES
        whole = ipaddress.ip_network(f"10.{second}.0.0/16")
        if not any(whole.overlaps(network) for network in taken):
            return f"10.{second}.0.0/24", f"10.{second}.128.0/24"
    return fail("Every address range from 10.200.0.0/16 to 10.249.0.0/16 is in use.")


def used_ranges() -> list[str]:
    """The IPv4 networks of this machine's interfaces and routes, without default routes."""
    routes = json.loads(run(["ip", "-json", "-4", "route", "show", "table", "all"]).stdout)
    links = json.loads(run(["ip", "-json", "-4", "address", "show"]).stdout)
    return [route["dst"] for route in routes if route["dst"] != "default"] + [
        f"{address['local']}/{address['prefixlen']}"
        for link in links
        for address in link["addr_info"]
    ]


def gateway_of(pod_cidr: str) -> str:
    """The bridge's own address: the first of the pods' range."""
    return str(next(ipaddress.ip_network(pod_cidr).hosts()))
