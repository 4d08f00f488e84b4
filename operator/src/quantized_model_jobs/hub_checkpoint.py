"""I/O: the evidence of a checkpoint on a hub; of the weights only the headers are read."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from quantized_model_jobs.hub_repository import HubRepository, Snapshot
from quantized_model_jobs.patience import patiently
from quantized_model_operator.domain import checkpoint_files
from quantized_model_operator.domain.checkpoint_inspection import Evidence
from quantized_model_operator.domain.safetensors_header import MAX_HEADER_BYTES, PREFIX_BYTES
from quantized_model_operator.domain.weight_file_checks import weight_map_of

_DOCUMENT_LIMIT_BYTES = 64 * 2**20
_READERS = 8
_BYTES_PER_TENSOR = 160
"""A generous guess of one tensor's text in a header; a short guess costs a second request."""
_LEAST_BYTES, _USUAL_BYTES, _MOST_BYTES = 16 * 2**10, 96 * 2**10, 4 * 2**20
_PAUSES_SECONDS = (0.5, 1.0, 2.0)
"""Between attempts within one run; the Job tries again later."""


def gather(uri: str, revision: str, repository: HubRepository) -> Evidence:
    """Everything that the verdict needs, in a few requests of together some hundred kB."""
    snapshot = patiently(lambda: repository.snapshot(revision), _PAUSES_SECONDS)
    sizes = {name: file.size for name, file in snapshot.files.items()}
    readers = ThreadPoolExecutor(_READERS)
    try:

        def read_all(names: Iterable[str], read: Callable[[str], bytes]) -> dict[str, bytes]:
            ordered = list(names)
            return dict(zip(ordered, readers.map(read, ordered), strict=True))

        documents = read_all(
            (name for name in checkpoint_files.DOCUMENTS if name in sizes),
            lambda name: _document(repository, snapshot, name),
        )
        weight_map = weight_map_of(documents)
        counts = _tensor_counts(weight_map)
        first_bytes = read_all(
            (name for name in checkpoint_files.weight_files(sizes, weight_map) if name in sizes),
            lambda name: _header(repository, snapshot, name, counts.get(name)),
        )
    finally:
        # Whoever still waits for the hub is not waited for: the verdict or the deadline is here.
        readers.shutdown(wait=False, cancel_futures=True)
    wanted = checkpoint_files.serving_files(sizes, weight_map)
    return Evidence(
        uri=uri,
        commit=snapshot.commit,
        sizes=sizes,
        documents=documents,
        first_bytes=first_bytes,
        digests={name: snapshot.files[name].digest for name in wanted},
        integrity="Hub",
    )


def _tensor_counts(weight_map: Mapping[str, str] | None) -> dict[str, int]:
    counts: dict[str, int] = {}
    for file in (weight_map or {}).values():
        counts[file] = counts.get(file, 0) + 1
    return counts


def _document(repository: HubRepository, snapshot: Snapshot, name: str) -> bytes:
    size = min(snapshot.files[name].size, _DOCUMENT_LIMIT_BYTES)
    return patiently(
        lambda: repository.first_bytes(snapshot.commit, name, 0, size), _PAUSES_SECONDS
    )


def _header(repository: HubRepository, snapshot: Snapshot, name: str, tensors: int | None) -> bytes:
    size = snapshot.files[name].size
    guess = _USUAL_BYTES if tensors is None else tensors * _BYTES_PER_TENSOR
    first = min(size, max(_LEAST_BYTES, min(guess, _MOST_BYTES)))
    content = patiently(
        lambda: repository.first_bytes(snapshot.commit, name, 0, first), _PAUSES_SECONDS
    )
    length = int.from_bytes(content[:PREFIX_BYTES], "little")
    end = min(PREFIX_BYTES + length, size)
    if length > MAX_HEADER_BYTES or end <= len(content):
        return content
    return content + patiently(
        lambda: repository.first_bytes(snapshot.commit, name, len(content), end),
        _PAUSES_SECONDS,
    )
