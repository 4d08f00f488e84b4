"""`qm explain`: the story of a model in a cluster, from what the API knows of it."""

import json
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from difflib import get_close_matches

import click

from quantized_model_operator.cli.cluster_access import NoClusterError, asked, cluster_connection
from quantized_model_operator.cli.exit_codes import FITS, REFUSED
from quantized_model_operator.cli.explain_story import STALLED, document, story
from quantized_model_operator.cluster.connection import Connection
from quantized_model_operator.cluster.model_objects import (
    ModelMissingError,
    ModelObjects,
    ModelUnreadableError,
    read_model,
)

MOST_NAMES = 10
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


@click.command(context_settings={"max_content_width": 100})
@click.argument("name", metavar="[NAMESPACE/]NAME")
@click.option("-n", "--namespace", metavar="NAMESPACE", help="Default: that of the context.")
@click.option("--context", metavar="NAME", help="Of the kubeconfig.")
@click.option("--kubeconfig", metavar="FILE", help="Default: as kubectl finds it.")
@click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def explain(
    name: str, namespace: str | None, context: str | None, kubeconfig: str | None, output: str
) -> int:
    """Tell how far a model is, why it does not run, and what to do.

    Read are the model, its Deployment, Jobs and pods, and Events; nothing is changed.

    Exit code: 0 it is well or on its way, 2 somebody has to act, 1 it could not be read.
    """
    of_name, _, plain = name.rpartition("/")
    if not _NAME.fullmatch(plain) or (of_name and not _NAME.fullmatch(of_name)):
        raise click.ClickException(f"{name} is no name of a QuantizedModel")
    try:
        connection = cluster_connection(context, kubeconfig)
        objects = _objects(connection, of_name or namespace or connection.default_namespace, plain)
    except NoClusterError as error:
        raise click.ClickException(str(error)) from error
    told = story(objects, datetime.now(UTC), context or "")  # noqa: TID251 - the command's clock
    if output == "json":
        sys.stdout.write(json.dumps(document(told), indent=2) + "\n")
    else:
        from quantized_model_operator.cli.explain_text import print_story  # noqa: PLC0415

        print_story(told)
    return REFUSED if told.state == STALLED else FITS


def _objects(connection: Connection, namespace: str, name: str) -> ModelObjects:
    try:
        return asked(connection, lambda found: read_model(found, namespace, name))
    except ModelMissingError as error:
        raise click.ClickException(_missing(namespace, name, error.names)) from error
    except ModelUnreadableError as error:
        raise click.ClickException(str(error)) from error


def _missing(namespace: str, name: str, names: Sequence[str]) -> str:
    """No such model, and which the user may have meant."""
    what = f"namespace {namespace} has no QuantizedModel {name}"
    elsewhere = [item for item in names if item.partition("/")[2] == name]
    if elsewhere:
        where = " or ".join(item.partition("/")[0] for item in elsewhere[:MOST_NAMES])
        return f"{what}; there is one of this name in {where}: add --namespace"
    here = [item.partition("/")[2] for item in names if item.partition("/")[0] == namespace]
    close = get_close_matches(name, here, n=3, cutoff=0.5)
    if close:
        return f"{what}; did you mean {' or '.join(close)}?"
    if here:
        more = f" and {len(here) - MOST_NAMES} more" if len(here) > MOST_NAMES else ""
        return f"{what}; it has {', '.join(sorted(here)[:MOST_NAMES])}{more}"
    return f"{what}, nor any other"
