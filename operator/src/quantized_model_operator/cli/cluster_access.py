"""I/O: the cluster that a command speaks to, found as kubectl finds it, and one request of it."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from quantized_model_operator.cluster.connection import Connection, ConnectionConfigError
from quantized_model_operator.cluster.kubeconfig import find_connection

Answer = TypeVar("Answer")


def cluster_connection(context: str | None, kubeconfig: str | None) -> Connection:
    """The connection that options and environment name; a sentence on the terminal when none."""
    environment = dict(os.environ)
    if kubeconfig:
        environment["KUBECONFIG"] = kubeconfig
    try:
        return find_connection(environment, context or "")
    except ConnectionConfigError as error:
        raise click.ClickException(str(error)) from error


def asked(connection: Connection, question: Callable[[Connection], Awaitable[Answer]]) -> Answer:
    """What the cluster answers."""

    async def ask() -> Answer:
        return await question(connection)

    return asyncio.run(ask())
