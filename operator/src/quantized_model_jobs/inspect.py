"""The inspect program: reads config and headers of a checkpoint and leaves a verdict.

    python -m quantized_model_jobs.inspect --uri hf://org/name --revision main --report FILE
    python -m quantized_model_jobs.inspect --uri pvc://claim/path --path FOLDER --report FILE

Exit codes: 0 verdict (facts or refusal), 1 trying again may help; the report says which.
"""
# ruff: noqa: A005 - always run as a module of the package, which no path search finds

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from quantized_model_jobs import mounted_checkpoint
from quantized_model_jobs.access_token import TokenMissingError, read_token
from quantized_model_jobs.deadline import DeadlineExceededError, deadline
from quantized_model_jobs.report_file import refusal, transient, write_report
from quantized_model_operator.domain.checkpoint import InspectionReport
from quantized_model_operator.domain.checkpoint_inspection import inspect_checkpoint
from quantized_model_operator.domain.readable_text import readable_name

_VERDICT, _TRY_AGAIN = 0, 1
_SHARE_FOR_DIGESTS = 0.8
"""Of the deadline; what is left suffices for everything else."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Inspect, write the report, and return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        with deadline(options.deadline_seconds):
            report = _inspect(options)
    except DeadlineExceededError:
        message = f"the checkpoint could not be read within {options.deadline_seconds:g} seconds"
        report = transient("InspectionFailed", message)
    except OSError as error:
        report = transient("InspectionFailed", f"the checkpoint cannot be read: {error}")
    write_report(options.report, report)
    _print(report)
    return _TRY_AGAIN if report.transient else _VERDICT


def _inspect(options: argparse.Namespace) -> InspectionReport:
    if options.uri.startswith("pvc://"):
        return _inspect_claim(options)
    return _inspect_hub(options)


def _inspect_claim(options: argparse.Namespace) -> InspectionReport:
    budget = options.deadline_seconds * _SHARE_FOR_DIGESTS
    try:
        evidence = mounted_checkpoint.gather(options.uri, options.claim_uid, options.path, budget)
    except mounted_checkpoint.UnreadableCheckpointError as error:
        return refusal(error.problem)
    return inspect_checkpoint(evidence)


def _inspect_hub(options: argparse.Namespace) -> InspectionReport:
    # Late: importing the hub's library takes longer than reading a claim.
    from quantized_model_jobs import hub_checkpoint  # noqa: PLC0415
    from quantized_model_jobs.hub_errors import (  # noqa: PLC0415
        HubRefusalError,
        HubUnreachableError,
    )
    from quantized_model_jobs.hub_repository import HubRepository  # noqa: PLC0415

    try:
        token = read_token(options.token_file)
        repository = HubRepository(options.uri.removeprefix("hf://"), token)
        evidence = hub_checkpoint.gather(options.uri, options.revision, repository)
    except (HubRefusalError, TokenMissingError) as error:
        return refusal(error.problem)
    except HubUnreachableError as error:
        return transient("SourceUnreachable", str(error))
    return inspect_checkpoint(evidence)


def _print(report: InspectionReport) -> None:
    facts = report.facts
    lines = [f"{problem.reason}: {problem.message}" for problem in report.problems]
    if facts is not None:
        lines.append(
            f"sound: {facts.architecture}, {facts.bits} bits, group size {facts.group_size}, "
            f"{facts.files} weight files of {facts.weights_bytes} bytes, commit {facts.commit}"
        )
        lines += [f"warning: {text}" for text in facts.warnings]
    sys.stdout.write("".join(f"{readable_name(line, 1000)}\n" for line in lines))
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="inspect", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--uri", type=_uri, required=True, help="hf://org/name or pvc://claim/path")
    parser.add_argument("--path", type=Path, default=Path("/checkpoint"), help="mounted checkpoint")
    parser.add_argument("--revision", default="main", help="branch, tag or commit on the hub")
    parser.add_argument("--claim-uid", default="", help="uid of the claim, reported as the commit")
    parser.add_argument("--token-file", type=Path, help="access token of the hub")
    parser.add_argument("--report", type=Path, default=Path("/dev/termination-log"))
    parser.add_argument("--deadline-seconds", type=float, default=240.0)
    return parser


def _uri(text: str) -> str:
    if not text.startswith(("hf://", "pvc://")):
        raise argparse.ArgumentTypeError("it must begin with hf:// or pvc://")
    return text


if __name__ == "__main__":
    # As process 1 of a container it would ignore the request to end.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(_TRY_AGAIN))
    code = main()
    os._exit(code)  # at once: threads that still wait for the hub hold nothing that matters
