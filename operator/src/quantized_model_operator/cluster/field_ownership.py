"""Pure: who set which field, and what server-side apply makes of it; for the in-memory cluster.

A document is flattened to leaves. Lists with merge keys become maps of their items; all other
lists, and the maps that are atomic, are leaves as a whole.

    {"ports": [{"port": 80, "name": "http"}]}
    -> ("ports", (80, "TCP"), "port"): 80, ("ports", (80, "TCP"), "name"): "http"
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from quantized_model_operator.cluster.compare import ATOMIC_MAPS, merge_key

Json = Any
"""A value of a parsed JSON document."""

Path = tuple[str | tuple[Json, ...], ...]
"""Names of fields, and merge keys of list items."""

IDENTITY: frozenset[Path] = frozenset(
    {("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace")}
)
"""Fields that nobody owns."""


@dataclass(slots=True)
class OwnedDocument:
    """A document and, for each manager, the leaves that it has applied."""

    leaves: dict[Path, Json] = field(default_factory=dict)
    owners: dict[str, set[Path]] = field(default_factory=dict)

    def conflicts(self, manifest: Mapping[str, Any], manager: str) -> list[str]:
        """Leaves that another manager owns and that the manifest would change."""
        return [
            f"conflict with {other}: {dotted(path)}"
            for path, value in flatten(manifest)
            for other, owned in self.owners.items()
            if other != manager and path in owned and self.leaves.get(path) != value
        ]

    def apply(self, manifest: Mapping[str, Any], manager: str) -> None:
        """Set the manifest's leaves, and drop what only this manager had applied before."""
        wanted = dict(flatten(manifest))
        others = {name: owned for name, owned in self.owners.items() if name != manager}
        for path in self.owners.get(manager, set()) - set(wanted):
            if not any(path in owned for owned in others.values()):
                self.leaves.pop(path, None)
        for path, value in wanted.items():
            for owned in others.values():
                if self.leaves.get(path) != value:
                    owned.discard(path)
            self.leaves[path] = value
        self.owners[manager] = set(wanted) - IDENTITY

    def document(self) -> dict[str, Any]:
        """The document as it is now."""
        built = _build(self.leaves)
        if not isinstance(built, dict):
            raise TypeError(built)
        return built


def flatten(value: Json, path: Path = ()) -> Iterator[tuple[Path, Json]]:
    """The leaves of a document."""
    name = path[-1] if path and isinstance(path[-1], str) else ""
    if isinstance(value, Mapping) and value and name not in ATOMIC_MAPS:
        for field_name, item in value.items():
            yield from flatten(item, (*path, field_name))
        return
    if isinstance(value, (list, tuple)) and value:
        keys = [merge_key(item, name) for item in value]
        if None not in keys:
            for key, item in zip(keys, value, strict=True):
                yield from flatten(item, (*path, key or ()))
            return
    yield path, value


def dotted(path: Path) -> str:
    """The path as people write it."""
    parts = (f"[{part[0]}]" if isinstance(part, tuple) else f".{part}" for part in path)
    return "".join(parts)


def _build(leaves: Mapping[Path, Json]) -> Json:
    if () in leaves:
        return leaves[()]
    groups: dict[str | tuple[Json, ...], dict[Path, Json]] = {}
    for path, value in leaves.items():
        groups.setdefault(path[0], {})[path[1:]] = value
    if any(isinstance(key, tuple) for key in groups):
        return [_build(group) for group in groups.values()]
    return {key: _build(group) for key, group in groups.items()}
