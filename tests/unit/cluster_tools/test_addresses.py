"""Ports and ranges never collide with what is used."""

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmo_cluster.addresses import free_ports, free_ranges, gateway_of
from qmo_cluster.errors import ClusterError

SECOND_BYTES = st.sets(st.integers(200, 249), max_size=49)


@given(name=st.text("abcdef0123456789", min_size=1, max_size=8), used=SECOND_BYTES)
def test_ranges_overlap_nothing_that_is_used(name: str, used: set[int]) -> None:
    """As long as one candidate is free, pods and services get ranges of their own within it."""
    taken = [f"10.{number}.7.0/24" for number in used]

    ranges = free_ranges(name, taken)

    pods, services = (ipaddress.ip_network(text) for text in ranges)
    assert not pods.overlaps(services)
    for network in taken:
        assert not pods.overlaps(ipaddress.ip_network(network))
        assert not services.overlaps(ipaddress.ip_network(network))


def test_a_cluster_keeps_its_range() -> None:
    """The same name gets the same range on the same machine."""
    assert free_ranges("otter", []) == free_ranges("otter", [])


def test_a_full_machine_is_refused() -> None:
    """With every candidate in use there is an error, not a collision."""
    with pytest.raises(ClusterError, match="in use"):
        free_ranges("otter", ["10.0.0.0/8"])


def test_the_gateway_is_the_first_address() -> None:
    """The bridge has the first address of the pods' range."""
    assert gateway_of("10.201.0.0/24") == "10.201.0.1"


def test_ports_are_different_and_free() -> None:
    """Each name gets another port, on which no one listens."""
    ports = free_ports([str(number) for number in range(50)], ["127.0.0.1"])

    assert len(set(ports.values())) == 50
    for port in ports.values():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
