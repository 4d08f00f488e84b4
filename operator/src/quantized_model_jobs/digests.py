"""I/O: digests of files, computed in blocks so that a large file needs little memory."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

BLOCK_BYTES = 4 * 2**20


class VerificationStoppedError(Exception):
    """The caller asked to stop before the digest was complete."""


def never() -> bool:
    """Do not stop."""
    return False


def file_sha256(path: Path, stop: Callable[[], bool] = never) -> str:
    """The sha256 of a file; ``VerificationStoppedError`` when ``stop`` says so between blocks."""
    digest = hashlib.sha256()
    for block in _blocks(path):
        if stop():
            raise VerificationStoppedError
        digest.update(block)
    return digest.hexdigest()


def git_blob_sha1(path: Path) -> str:
    """The name that git gives to the content of a file."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    for block in _blocks(path):
        digest.update(block)
    return digest.hexdigest()


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            yield block
