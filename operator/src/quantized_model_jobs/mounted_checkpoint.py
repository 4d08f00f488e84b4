"""I/O: the evidence of a checkpoint in a mounted volume."""

import hashlib
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from quantized_model_jobs.digests import VerificationStoppedError, file_sha256
from quantized_model_operator.domain import checkpoint_files
from quantized_model_operator.domain.checkpoint import CheckpointProblem
from quantized_model_operator.domain.checkpoint_inspection import Evidence
from quantized_model_operator.domain.data_samples import wanted_samples
from quantized_model_operator.domain.readable_text import first_and_count, readable_name
from quantized_model_operator.domain.safetensors_header import (
    MAX_HEADER_BYTES,
    PREFIX_BYTES,
    DamagedShardError,
    parse_header,
)
from quantized_model_operator.domain.weight_file_checks import weight_map_of
from quantized_model_operator.domain.weights_manifest import (
    CHECKSUMS,
    MANIFEST,
    MANIFEST_LIMIT_BYTES,
    InvalidManifestError,
    Manifest,
    manifest_from_checksums,
    manifest_from_json,
)

_DOCUMENT_LIMIT_BYTES = 64 * 2**20
_SIDE_FILE_LIMIT_BYTES = 64 * 2**20
_READERS = 4


class UnreadableCheckpointError(Exception):
    """The folder or a file in it cannot be read; ``problem`` says why."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.problem = CheckpointProblem(reason="PathMissing", message=message)


@dataclass(frozen=True, slots=True)
class Verification:
    """What comparing the files with their manifest gave."""

    integrity: str
    digests: Mapping[str, str]
    problems: tuple[CheckpointProblem, ...] = ()
    warnings: tuple[str, ...] = ()


def gather(uri: str, claim_uid: str, folder: Path, time_budget_seconds: float) -> Evidence:
    """Everything that the verdict needs; digests are verified only while the budget lasts."""
    until = time.monotonic() + time_budget_seconds
    with _permission_explained():
        read = read_headers(uri, claim_uid, folder)
        wanted = checkpoint_files.serving_files(read.sizes, weight_map_of(read.documents))
        verification = _verify(folder, read.sizes, wanted, read.first_bytes, until)
        is_proven = verification.integrity == "Manifest"
        samples = {} if is_proven else _samples(folder, read.sizes, read.first_bytes)
    return replace(
        read,
        samples=samples,
        digests=verification.digests,
        integrity=verification.integrity,
        problems=verification.problems,
        warnings=verification.warnings,
    )


def read_headers(uri: str, claim_uid: str, folder: Path) -> Evidence:
    """What config and headers say, with no digest and no byte of the weights themselves."""
    with _permission_explained():
        sizes = _sizes(folder)
        documents = {
            name: _read(folder / name, _DOCUMENT_LIMIT_BYTES)
            for name in checkpoint_files.DOCUMENTS
            if name in sizes
        }
        weights = checkpoint_files.weight_files(sizes, weight_map_of(documents))
        first_bytes = {name: _header(folder / name) for name in weights if name in sizes}
    return Evidence(
        uri=uri, commit=claim_uid, sizes=sizes, documents=documents, first_bytes=first_bytes
    )


@contextmanager
def _permission_explained() -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        name = readable_name(Path(str(error.filename)).name)
        message = f"{name} may not be read by the user of the pod; make the files readable for it"
        raise UnreadableCheckpointError(message) from error


def _sizes(folder: Path) -> dict[str, int]:
    if not folder.is_dir():
        raise UnreadableCheckpointError(
            f"{readable_name(folder.name)} is no folder in the claim; correct the path in the uri"
        )
    sizes = {}
    for path in sorted(folder.iterdir()):
        if path.is_file():
            sizes[path.name] = path.stat().st_size
    for path in folder.glob("additional_chat_templates/*.jinja"):
        sizes[f"{path.parent.name}/{path.name}"] = path.stat().st_size
    return sizes


def _read(path: Path, limit: int) -> bytes:
    with path.open("rb") as file:
        return file.read(limit)


def _header(path: Path) -> bytes:
    with path.open("rb") as file:
        prefix = file.read(PREFIX_BYTES)
        length = int.from_bytes(prefix, "little")
        return prefix + file.read(length) if length <= MAX_HEADER_BYTES else prefix


def _samples(
    folder: Path, sizes: Mapping[str, int], first_bytes: Mapping[str, bytes]
) -> dict[str, bytes]:
    headers = {}
    for name, content in first_bytes.items():
        with suppress(DamagedShardError):  # told by the verdict
            headers[name] = parse_header(content, sizes[name])
    samples = {}
    for file, ranges in groupby(wanted_samples(headers), key=lambda wanted: wanted.file):
        with (folder / file).open("rb") as opened:
            for wanted in ranges:
                opened.seek(wanted.begin)
                samples[wanted.tensor] = opened.read(wanted.end - wanted.begin)
    return samples


def _verify(
    folder: Path,
    sizes: Mapping[str, int],
    wanted: tuple[str, ...],
    first_bytes: Mapping[str, bytes],
    until: float,
) -> Verification:
    digests = {
        name: f"header:{hashlib.sha256(first_bytes[name]).hexdigest()}"
        if name in first_bytes
        else f"sha256:{file_sha256(folder / name)}"
        for name in wanted
        if name in first_bytes or sizes[name] <= _SIDE_FILE_LIMIT_BYTES
    }
    try:
        source, manifest = _manifest(folder, sizes)
    except InvalidManifestError as error:
        return Verification("Unverified", digests, warnings=(f"{error}; digests are not checked",))
    if manifest is None:
        return Verification("Unverified", digests)
    uncovered = [name for name in first_bytes if name not in manifest.files]
    if uncovered:
        text = f"{source} has no digest of {first_and_count(uncovered)}, so it proves nothing"
        return Verification("Unverified", digests, warnings=(text,))
    covered = [name for name in wanted if name in manifest.files]
    return _compare(folder, source, manifest, names=covered, until=until, digests=digests)


def _manifest(folder: Path, sizes: Mapping[str, int]) -> tuple[str, Manifest | None]:
    for name in (MANIFEST, CHECKSUMS):
        if name in sizes:
            content = _read(folder / name, MANIFEST_LIMIT_BYTES)
            try:
                if name == MANIFEST:
                    return name, manifest_from_json(content)
                return name, manifest_from_checksums(content.decode("utf-8", "replace"))
            except InvalidManifestError as error:
                raise InvalidManifestError(f"{name} is not used: {error}") from error
    return "", None


def _compare(
    folder: Path,
    source: str,
    manifest: Manifest,
    *,
    names: list[str],
    until: float,
    digests: Mapping[str, str],
) -> Verification:
    def actual(name: str) -> str:
        return file_sha256(folder / name, lambda: time.monotonic() > until)

    try:
        with ThreadPoolExecutor(_READERS) as readers:
            found = dict(zip(names, readers.map(actual, names), strict=True))
    except VerificationStoppedError:
        text = f"there was no time to compare the weights with {source}: their digests are unknown"
        return Verification("Unverified", digests, warnings=(text,))
    wrong = sorted(name for name in names if found[name] != manifest.files[name].sha256)
    problems: tuple[CheckpointProblem, ...] = ()
    if wrong:
        problem = CheckpointProblem(
            reason="DigestMismatch",
            message=f"{first_and_count(wrong)} does not have the sha256 that {source} states: the "
            "data is damaged or was exchanged; copy the file again, or renew the list",
        )
        problems = (problem,)
    digests = {**digests, **{name: f"sha256:{value}" for name, value in found.items()}}
    return Verification("Manifest", digests, problems=problems)
