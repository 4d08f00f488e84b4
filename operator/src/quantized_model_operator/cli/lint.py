"""The command ``qm lint``: judges manifests in files, for people and for CI."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from quantized_model_operator.cli.exit_codes import ERROR, FITS, REFUSED

if TYPE_CHECKING:
    from quantized_model_operator.cli.lint_manifests import Planner
    from quantized_model_operator.cli.lint_report import LintReport


@click.command("lint", context_settings={"max_content_width": 100})
@click.argument("paths", metavar="FILE|DIRECTORY|-...", nargs=-1, required=True)
@click.option(
    "--strict",
    is_flag=True,
    help="Warnings are findings too, and so is a path without any QuantizedModel.",
)
@click.option(
    "--online",
    is_flag=True,
    help="Read the headers of checkpoints on the hub, and plan the models.",
)
@click.option(
    "--checkpoint",
    metavar="DIRECTORY|hf://...",
    default="",
    help="Plan the models with this checkpoint instead of their own source.",
)
@click.option(
    "--gpu",
    "gpus",
    multiple=True,
    metavar="NAME",
    help="Plan models that name no product on this GPU. Default: on any that is known.",
)
@click.option(
    "--gpu-count",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    metavar="N",
    help="GPUs in a node.",
)
@click.option(
    "--output",
    "-o",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="How to write the findings; github: as annotations of a workflow.",
)
def lint_command(
    paths: Sequence[str],
    output: str,
    checkpoint: str,
    gpus: Sequence[str],
    gpu_count: int,
    *,
    strict: bool,
    online: bool,
) -> int:
    """Check QuantizedModels in manifests as the API server and the operator would.

    Objects of other kinds are passed over. Exit code: 0 nothing wrong, 2 findings, 1 a path or a
    checkpoint that cannot be read.
    """
    # Late, because `qm --help` needs none of it.
    from quantized_model_operator.cli.lint_files import (  # noqa: PLC0415
        UnreadableFileError,
        find_manifests,
    )
    from quantized_model_operator.cli.lint_manifests import lint  # noqa: PLC0415
    from quantized_model_operator.cli.lint_report import WRITERS  # noqa: PLC0415
    from quantized_model_operator.settings import Settings  # noqa: PLC0415

    plans = checkpoint or online
    if not plans and gpus:
        raise click.UsageError("--gpu needs --checkpoint or --online.")
    options = (_planner(checkpoint, gpus, gpu_count, online=online),) if plans else ()
    try:
        found = find_manifests(paths)
    except UnreadableFileError as error:
        raise click.ClickException(str(error)) from error
    report = lint(found, Settings(operator_image=""), *options)
    click.echo(WRITERS[output](report))
    return _exit_code(report, strict=strict)


def _planner(checkpoint: str, gpus: Sequence[str], gpu_count: int, *, online: bool) -> "Planner":
    # Late: reading checkpoints is for those who ask for it.
    from quantized_model_operator.cli.gpu_names import UnknownGpuError, find_gpu  # noqa: PLC0415
    from quantized_model_operator.cli.lint_plan import PlanChecks, planner  # noqa: PLC0415

    try:
        named = tuple(find_gpu(name) for name in gpus)
    except UnknownGpuError as error:
        raise click.UsageError(str(error)) from error
    return planner(
        PlanChecks(checkpoint=checkpoint, online=online, gpus=named, gpu_count=gpu_count)
    )


def _exit_code(report: "LintReport", *, strict: bool) -> int:
    """2 for what is wrong with a model, 1 when only a checkpoint could not be looked at."""
    from quantized_model_operator.cli.lint_manifests import (  # noqa: PLC0415 - late, see above
        UNREADABLE_CHECKPOINT,
    )

    unread = report.count(UNREADABLE_CHECKPOINT)
    if report.errors > unread or (strict and (report.warnings or not report.models)):
        return REFUSED
    return ERROR if unread else FITS
