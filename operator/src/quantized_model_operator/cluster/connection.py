"""I/O: where the API server is, how to reach it, and HTTP sessions with bounded connections."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import ClientSession, ClientTimeout, TCPConnector

from quantized_model_operator.cluster.credentials import (
    Authorization,
    AuthorizationMiddleware,
    TokenFile,
)

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
REQUEST_CONNECTIONS = 32
KOPF_CONNECTIONS = 16
"""More than kopf has watches. With 250 busy objects over TLS unbounded connections took 141 MB,
16 took 82 MB. Source: our measurement, kopf 1.45.2."""
CONNECT_SECONDS = 10.0
REQUEST_SECONDS = 30.0


class ConnectionConfigError(Exception):
    """Nothing says how to reach an API server, or what says so cannot be used."""


class UnusableKubeconfigError(ConnectionConfigError):
    """A kubeconfig was found and cannot be used."""

    def __init__(self, path: str, cause: object) -> None:
        why = cause if isinstance(cause, str) else repr(cause)
        super().__init__(f"the kubeconfig {path} cannot be used: {why}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How to reach one API server."""

    server: str
    """For example ``https://10.96.0.1:443``, without a slash at the end."""
    authorization: Authorization
    tls: ssl.SSLContext | None = None
    """``None`` for plain HTTP."""
    default_namespace: str = "default"
    proxy: str | None = None


def in_cluster(environment: Mapping[str, str], folder: Path = SERVICE_ACCOUNT) -> Connection | None:
    """The connection of a pod's service account; ``None`` outside a pod."""
    host = environment.get("KUBERNETES_SERVICE_HOST", "")
    port = environment.get("KUBERNETES_SERVICE_PORT", "443")
    token = folder / "token"
    if not host or not token.is_file():
        return None
    shown_host = f"[{host}]" if ":" in host else host
    namespace = folder / "namespace"
    return Connection(
        server=f"https://{shown_host}:{port}",
        authorization=TokenFile(token),
        tls=ssl.create_default_context(cafile=str(folder / "ca.crt")),
        default_namespace=namespace.read_text().strip() if namespace.is_file() else "default",
    )


def request_session(connection: Connection) -> ClientSession:
    """A session for short requests; close it yourself."""
    return _session(connection, REQUEST_CONNECTIONS, REQUEST_SECONDS)


def watch_session(connection: Connection) -> ClientSession:
    """A session for watches, which would occupy the connections of short requests.

    Its number of connections follows the number of watches, which is fixed by the process.
    """
    return _session(connection, 0, None)


def kopf_session(connection: Connection) -> ClientSession:
    """A session to give to ``kopf.AiohttpSession(server=..., aiohttp_session=...)``.

    kopf owns it and closes it, at the end and after a 401: build one for each login.
    """
    return _session(connection, KOPF_CONNECTIONS, None)


def _session(connection: Connection, limit: int, total_seconds: float | None) -> ClientSession:
    connector = TCPConnector(
        limit=limit,
        ssl=connection.tls if connection.tls is not None else True,
        ttl_dns_cache=60,
        keepalive_timeout=60,
    )
    return ClientSession(
        connector=connector,
        timeout=ClientTimeout(total=total_seconds, sock_connect=CONNECT_SECONDS),
        headers={"User-Agent": "quantized-model-operator", "Accept": "application/json"},
        middlewares=(AuthorizationMiddleware(connection.authorization),),
        proxy=connection.proxy,
        auto_decompress=True,
    )
