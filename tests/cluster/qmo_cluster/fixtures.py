"""Session fixtures for tests against a real cluster.

A conftest makes them known with `pytest_plugins = ["qmo_cluster.fixtures"]` at the root of the
tests, or by importing the two names. They bring a cluster up and take it down, unless the
environment names the folder of one that runs already: $QMO_CONTROL_PLANE_DIR,
$QMO_NODE_CLUSTER_DIR.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from qmo_cluster.cluster import Cluster
from qmo_cluster.errors import fail
from qmo_cluster.lifecycle import down, up
from qmo_cluster.preflight import problems
from qmo_cluster.programs import Profile

CONTROL_PLANE_VARIABLE = "QMO_CONTROL_PLANE_DIR"
NODE_VARIABLE = "QMO_NODE_CLUSTER_DIR"


@contextmanager
def cluster_for_tests(profile: Profile, directory: Path, variable: str) -> Iterator[Cluster]:
    """The cluster the environment names, else one in `directory` for as long as the context lasts.

    Raises:
        ClusterError: the named cluster has another profile or does not answer, or this machine
            lacks something for a new one.
    """
    named = os.environ.get(variable)
    if named:
        yield _existing(profile, named, variable)
        return
    lacking = problems(profile)
    if lacking:
        fail(" ".join(lacking))
    try:
        yield up(profile, directory, audit=True)
    except BaseException:
        _show_logs(directory)
        raise
    finally:
        down(directory)


@pytest.fixture(scope="session")
def control_plane_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A control plane with kwok and an audit log; tests add their own fake nodes."""
    directory = tmp_path_factory.mktemp("clusters") / "control-plane"
    with cluster_for_tests(Profile.CONTROL_PLANE, directory, CONTROL_PLANE_VARIABLE) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def node_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with one real node and an audit log."""
    directory = tmp_path_factory.mktemp("clusters") / "node"
    with cluster_for_tests(Profile.NODE, directory, NODE_VARIABLE) as cluster:
        yield cluster


def _existing(profile: Profile, directory: str, variable: str) -> Cluster:
    cluster = Cluster.open(directory)
    if cluster.settings.profile is not profile:
        fail(f"${variable} names a cluster of the profile {cluster.settings.profile.value}.")
    if not cluster.api.is_ready():
        fail(f"The cluster in {directory} that ${variable} names does not answer.")
    return cluster


def _show_logs(directory: Path) -> None:
    """Print the ends of the logs before they are removed; pytest shows them with the failure."""
    for log in sorted(directory.glob("logs/*.log")):
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        sys.stderr.write(f"--- {log.name}\n{tail}\n")
