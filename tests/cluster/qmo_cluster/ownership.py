"""One node cluster per machine: kube-proxy's nftables tables have one name for all."""

import json
from pathlib import Path

from qmo_cluster.commands import run
from qmo_cluster.errors import fail
from qmo_cluster.processes import marked_processes
from qmo_cluster.settings import Layout

OWNER_FILE = Path("/run/qmo-node-cluster.json")
_FAMILIES = ("ip", "ip6")


def owner() -> Layout | None:
    """The cluster that made the tables, alive or not."""
    try:
        return Layout(Path(json.loads(OWNER_FILE.read_text())["directory"]))
    except (FileNotFoundError, json.JSONDecodeError, KeyError):
        return None


def check_free_for(layout: Layout) -> Layout | None:
    """The dead cluster whose leftovers must go first, or None.

    Raises:
        ClusterError: another cluster lives, or the tables are not ours.
    """
    other = owner()
    if other is None:
        if any(_table_exists(family) for family in _FAMILIES):
            fail(
                "There is an nftables table `kube-proxy` that this program did not make: "
                "this machine is a Kubernetes node already."
            )
        return None
    if other == layout:
        return None
    if marked_processes(other):
        fail(
            f"A node cluster runs in {other.directory}, and one fits a machine: "
            f"end it with `down --dir {other.directory}`."
        )
    return other


def claim(layout: Layout) -> None:
    """Record that the tables are this cluster's."""
    OWNER_FILE.write_text(json.dumps({"directory": str(layout.directory)}) + "\n")


def release(layout: Layout) -> None:
    """Remove the tables and the record, if they are this cluster's."""
    if owner() != layout:
        return
    for family in _FAMILIES:
        if _table_exists(family):
            run(["nft", "delete", "table", family, "kube-proxy"])
    OWNER_FILE.unlink()


def _table_exists(family: str) -> bool:
    return run(["nft", "list", "table", family, "kube-proxy"], check=False).returncode == 0
