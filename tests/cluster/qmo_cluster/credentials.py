"""Certificates by openssl, bearer tokens for people and components, and kubeconfigs from them."""

import base64
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qmo_cluster.commands import run
from qmo_cluster.settings import NODE_NAME, Layout, Settings

_DAYS = "3650"
# Without an own file openssl adds the extensions of a certificate authority to every certificate.
_OPENSSL_CONFIG = "[req]\ndistinguished_name = name\nprompt = no\n[name]\n"


@dataclass(frozen=True)
class Identity:
    """Who a token stands for."""

    user: str
    groups: tuple[str, ...] = ()


IDENTITIES: Mapping[str, Identity] = {
    "admin": Identity("admin", ("system:masters",)),
    "kube-controller-manager": Identity("system:kube-controller-manager"),
    "kube-scheduler": Identity("system:kube-scheduler"),
    "kubelet": Identity(f"system:node:{NODE_NAME}", ("system:nodes",)),
    "kube-proxy": Identity("system:kube-proxy"),
    "coredns": Identity("coredns", ("system:masters",)),
    "kwok": Identity("kwok", ("system:masters",)),
}


def write_credentials(settings: Settings) -> None:
    """Fill the credentials folder anew: authorities, certificates, keys, tokens, kubeconfigs."""
    layout = settings.layout
    layout.credentials.mkdir(mode=0o700, exist_ok=True)
    (layout.credentials / "openssl.cnf").write_text(_OPENSSL_CONFIG)
    _authority(layout, "ca")
    _authority(layout, "front-proxy-ca")
    names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc",
             "kubernetes.default.svc.cluster.local", "localhost"]  # fmt: skip
    addresses = [settings.host, settings.first_service_address, "127.0.0.1"]
    _certificate(layout, "kube-apiserver", "/CN=kube-apiserver", hosts=_hosts(names, addresses))
    _certificate(layout, "kube-apiserver-kubelet", "/O=system:masters/CN=kube-apiserver-kubelet")
    _certificate(layout, "front-proxy", "/CN=front-proxy", authority="front-proxy-ca")
    _certificate(layout, "kubelet", "/CN=kubelet", hosts=_hosts([NODE_NAME], [settings.host]))
    run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048",
         "-out", layout.credentials / "service-accounts.key"])  # fmt: skip
    tokens = {name: secrets.token_hex(24) for name in IDENTITIES}
    _private(layout.credentials / "tokens.csv", token_file(tokens))
    for name, token in tokens.items():
        path = layout.kubeconfig if name == "admin" else kubeconfig_path(layout, name)
        write_kubeconfig(path, settings, user=name, token=token)


def token_file(tokens: Mapping[str, str]) -> str:
    """The API server's table of static tokens."""
    lines = []
    for name, token in tokens.items():
        identity = IDENTITIES[name]
        groups = ",".join(identity.groups)
        lines.append(f'{token},{identity.user},{name},"{groups}"')
    return "\n".join(lines) + "\n"


def kubeconfig_path(layout: Layout, identity: str) -> Path:
    """Where a component's kubeconfig is."""
    return layout.credentials / f"{identity}.kubeconfig"


def write_kubeconfig(path: Path, settings: Settings, *, user: str, token: str) -> Path:
    """Write a kubeconfig for a bearer token. JSON is YAML, so every client reads it."""
    authority = (settings.layout.credentials / "ca.crt").read_bytes()
    document: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "default",
        "clusters": [
            {
                "name": "default",
                "cluster": {
                    "server": settings.api_url,
                    "certificate-authority-data": base64.b64encode(authority).decode(),
                },
            }
        ],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [
            {
                "name": "default",
                "context": {"cluster": "default", "user": user, "namespace": "default"},
            }
        ],
    }
    _private(path, json.dumps(document, indent=2) + "\n")
    return path


def admin_token(layout: Layout) -> str:
    """The administrator's bearer token."""
    document = json.loads(layout.kubeconfig.read_text())
    token: str = document["users"][0]["user"]["token"]
    return token


def _private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
        handle.write(text)


def _hosts(names: Sequence[str], addresses: Sequence[str]) -> str:
    return ",".join([f"DNS:{name}" for name in names] + [f"IP:{text}" for text in addresses])


def _request(layout: Layout, name: str, subject: str) -> list[str | Path]:
    folder = layout.credentials
    return [
        "openssl", "req", "-x509", "-config", folder / "openssl.cnf", "-days", _DAYS, "-nodes",
        "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", subject,
        "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt",
    ]  # fmt: skip


def _authority(layout: Layout, name: str) -> None:
    extensions = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign",
                  "subjectKeyIdentifier=hash"]  # fmt: skip
    added = [word for extension in extensions for word in ("-addext", extension)]
    run([*_request(layout, name, f"/CN={layout.name}-{name}"), *added])


def _certificate(
    layout: Layout, name: str, subject: str, *, hosts: str = "", authority: str = "ca"
) -> None:
    """A certificate for servers when it names hosts, else for clients."""
    extensions = ["basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature",
                  "subjectKeyIdentifier=hash", "authorityKeyIdentifier=keyid",
                  f"extendedKeyUsage={'serverAuth' if hosts else 'clientAuth'}"]  # fmt: skip
    if hosts:
        extensions.append(f"subjectAltName={hosts}")
    added = [word for extension in extensions for word in ("-addext", extension)]
    folder = layout.credentials
    signing: list[str | Path] = [
        "-CA",
        folder / f"{authority}.crt",
        "-CAkey",
        folder / f"{authority}.key",
    ]
    run([*_request(layout, name, subject), *signing, *added])
