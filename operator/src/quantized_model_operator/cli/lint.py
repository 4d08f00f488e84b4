"""The command ``qm lint``: judges manifests in files, for people and for CI."""

from collections.abc import Sequence

import click

from quantized_model_operator.cli.exit_codes import ERROR, FITS, REFUSED


@click.command("lint")
@click.argument("paths", metavar="FILE|DIRECTORY|-...", nargs=-1, required=True)
@click.option(
    "--output",
    "-o",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="How to write the findings; github: as annotations of a workflow.",
)
@click.option(
    "--strict",
    is_flag=True,
    help="Warnings are findings too, and so is a path without any QuantizedModel.",
)
def lint_command(paths: Sequence[str], output: str, *, strict: bool) -> int:
    """Check QuantizedModels in manifests as the API server and the operator would.

    Objects of other kinds are passed over. Exit code: 0 nothing wrong, 2 findings, 1 a path that
    cannot be read.
    """
    # Late, because `qm --help` needs none of it.
    from quantized_model_operator.cli.lint_files import (  # noqa: PLC0415
        UnreadableFileError,
        find_manifests,
    )
    from quantized_model_operator.cli.lint_manifests import lint  # noqa: PLC0415
    from quantized_model_operator.cli.lint_report import WRITERS  # noqa: PLC0415
    from quantized_model_operator.settings import Settings  # noqa: PLC0415

    try:
        found = find_manifests(paths)
    except UnreadableFileError as error:
        click.echo(f"Error: {error}", err=True)
        return ERROR
    report = lint(found, Settings(operator_image=""))
    click.echo(WRITERS[output](report))
    is_strict_failure = strict and (report.warnings or not report.models)
    return REFUSED if report.errors or is_strict_failure else FITS
