"""Repositories below a root folder: ``ROOT/organisation/name/files``, digests and commits.

The commit of a repository follows from the content of its files, so it changes with them.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LARGE_SUFFIXES = (".bin", ".gguf", ".model", ".onnx", ".pt", ".safetensors")
LARGE_NAMES = ("tokenizer.json",)
LARGE_BYTES = 10 * 2**20
_POINTER_BYTES = 134


@dataclass(frozen=True)
class StoredFile:
    """A file of a repository with the digests that the hub states."""

    path: Path
    size: int
    sha256: str
    blob_sha1: str
    """Of the content itself, or of the pointer for a large file."""
    large: bool

    @property
    def etag(self) -> str:
        """The digest by which the file is known."""
        return self.sha256 if self.large else self.blob_sha1


@dataclass(frozen=True)
class Repository:
    """A repository as it is now."""

    name: str
    commit: str
    files: dict[str, StoredFile]

    def info(self, *, blobs: bool) -> dict[str, Any]:
        """The answer to a request for the model."""
        return {
            "_id": self.commit[:24],
            "id": self.name,
            "modelId": self.name,
            "author": self.name.partition("/")[0],
            "sha": self.commit,
            "lastModified": "2026-01-01T00:00:00.000Z",
            "createdAt": "2026-01-01T00:00:00.000Z",
            "private": False,
            "disabled": False,
            "gated": False,
            "downloads": 0,
            "likes": 0,
            "tags": ["gptq", "safetensors"],
            "siblings": [
                _sibling(name, file, blobs=blobs) for name, file in sorted(self.files.items())
            ],
        }

    def tree(self, folder: str, *, recursive: bool) -> list[dict[str, Any]]:
        """The answer to a request for the files below a folder."""
        prefix = f"{folder}/" if folder else ""
        entries: dict[str, dict[str, Any]] = {}
        for name, file in sorted(self.files.items()):
            if not name.startswith(prefix):
                continue
            inner = name.removeprefix(prefix)
            if "/" in inner and not recursive:
                path = prefix + inner.partition("/")[0]
                entries[path] = {"type": "directory", "oid": "0" * 40, "size": 0, "path": path}
            else:
                entries[name] = _tree_entry(name, file)
        return list(entries.values())


class Repositories:
    """All repositories below a root; digests are computed once per state of a file."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._known: dict[tuple[str, int, int], StoredFile] = {}

    def get(self, name: str) -> Repository | None:
        """The repository as it is now; ``None`` when there is none of the name."""
        folder = (self._root / name).resolve()
        if folder.parent.parent != self._root or not folder.is_dir():
            return None
        files = {
            path.relative_to(folder).as_posix(): self._stored(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        lines = "".join(f"{name} {file.sha256}\n" for name, file in sorted(files.items()))
        commit = hashlib.sha1(lines.encode(), usedforsecurity=False).hexdigest()
        return Repository(name, commit, files)

    def assume(self, path: Path, sha256: str) -> None:
        """Take the digest of a large file as known, so that a sparse one of any size is served."""
        state = path.stat()
        key = (str(path), state.st_size, state.st_mtime_ns)
        self._known[key] = StoredFile(path, state.st_size, sha256, sha256[:40], large=True)

    def large_file(self, sha256: str) -> StoredFile | None:
        """The large file with this digest, among those that were listed before."""
        return next(
            (file for file in self._known.values() if file.large and file.sha256 == sha256), None
        )

    def _stored(self, path: Path) -> StoredFile:
        state = path.stat()
        key = (str(path), state.st_size, state.st_mtime_ns)
        if key not in self._known:
            self._known[key] = _describe(path)
        return self._known[key]


def _describe(path: Path) -> StoredFile:
    size = path.stat().st_size
    large = path.suffix in LARGE_SUFFIXES or path.name in LARGE_NAMES or size >= LARGE_BYTES
    sha256, blob = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(2**20):
            sha256.update(block)
            blob.update(block)
    if large:
        pointer = (
            "version https://git-lfs.github.com/spec/v1\n"
            f"oid sha256:{sha256.hexdigest()}\nsize {size}\n"
        ).encode()
        blob = hashlib.sha1(b"blob %d\0" % len(pointer) + pointer, usedforsecurity=False)
    return StoredFile(path, size, sha256.hexdigest(), blob.hexdigest(), large)


def _sibling(name: str, file: StoredFile, *, blobs: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {"rfilename": name}
    if blobs:
        entry |= {"size": file.size, "blobId": file.blob_sha1}
        if file.large:
            entry["lfs"] = {
                "sha256": file.sha256,
                "size": file.size,
                "pointerSize": _POINTER_BYTES,
            }
    return entry


def _tree_entry(name: str, file: StoredFile) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "type": "file",
        "oid": file.blob_sha1,
        "size": file.size,
        "path": name,
    }
    if file.large:
        entry["lfs"] = {"oid": file.sha256, "size": file.size, "pointerSize": _POINTER_BYTES}
    return entry
