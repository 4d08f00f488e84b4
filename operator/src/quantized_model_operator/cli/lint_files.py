"""I/O: finds manifests below the given paths and reads them."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from quantized_model_operator.cli.lint_kustomize import patches_named_in
from quantized_model_operator.cli.manifests import (
    STANDARD_INPUT,
    Manifest,
    Unreadable,
    read_manifests,
    read_text,
)

SUFFIXES = (".yaml", ".yml", ".json")
_OURS = re.compile(r"quanti[sz]e?d?[-_ ]?model", re.IGNORECASE)
_CLAIM = re.compile(r"\bPersistentVolumeClaim\b")


class UnreadableFileError(Exception):
    """A path that was named does not exist, or cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundManifests:
    """What the given paths have."""

    manifests: tuple[Manifest, ...]
    unreadable: tuple[Unreadable, ...]
    files: int
    """Files that were read."""
    patches: frozenset[str] = frozenset()
    """Files among them with parts of objects, which Kustomize puts together."""


def find_manifests(paths: Sequence[str]) -> FoundManifests:
    """Every manifest of the files, directories and standard input; ``UnreadableFileError``."""
    manifests: list[Manifest] = []
    unreadable: list[Unreadable] = []
    files: list[str] = []
    for path in dict.fromkeys(paths):
        for file, text in _texts(path):
            files.append(file)
            for item in read_manifests(text, file):
                if isinstance(item, Manifest):
                    manifests.append(item)
                elif file == path or speaks_of_models(item.text):
                    unreadable.append(item)
    return FoundManifests(
        manifests=tuple(manifests),
        unreadable=tuple(unreadable),
        files=len(files),
        patches=_patches_among(files, paths),
    )


def _patches_among(files: Sequence[str], paths: Sequence[str]) -> frozenset[str]:
    """Files that a kustomization beside them, or below one of the directories, names as patches."""
    folders = {Path(file).parent for file in files if file != STANDARD_INPUT}
    for path in paths:
        if Path(path).is_dir():
            folders |= {Path(folder) for folder, _, _ in os.walk(path)}
    named = {patch for folder in folders for patch in patches_named_in(folder)}
    return frozenset(file for file in files if named and Path(file).resolve() in named)


def speaks_of_models(text: str) -> bool:
    """Whether the text has the name of the resource, or one like it, anywhere."""
    return _OURS.search(text) is not None


def _texts(path: str) -> Iterator[tuple[str, str]]:
    """Files with their texts; of a directory those that may have models or claims of models."""
    if path == STANDARD_INPUT or not Path(path).is_dir():
        yield path, _text(path)
        return
    for file in _files_below(path):
        text = _text(file)
        if speaks_of_models(text) or _CLAIM.search(text):
            yield file, text


def _text(file: str) -> str:
    try:
        return read_text(file)
    except OSError as error:
        raise UnreadableFileError(f"{file}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UnreadableFileError(f"{file}: not UTF-8: {error.reason}") from error


def _files_below(directory: str) -> Iterator[str]:
    """YAML and JSON files in a fixed order, without those in hidden folders."""

    def fail(error: OSError) -> None:
        raise UnreadableFileError(f"{error.filename}: {error.strerror}") from error

    for folder, folders, files in os.walk(directory, onerror=fail):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.endswith(SUFFIXES):
                yield str(Path(folder) / name)
