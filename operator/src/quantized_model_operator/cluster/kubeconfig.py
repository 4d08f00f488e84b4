"""I/O: a connection from a kubeconfig file, read here for its plain forms.

Anything else (plugins, several files) is left to the official client, which is imported only
then: it costs half a second and 20 MB.
"""

import base64
import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from quantized_model_operator.cluster.connection import (
    Connection,
    ConnectionConfigError,
    UnusableKubeconfigError,
    in_cluster,
)
from quantized_model_operator.cluster.credentials import (
    Authorization,
    CallableToken,
    FixedToken,
    TokenFile,
)

_PLAIN_USER_KEYS = {
    "client-certificate",
    "client-certificate-data",
    "client-key",
    "client-key-data",
    "token",
    "tokenFile",
}


def find_connection(environment: Mapping[str, str], context: str = "") -> Connection:
    """The connection that the environment names.

    ``KUBECONFIG`` first, then the pod's service account, then ``~/.kube/config``.
    ``ConnectionConfigError`` when there is none.
    """
    named = environment.get("KUBECONFIG", "")
    if named:
        return from_kubeconfig(named, context)
    inside = in_cluster(environment)
    if inside is not None:
        return inside
    usual = Path(environment.get("HOME", "/")) / ".kube" / "config"
    if usual.is_file():
        return from_kubeconfig(str(usual), context)
    message = "no API server is configured: set KUBECONFIG, or run in a pod with a token"
    raise ConnectionConfigError(message)


def from_kubeconfig(paths: str, context: str = "") -> Connection:
    """The connection of the current context, or of the named one."""
    path = Path(paths)
    if not path.is_file():
        return _by_official_client(paths, context)
    try:
        document = yaml.safe_load(path.read_text())
        wanted = context or document["current-context"]
        names = [str(item["name"]) for item in document["contexts"]]
        if wanted not in names:
            told = f"it has no context {wanted!r}, but {', '.join(names) or 'none at all'}"
            raise UnusableKubeconfigError(paths, told)
        chosen = _named(document, "contexts", "context", wanted)
        cluster = _named(document, "clusters", "cluster", chosen["cluster"])
        user = _named(document, "users", "user", chosen["user"])
    except (KeyError, TypeError, OSError, yaml.YAMLError) as error:
        raise UnusableKubeconfigError(paths, error) from error
    if not set(user) <= _PLAIN_USER_KEYS or "tls-server-name" in cluster:
        return _by_official_client(paths, context)
    server = str(cluster["server"]).rstrip("/")
    return Connection(
        server=server,
        authorization=_authorization(user, path.parent),
        tls=_tls(cluster, user, path.parent) if server.startswith("https:") else None,
        default_namespace=str(chosen.get("namespace") or "default"),
        proxy=cluster.get("proxy-url"),
    )


def _named(document: Mapping[str, Any], group: str, member: str, name: str) -> Mapping[str, Any]:
    for item in document.get(group) or ():
        if item["name"] == name:
            found: Mapping[str, Any] = item.get(member) or {}
            return found
    raise KeyError(group, name)


def _authorization(user: Mapping[str, Any], folder: Path) -> Authorization:
    if "tokenFile" in user:
        return TokenFile(folder / user["tokenFile"])
    return FixedToken(str(user.get("token", "")))


def _tls(cluster: Mapping[str, Any], user: Mapping[str, Any], folder: Path) -> ssl.SSLContext:
    inline = cluster.get("certificate-authority-data")
    file = cluster.get("certificate-authority")
    context = ssl.create_default_context(
        cafile=str(folder / file) if file and not inline else None,
        cadata=base64.b64decode(inline).decode() if inline else None,
    )
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    with tempfile.TemporaryDirectory() as scratch:
        certificate = _as_file(user, "client-certificate", folder, Path(scratch))
        key = _as_file(user, "client-key", folder, Path(scratch))
        if certificate:
            context.load_cert_chain(certificate, key)
    return context


def _as_file(user: Mapping[str, Any], field: str, folder: Path, scratch: Path) -> Path | None:
    """Path of the value; Python's ssl reads client certificates from files only."""
    inline = user.get(f"{field}-data")
    if inline:
        file = scratch / field
        file.touch(mode=0o600)
        file.write_bytes(base64.b64decode(inline))
        return file
    return folder / user[field] if field in user else None


def _by_official_client(paths: str, context: str) -> Connection:
    # Late: see the module's docstring.
    from kubernetes.client import Configuration  # noqa: PLC0415
    from kubernetes.config import load_kube_config  # noqa: PLC0415
    from kubernetes.config.config_exception import ConfigException  # noqa: PLC0415

    configuration = Configuration()
    try:
        load_kube_config(paths, context or None, configuration, persist_config=False)
    except ConfigException as error:
        raise UnusableKubeconfigError(paths, error) from error
    if configuration.tls_server_name:
        raise UnusableKubeconfigError(paths, "tls-server-name is not supported")
    tls = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if not configuration.verify_ssl:
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    if configuration.cert_file:
        tls.load_cert_chain(configuration.cert_file, configuration.key_file)
    return Connection(
        server=str(configuration.host).rstrip("/"),
        authorization=CallableToken(
            lambda: str(configuration.get_api_key_with_prefix("BearerToken", "authorization") or "")
        ),
        tls=tls if str(configuration.host).startswith("https:") else None,
        proxy=configuration.proxy,
    )
