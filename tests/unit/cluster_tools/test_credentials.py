"""Tokens and kubeconfigs."""

import csv
import json
import stat
from pathlib import Path

from qmo_cluster.credentials import IDENTITIES, token_file, write_kubeconfig
from qmo_cluster.programs import Profile
from qmo_cluster.settings import Settings


def test_the_token_table_has_one_line_per_identity() -> None:
    """Each line is token, user, uid and, as one field, the groups."""
    tokens = {name: f"secret-{name}" for name in IDENTITIES}

    rows = list(csv.reader(token_file(tokens).splitlines()))

    assert {len(row) for row in rows} == {4}
    assert {row[0]: (row[1], row[3]) for row in rows} == {
        tokens[name]: (identity.user, ",".join(identity.groups))
        for name, identity in IDENTITIES.items()
    }


def test_only_three_identities_may_do_everything() -> None:
    """Components have their built-in roles; only people, the DNS server and kwok are masters."""
    masters = {name for name, who in IDENTITIES.items() if "system:masters" in who.groups}

    assert masters == {"admin", "coredns", "kwok"}


def test_a_kubeconfig_is_private_and_complete(tmp_path: Path) -> None:
    """It holds the server, its authority and the token, and only its owner can read it."""
    settings = Settings(
        profile=Profile.CONTROL_PLANE,
        directory=tmp_path,
        host="127.0.0.1",
        pod_cidr="",
        service_cidr="10.96.0.0/20",
        ports={"kube-apiserver": 21001},
        audit=False,
    )
    settings.layout.credentials.mkdir()
    (settings.layout.credentials / "ca.crt").write_text("certificate")

    path = write_kubeconfig(tmp_path / "config", settings, user="otter", token="secret")  # noqa: S106 - no password

    document = json.loads(path.read_text())
    assert document["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:21001"
    assert document["users"] == [{"name": "otter", "user": {"token": "secret"}}]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
