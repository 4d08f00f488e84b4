"""The fetch program: fills a folder with a checkpoint from the hub, verified file by file.

    python -m quantized_model_jobs.fetch --uri hf://org/name --commit SHA --destination FOLDER

A folder that is filled already is left alone, without asking the hub. Several programs may share
a folder: one fetches, the others wait. Exit codes: 0 filled, 1 trying again may help, 2 it will
not; the report says why.
"""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from quantized_model_jobs.access_token import TokenMissingError, read_token
from quantized_model_jobs.cache_folder import CacheFolder
from quantized_model_jobs.download_progress import Notice, say
from quantized_model_jobs.report_file import refusal, transient, write_report
from quantized_model_jobs.volume_lock import Rhythm, VolumeLock
from quantized_model_operator.domain.checkpoint import CheckpointProblem, InspectionReport
from quantized_model_operator.domain.readable_text import readable_bytes, readable_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from quantized_model_jobs.checkpoint_download import Order

_FILLED, _TRY_AGAIN, _REFUSED = 0, 1, 2
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_NOT_WRITABLE = frozenset({errno.EACCES, errno.ENOTDIR, errno.EPERM, errno.EROFS})


class EndedBySignalError(Exception):
    """The pod is being ended; what arrived stays for the next one."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch, write a report when that fails, and return the exit code."""
    options = _parser().parse_args(arguments)
    report = _failure(options)
    if report is None:
        return _FILLED
    write_report(options.report, report)
    for problem in report.problems:
        say(readable_name(f"{problem.reason}: {problem.message}", 1000))
    return _TRY_AGAIN if report.transient else _REFUSED


def _failure(options: argparse.Namespace) -> InspectionReport | None:
    """Why the folder could not be filled; ``None`` when it is."""
    try:
        with _ended_by_signal():
            if _is_filled(options):
                say(f"{options.destination} is filled already, nothing was transferred")
                return None
            return _fetch(options)
    except EndedBySignalError:
        return transient("FetchFailed", "the pod was ended while it fetched; it goes on later")
    except TokenMissingError as error:
        return refusal(error.problem)
    except OSError as error:
        return volume_failure(error, options.destination)


def _is_filled(options: argparse.Namespace) -> bool:
    cache = CacheFolder(options.destination)
    if not cache.is_filled(options.uri, options.commit):
        return False
    manifest = cache.manifest()
    if not options.verify or manifest is None:
        return True
    wrong = cache.wrong_files(manifest)
    cache.discard(wrong)  # without them the folder no longer counts as filled
    return not wrong


def _fetch(options: argparse.Namespace) -> InspectionReport | None:
    # Late: a filled folder needs neither the hub nor its library.
    from quantized_model_jobs.checkpoint_download import LockLostError, Order  # noqa: PLC0415
    from quantized_model_jobs.hub_errors import (  # noqa: PLC0415
        HubRefusalError,
        HubUnreachableError,
    )
    from quantized_model_jobs.hub_repository import HubRepository  # noqa: PLC0415

    repository = HubRepository(options.uri.removeprefix("hf://"), read_token(options.token_file))
    order = Order(
        uri=options.uri,
        commit=options.commit,
        repository=repository,
        stall_seconds=options.stall_seconds,
        attempts=options.attempts,
    )
    while True:
        try:
            _fetch_once(options, order)
        except LockLostError:
            say("another program took the folder over")
            continue
        except HubRefusalError as error:
            return refusal(error.problem)
        except HubUnreachableError as error:
            return transient("SourceUnreachable", str(error))
        return None


def _fetch_once(options: argparse.Namespace, order: Order) -> None:
    from quantized_model_jobs.checkpoint_download import download  # noqa: PLC0415

    rhythm = Rhythm(options.heartbeat_seconds, options.stale_seconds)
    CacheFolder(options.destination).prepare()
    lock = VolumeLock(CacheFolder(options.destination).lock, options.holder, rhythm)
    cache = CacheFolder(options.destination, lock.instance)
    started = time.monotonic()
    try:
        if lock.acquire(lambda: cache.is_filled(order.uri, order.commit), Notice()):
            count = download(order, cache, lock.lost.is_set)
            seconds = time.monotonic() - started
            say(f"{options.destination} is filled: {readable_bytes(count)} in {seconds:.1f} s")
        else:
            say(f"{options.destination} was filled by another program")
    finally:
        lock.release()


def volume_failure(error: OSError, destination: Path) -> InspectionReport:
    """What a failure of the volume means: too small, not writable, or trouble that may pass."""
    name = readable_name(destination)
    if error.errno in _FULL:
        problem = CheckpointProblem(
            reason="DiskFull",
            message=f"the volume of {name} became full while the weights were written; give "
            "spec.cache a larger volume",
            field="spec.cache",
        )
        return refusal(problem)
    if error.errno in _NOT_WRITABLE:
        problem = CheckpointProblem(
            reason="FetchFailed",
            message=f"{name} cannot be written by the user of the pod ({error.strerror}); mount a "
            "volume that its user or group may write",
            field="spec.cache",
        )
        return refusal(problem)
    return transient("FetchFailed", f"the volume of {name} failed: {error}")


@contextmanager
def _ended_by_signal() -> Iterator[None]:
    def end(_signal: int, _frame: FrameType | None) -> None:
        raise EndedBySignalError

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fetch", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--uri", type=_uri, required=True, help="hf://org/name")
    parser.add_argument("--commit", required=True, help="40 hexadecimal digits")
    parser.add_argument("--destination", type=Path, required=True, help="folder to fill")
    parser.add_argument("--token-file", type=Path, help="access token of the hub")
    parser.add_argument("--report", type=Path, default=Path("/dev/termination-log"))
    parser.add_argument("--stall-seconds", type=float, default=60.0, help="silence that is a fault")
    parser.add_argument("--attempts", type=int, default=9, help="per file, without a new byte")
    parser.add_argument("--verify", action="store_true", help="read a filled folder whole")
    parser.add_argument(
        "--holder",
        default=os.environ.get("POD_UID", ""),
        help="identity of the pod; a restarted container takes over from its predecessor at once",
    )
    parser.add_argument("--heartbeat-seconds", type=float, default=5.0)
    parser.add_argument("--stale-seconds", type=float, default=45.0)
    return parser


def _uri(text: str) -> str:
    if not text.startswith("hf://"):
        raise argparse.ArgumentTypeError("it must begin with hf://")
    return text


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # at once: transfers that still wait for bytes hold nothing that matters
