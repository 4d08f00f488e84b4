"""I/O: all files that serving needs, from the hub into a cache folder; the manifest last."""

from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Event

from quantized_model_jobs.cache_folder import CacheFolder
from quantized_model_jobs.download_progress import DownloadProgress, say
from quantized_model_jobs.file_download import Fetching, StoppedError, fetch_file
from quantized_model_jobs.hub_errors import refused
from quantized_model_jobs.hub_repository import HubFile, HubRepository, Snapshot
from quantized_model_jobs.patience import patiently
from quantized_model_operator.domain import checkpoint_files
from quantized_model_operator.domain.readable_text import readable_bytes
from quantized_model_operator.domain.weights_manifest import FileDigest, Manifest

_TRANSFERS_AT_ONCE = 4
_LOOK_SECONDS = 0.5
_PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)
_SPARE_BYTES = 16 * 2**20
"""Left free for what else a pod writes beside the weights; our choice."""


class LockLostError(Exception):
    """Another program took the folder over."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to fetch, and how."""

    uri: str
    commit: str
    repository: HubRepository
    stall_seconds: float
    attempts: int


def download(order: Order, cache: CacheFolder, is_lost: Callable[[], bool]) -> int:
    """Fill the folder and write its manifest; the answer is the number of bytes transferred.

    Raises refusals of the hub, ``DiskFull`` and ``DigestMismatch`` among them,
    ``HubUnreachableError``, ``LockLostError``, and ``OSError`` of the volume.
    """
    snapshot = patiently(lambda: order.repository.snapshot(order.commit), _PAUSES_SECONDS)
    stop = Event()
    progress = DownloadProgress()
    run = Fetching(
        repository=order.repository,
        commit=order.commit,
        cache=cache,
        progress=progress,
        stall_seconds=order.stall_seconds,
        attempts=order.attempts,
        stop=stop,
    )
    wanted = _wanted(run, snapshot)
    check_space(cache, wanted)
    progress.expect(sum(file.size for file in wanted.values()))
    before = cache.manifest()
    digests = _fetch_all(run, wanted, is_lost)
    files = {name: FileDigest(wanted[name].size, digests[name]) for name in wanted}
    cache.write_manifest(Manifest(order.uri, order.commit, files))
    if before is not None:
        cache.discard(set(before.files) - set(files))
    cache.tidy()
    return progress.transferred_bytes


def _wanted(run: Fetching, snapshot: Snapshot) -> dict[str, HubFile]:
    """The files to fetch; the index comes first, because it says which weights count."""
    sizes = {name: file.size for name, file in snapshot.files.items()}
    weight_map = None
    index = snapshot.files.get(checkpoint_files.INDEX)
    if index is not None:
        fetch_file(run, checkpoint_files.INDEX, index)
        content = (run.cache.folder / checkpoint_files.INDEX).read_bytes()
        try:
            weight_map = checkpoint_files.parse_index(content)
        except checkpoint_files.InvalidIndexError as error:
            message = f"{checkpoint_files.INDEX} cannot be used: {error}; restore the file"
            raise refused("ConfigInvalid", message) from error
    names = checkpoint_files.serving_files(sizes, weight_map)
    return {name: snapshot.files[name] for name in names}


def check_space(cache: CacheFolder, wanted: Mapping[str, HubFile]) -> None:
    """Refuse as ``DiskFull`` when the volume has no room for what is still missing."""
    asked = cache.missing_bytes({name: file.size for name, file in wanted.items()})
    free = cache.free_bytes()
    if asked and asked + _SPARE_BYTES > free:
        raise refused(
            "DiskFull",
            f"{readable_bytes(asked)} have still to be written, but the volume has only "
            f"{readable_bytes(free)} free; give spec.cache a larger volume",
            "spec.cache",
        )


def _fetch_all(
    run: Fetching, wanted: Mapping[str, HubFile], is_lost: Callable[[], bool]
) -> dict[str, str]:
    """The sha256 of each file, all of them in place; the first failure ends the others."""
    pool = ThreadPoolExecutor(_TRANSFERS_AT_ONCE, thread_name_prefix="fetch")
    largest_first = sorted(wanted, key=lambda name: (-wanted[name].size, name))
    futures = {name: pool.submit(fetch_file, run, name, wanted[name]) for name in largest_first}
    try:
        _watch(run, list(futures.values()), is_lost)
        return {name: future.result() for name, future in futures.items()}
    finally:
        # A transfer that still waits for bytes is not waited for.
        run.stop.set()
        pool.shutdown(wait=False, cancel_futures=True)


def _watch(run: Fetching, futures: list[Future[str]], is_lost: Callable[[], bool]) -> None:
    pending = set(futures)
    while pending:
        done, pending = wait(pending, timeout=_LOOK_SECONDS, return_when=FIRST_EXCEPTION)
        if is_lost():
            raise LockLostError
        for future in done:
            try:
                future.result()
            except StoppedError as error:  # nobody here called the work off
                raise LockLostError from error
        run.progress.print_when_due()
    say(f"transferred {readable_bytes(run.progress.transferred_bytes)}, all digests are right")
