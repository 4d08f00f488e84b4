"""I/O: one file from the hub into the cache folder: resumed, verified, then put in place."""

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import BinaryIO

from quantized_model_jobs.cache_folder import CacheFolder, bring_to_disk
from quantized_model_jobs.digests import BLOCK_BYTES, file_sha256, git_blob_sha1
from quantized_model_jobs.download_progress import DownloadProgress, say
from quantized_model_jobs.hub_errors import HubUnreachableError, refused
from quantized_model_jobs.hub_repository import HubFile, HubRepository
from quantized_model_operator.domain.readable_text import readable_bytes, readable_name

LEAST_BYTES_PER_SECOND = 1024
"""A transfer slower than this over the stall time counts as stalled."""
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 30.0
_TRANSFERS = 2
"""A file with a wrong digest is fetched once more, from the beginning."""


class StoppedError(Exception):
    """The work was called off: the lock is lost, or another file failed."""


@dataclass(frozen=True, slots=True)
class Fetching:
    """What the downloads of one run share."""

    repository: HubRepository
    commit: str
    cache: CacheFolder
    progress: DownloadProgress
    stall_seconds: float
    attempts: int
    """Failures in a row, without a new byte between them, after which a file is given up."""
    stop: Event
    """Set when the work is called off."""


class _Content:
    """The digests and the position of what is written to a part."""

    def __init__(self, target: BinaryIO, file: HubFile) -> None:
        self._target = target
        self._file = file
        self._begin()
        while block := target.read(BLOCK_BYTES):
            self._digest(block)

    def append(self, block: bytes) -> None:
        """Write bytes at the position."""
        self._target.write(block)
        self._digest(block)

    def restart(self) -> None:
        """Forget everything that was written."""
        self._target.seek(0)
        self._target.truncate()
        self._begin()

    def flush(self) -> None:
        """Bring the bytes to the disk."""
        bring_to_disk(self._target)

    def is_right(self) -> bool:
        """Whether the bytes have the digest that the hub states."""
        if self._file.sha256:
            return self.sha256.hexdigest() == self._file.sha256
        return self._blob.hexdigest() == self._file.blob_sha1

    def _begin(self) -> None:
        self.position = 0
        self.sha256 = hashlib.sha256()
        self._blob = hashlib.sha1(b"blob %d\0" % self._file.size, usedforsecurity=False)

    def _digest(self, block: bytes) -> None:
        self.position += len(block)
        self.sha256.update(block)
        if not self._file.sha256:
            self._blob.update(block)


def fetch_file(run: Fetching, name: str, file: HubFile) -> str:
    """Make the file exist with the digest of the hub; the answer is its sha256.

    Raises a refusal ``DigestMismatch`` when the hub sends other bytes twice, and
    ``HubUnreachableError`` when it sends none for too long.
    """
    present = _present_sha256(run, name, file)
    if present:
        run.progress.already_there(file.size)
        return present
    for _ in range(_TRANSFERS):
        part = run.cache.adopt_part(name, file.digest)
        digest = _transfer(run, name, file, part)
        if digest:
            try:
                run.cache.place(part, name)
            except FileNotFoundError as error:  # adopted by whoever took the folder over
                raise StoppedError from error
            return digest
        part.unlink(missing_ok=True)
        run.progress.received(-file.size)
        say(f"{readable_name(name)} arrived with a wrong digest and was removed")
    raise refused(
        "DigestMismatch",
        f"{readable_name(name)} arrived twice with another digest than the hub states "
        f"({file.digest[:19]}...); the mirror or the repository is damaged: use another endpoint, "
        "or upload the file again",
    )


def _present_sha256(run: Fetching, name: str, file: HubFile) -> str:
    """The sha256 of a file that is complete and right already; a wrong one is removed."""
    path = run.cache.folder / name
    if run.cache.size(name) is None:
        return ""
    if run.cache.size(name) == file.size:
        found = file_sha256(path)
        if found == file.sha256 or (not file.sha256 and git_blob_sha1(path) == file.blob_sha1):
            return found
    path.unlink()
    return ""


def _transfer(run: Fetching, name: str, file: HubFile, part: Path) -> str:
    """Complete the part; the answer is its sha256, or empty when its digest is wrong."""
    with part.open("r+b" if part.exists() else "x+b") as target:
        content = _Content(target, file)
        if content.position > file.size:
            content.restart()
        run.progress.already_there(content.position)
        failures = 0
        while content.position < file.size:
            position = content.position
            try:
                _receive(run, name, file, content)
            except HubUnreachableError as error:
                failures = 1 if content.position > position else failures + 1
                if failures >= run.attempts:
                    raise
                _pause(run, failures)
                say(
                    f"{readable_name(name)}: {error}; going on at "
                    f"{readable_bytes(content.position)}"
                )
        content.flush()
        return content.sha256.hexdigest() if content.is_right() else ""


def _receive(run: Fetching, name: str, file: HubFile, content: _Content) -> None:
    """One request: append what arrives until the file is complete or the transfer ends."""
    _raise_when_stopped(run)
    with run.repository.stream(run.commit, name, content.position, run.stall_seconds) as answer:
        if answer.begin != content.position:
            run.progress.received(-content.position)
            content.restart()
        window_began, window_position = time.monotonic(), content.position
        for chunk in answer.chunks():
            _raise_when_stopped(run)
            wanted = chunk[: file.size - content.position]
            content.append(wanted)
            run.progress.received(len(wanted))
            if content.position == file.size:
                return
            elapsed = time.monotonic() - window_began
            if elapsed >= run.stall_seconds:
                if content.position - window_position < elapsed * LEAST_BYTES_PER_SECOND:
                    raise HubUnreachableError("the transfer stalled")
                window_began, window_position = time.monotonic(), content.position
    if content.position < file.size:
        raise HubUnreachableError("the transfer ended early")


def _pause(run: Fetching, failures: int) -> None:
    seconds = min(_FIRST_PAUSE_SECONDS * 2 ** (failures - 1), _LONGEST_PAUSE_SECONDS)
    run.stop.wait(seconds)
    _raise_when_stopped(run)


def _raise_when_stopped(run: Fetching) -> None:
    if run.stop.is_set():
        raise StoppedError
