"""I/O: which files are patches of Kustomize, and so hold only a part of an object.

Source: Kustomize 5, kustomization.yaml: ``patches`` and the older ``patchesStrategicMerge``,
checked 2026-11-24.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from quantized_model_operator.cli.manifests import Manifest, read_manifests, read_text

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")


@cache
def patches_named_in(folder: Path) -> frozenset[Path]:
    """The patch files that the kustomization of a folder names; none without one."""
    return frozenset(
        (folder / patch).resolve()
        for name in NAMES
        if (folder / name).is_file()
        for patch in _patches(folder / name)
    )


def _patches(file: Path) -> Iterator[str]:
    """Paths in a kustomization; one that cannot be read is for Kustomize to complain about."""
    with suppress(OSError, ValueError):
        for item in read_manifests(read_text(str(file)), str(file)):
            if isinstance(item, Manifest):
                yield from _paths(item.content.get("patches"))
                yield from _paths(item.content.get("patchesStrategicMerge"))


def _paths(patches: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    for patch in patches if isinstance(patches, list) else ():
        path = patch.get("path") if isinstance(patch, Mapping) else patch
        # A patch may also stand in the list itself, as a text of several lines.
        if isinstance(path, str) and "\n" not in path:
            yield path
