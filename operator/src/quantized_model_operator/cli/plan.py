"""`qm plan`: whether and how a checkpoint would be served, before any GPU is taken."""

import json
import sys
from typing import Any

import click

from quantized_model_operator.cli.checkpoint_source import (
    ReadCheckpoint,
    UnreadableSourceError,
    read_checkpoint,
)
from quantized_model_operator.cli.cluster_access import NoClusterError
from quantized_model_operator.cli.exit_codes import FITS, REFUSED
from quantized_model_operator.cli.plan_answer import (
    Answer,
    Comparison,
    answer_for,
    comparison,
    refused,
    with_larger_node,
)
from quantized_model_operator.cli.plan_hardware import Hardware, hardware_of
from quantized_model_operator.cli.plan_options import plan_options
from quantized_model_operator.cli.plan_subject import (
    PlanOptions,
    RefusedManifestError,
    Subject,
    subject_of,
)
from quantized_model_operator.domain.cluster_state import ModelKey


@click.command(context_settings={"max_content_width": 100})
@click.argument("target", metavar="MODEL.yaml|hf://ORG/NAME[@REVISION]|DIRECTORY")
@plan_options
def plan(target: str, output: str, device: str | None, **typed: Any) -> int:  # noqa: ANN401
    """Say whether a model fits, how it would be served, and what to change if it does not.

    Only the checkpoint's config and the headers of its files are read, a few hundred kB, never
    the weights. Without --gpu the nodes of the current cluster are planned on; without a cluster
    all known GPUs are compared.

    Exit code: 0 it fits, 2 it is refused, 1 the question could not be answered.
    """
    options = PlanOptions(device="CPU" if device == "cpu" else "GPU" if device else None, **typed)
    _check(options)
    try:
        subject = subject_of(target, options)
        read = read_checkpoint(subject.source, subject.revision)
        hardware, hint = _hardware(subject, options)
    except RefusedManifestError as error:
        return _show_answer(output, refused(error.problems), None, None, error.model)
    except (UnreadableSourceError, NoClusterError) as error:
        raise click.ClickException(str(error)) from error
    model = subject.model.key if subject.model else None
    if read.report.facts is None:
        answer = refused(read.report.refusals)
    elif hardware is None:
        compared = comparison(read.report.facts, subject.request, options.gpu_count, hint)
        return _show_comparison(output, compared, subject, read)
    else:
        answer = answer_for(read.report.facts, subject.request, hardware)
        products = [gpu.accelerator.product for gpu in options.gpus]
        answer = with_larger_node(answer, read.report.facts, subject.request, products)
    return _show_answer(output, answer, read, hardware, model)


def _check(options: PlanOptions) -> None:
    """Options that contradict each other are wrong use."""
    if options.gpus and options.all_gpus:
        raise click.UsageError("--gpu and --all-gpus exclude each other.")
    named = "--gpu" if options.gpus else "--all-gpus" if options.all_gpus else ""
    if named and (options.context or options.kubeconfig):
        raise click.UsageError(
            f"{named} plans without a cluster: leave out --context, --kubeconfig."
        )
    if options.device == "CPU" and (named or options.gpu_count):
        raise click.UsageError(f"{named or '--gpu-count'} and --device cpu exclude each other.")


def _hardware(subject: Subject, options: PlanOptions) -> tuple[Hardware | None, str]:
    """The nodes, or ``None`` for all known GPUs, and why it is all if nobody asked for that."""
    try:
        return hardware_of(subject, options), ""
    except NoClusterError as error:
        if options.context or options.kubeconfig:
            raise
        return None, f"no cluster to plan on ({error}) and no --gpu: all known GPUs are compared"


def _show_answer(
    output: str,
    answer: Answer,
    read: ReadCheckpoint | None,
    hardware: Hardware | None,
    model: ModelKey | None,
) -> int:
    if output == "table":
        from quantized_model_operator.cli.plan_table import print_answer  # noqa: PLC0415

        print_answer(answer, read, hardware, model)
    else:
        from quantized_model_operator.cli.plan_document import answer_document  # noqa: PLC0415

        _write(output, answer_document(answer, read, hardware))
    return FITS if answer.fits else REFUSED


def _show_comparison(
    output: str, compared: Comparison, subject: Subject, read: ReadCheckpoint
) -> int:
    if output == "table":
        from quantized_model_operator.cli.comparison_table import print_comparison  # noqa: PLC0415

        print_comparison(compared, subject.request, read)
    else:
        from quantized_model_operator.cli.plan_document import (  # noqa: PLC0415
            comparison_document,
        )

        _write(output, comparison_document(compared, read))
    return FITS if compared.fits else REFUSED


def _write(output: str, document: dict[str, Any]) -> None:
    if output == "json":
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    else:
        import yaml  # noqa: PLC0415 - late: only for this output

        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
    sys.stdout.write(text)
