"""I/O: the cluster that a command speaks to, found as kubectl finds it, and one request of it."""

import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from quantized_model_operator.cluster.connection import Connection

Answer = TypeVar("Answer")


class NoClusterError(Exception):
    """There is no cluster, or it did not answer; the text says which."""


def cluster_connection(context: str | None, kubeconfig: str | None) -> "Connection":
    """The connection that options and environment name; ``NoClusterError``."""
    # Late: a command that asks no cluster needs no HTTP.
    from quantized_model_operator.cluster.connection import (  # noqa: PLC0415
        ConnectionConfigError,
    )
    from quantized_model_operator.cluster.kubeconfig import find_connection  # noqa: PLC0415

    environment = dict(os.environ)
    if kubeconfig:
        environment["KUBECONFIG"] = kubeconfig
    elif context and not environment.get("KUBECONFIG"):
        # A context is of a file; the account of a pod, which would come first, has none.
        environment["KUBECONFIG"] = str(Path.home() / ".kube" / "config")
    try:
        with _usable_kubeconfig():
            return find_connection(environment, context or "")
    except ConnectionConfigError as error:
        raise NoClusterError(str(error)) from error


def asked(
    connection: "Connection", question: Callable[["Connection"], Awaitable[Answer]]
) -> Answer:
    """What the cluster answers; ``NoClusterError``, and what the question itself raises."""
    import asyncio  # noqa: PLC0415 - late, as above

    async def ask() -> Answer:
        return await question(connection)

    with _usable_kubeconfig():
        return asyncio.run(ask())


@contextmanager
def _usable_kubeconfig() -> Iterator[None]:
    """Certificates, addresses and missing fields are looked at late, and break in many ways."""
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        raise NoClusterError(f"the kubeconfig cannot be used: {error!r}") from error
