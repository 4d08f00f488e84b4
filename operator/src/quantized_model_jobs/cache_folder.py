"""I/O: the folder that holds a fetched checkpoint, its manifest, and what is half done.

FOLDER/<files>                              complete and verified, moved there by rename
FOLDER/quantized-model-manifest.json        written last: everything is there
FOLDER/.quantized-model-fetch/lock          who is fetching
FOLDER/.quantized-model-fetch/*.part        partly fetched files
"""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from quantized_model_jobs.digests import file_sha256
from quantized_model_operator.domain.checkpoint_files import is_plain_path
from quantized_model_operator.domain.weights_manifest import (
    MANIFEST,
    InvalidManifestError,
    Manifest,
    manifest_from_json,
    manifest_to_json,
)

_NO_SYNC = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})
_WORK = ".quantized-model-fetch"


class CacheFolder:
    """Paths and states of one destination; ``instance`` makes the names of parts unique."""

    def __init__(self, folder: Path, instance: str = "") -> None:
        self.folder = folder
        self._work = folder / _WORK
        self._instance = instance

    @property
    def lock(self) -> Path:
        """Path of the lock; its folder exists after ``prepare``."""
        return self._work / "lock"

    def prepare(self) -> None:
        """Make the folders."""
        self._work.mkdir(parents=True, exist_ok=True)

    def manifest(self) -> Manifest | None:
        """The manifest; ``None`` when there is none that can be understood."""
        try:
            return manifest_from_json((self.folder / MANIFEST).read_bytes())
        except (FileNotFoundError, InvalidManifestError):
            return None

    def is_filled(self, uri: str, commit: str) -> bool:
        """Whether the manifest is of this commit and all its files are there in full size."""
        manifest = self.manifest()
        return (
            manifest is not None
            and (manifest.uri, manifest.commit) == (uri, commit)
            and all(
                self.size(name) == digest.size
                for name, digest in manifest.files.items()
                if digest.size is not None
            )
        )

    def wrong_files(self, manifest: Manifest) -> list[str]:
        """Files whose content is not what the manifest says; reads all of them."""
        return [
            name
            for name, digest in manifest.files.items()
            if self.size(name) is None or file_sha256(self.folder / name) != digest.sha256
        ]

    def size(self, name: str) -> int | None:
        """Size of a file; ``None`` when it is not there."""
        try:
            return (self.folder / name).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def discard(self, names: Iterable[str]) -> None:
        """Remove files, those with odd names excepted."""
        for name in names:
            if is_plain_path(name):
                (self.folder / name).unlink(missing_ok=True)

    def write_manifest(self, manifest: Manifest) -> None:
        """Write the manifest in one step; from then on the folder counts as filled."""
        temporary = self._work / f"manifest.{self._instance}"
        with temporary.open("w", encoding="utf-8") as file:
            file.write(manifest_to_json(manifest))
            bring_to_disk(file)
        temporary.replace(self.folder / MANIFEST)

    def adopt_part(self, name: str, digest: str) -> Path:
        """The part of a file to go on with, under a name of our own; it may not exist yet.

        The largest part that an earlier program left is taken, others are removed.
        """
        key = hashlib.sha256(f"{name}\n{digest}".encode()).hexdigest()[:32]
        mine = self._work / f"{key}.{self._instance}.part"
        found = sorted(self._work.glob(f"{key}.*.part"), key=_size_or_zero)
        for path in found[:-1]:
            path.unlink(missing_ok=True)
        if found and found[-1] != mine:
            with suppress(FileNotFoundError):
                found[-1].replace(mine)
        return mine

    def place(self, part: Path, name: str) -> None:
        """Move a complete part to where vLLM reads it."""
        final = self.folder / name
        final.parent.mkdir(parents=True, exist_ok=True)
        part.replace(final)

    def missing_bytes(self, sizes: Mapping[str, int]) -> int:
        """Bytes that still have to be written for these files, parts taken into account."""
        parts = sum(_size_or_zero(path) for path in self._work.glob("*.part"))
        missing = sum(size for name, size in sizes.items() if self.size(name) != size)
        return max(missing - parts, 0)

    def free_bytes(self) -> int:
        """Bytes that the volume has left for this user."""
        return shutil.disk_usage(self.folder).free

    def tidy(self) -> None:
        """Remove what half-done downloads left."""
        for pattern in ("*.part", "manifest.*", "lock.*"):
            for path in self._work.glob(pattern):
                path.unlink(missing_ok=True)


def bring_to_disk(file: IO[Any]) -> None:
    """Flush a file down to the disk, where its volume knows how; some network volumes do not."""
    file.flush()
    try:
        os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise


def _size_or_zero(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
