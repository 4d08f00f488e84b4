"""Pure: is what was rendered contained in what lives, read as Kubernetes reads it?

Fields that only the live object has are ignored: defaults, and what others own. A field that is
no longer rendered is noticed by the hash in ``kinds.APPLIED_ANNOTATION``.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from quantized_model_operator.cluster.encoding import canonical_hash
from quantized_model_operator.cluster.kinds import APPLIED_ANNOTATION
from quantized_model_operator.domain.quantity import InvalidQuantityError, parse_quantity

Json = Any
"""A value of a parsed JSON document."""

MERGE_KEYS: Mapping[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "imagePullSecrets": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "ownerReferences": ("uid",),
    "conditions": ("type",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
}
"""Lists whose items are matched by key. Source: ``x-kubernetes-list-map-keys`` of the OpenAPI
schema of Kubernetes 1.37, checked 2026-11-24. Ports are in ``_port_key``."""

QUANTITY_MAPS = frozenset({"limits", "requests", "capacity", "allocatable"})
QUANTITY_FIELDS = frozenset({"sizeLimit", "divisor", "storage"})
ATOMIC_MAPS = frozenset({"selector", "labelSelector", "nodeSelector", "matchLabels"})
"""Maps with one owner as a whole: a key that somebody adds is a difference.
Source: ``x-kubernetes-map-type: atomic`` there."""
PRESENCE = frozenset({"emptyDir"})
"""Maps that mean something when empty."""


def with_applied_hash(rendered: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest with the hash of itself in its annotations."""
    metadata = dict(rendered["metadata"])
    annotations = dict(metadata.get("annotations") or {})
    metadata["annotations"] = {**annotations, APPLIED_ANNOTATION: canonical_hash(rendered)}
    return {**rendered, "metadata": metadata}


def first_difference(rendered: Json, live: Json) -> str | None:
    """Path of the first rendered value that does not live as rendered; ``None`` without one."""
    return _difference(rendered, live, "", "")


def quantity(text: Json) -> Decimal | None:
    """The value of a Kubernetes quantity, ``None`` for anything else."""
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        return None
    try:
        return parse_quantity(text)
    except InvalidQuantityError:
        return None


def merge_key(item: Json, field: str) -> tuple[Json, ...] | None:
    """What identifies an item of the list ``field``; ``None`` in a list that goes by position."""
    if not isinstance(item, (dict, Mapping)):
        return None
    if field == "ports":
        return _port_key(item)
    names = MERGE_KEYS.get(field)
    if names is None or any(name not in item for name in names):
        return None
    return tuple(item[name] for name in names)


def _difference(rendered: Json, live: Json, path: str, field: str) -> str | None:
    if isinstance(rendered, (str, int, float)):
        # Most values; asking an abstract class about each would double the cost of all.
        return None if _is_same(rendered, live, field) else path
    if _is_empty(rendered):
        missing = field in PRESENCE and live is None
        return path if missing and rendered is not None else None
    if isinstance(rendered, (dict, Mapping)):
        return _map_difference(rendered, live, path, field)
    return _list_difference(rendered, live, path, field)


def _map_difference(rendered: Mapping[str, Any], live: Json, path: str, field: str) -> str | None:
    if not isinstance(live, (dict, Mapping)):
        return path
    if field in ATOMIC_MAPS and set(live) - set(rendered):
        return path
    for name, value in rendered.items():
        # In a map of quantities the names are resources, so the map decides.
        inner = field if field in QUANTITY_MAPS else name
        found = _difference(value, live.get(name), f"{path}.{name}".lstrip("."), inner)
        if found is not None:
            return found
    return None


def _list_difference(rendered: Sequence[Json], live: Json, path: str, field: str) -> str | None:
    if not isinstance(live, Sequence) or isinstance(live, str):
        return path
    if all(merge_key(item, field) is not None for item in rendered):
        by_key = {merge_key(item, field): item for item in live}
        pairs = [(item, by_key.get(merge_key(item, field))) for item in rendered]
    elif len(rendered) != len(live):
        return path
    else:
        pairs = list(zip(rendered, live, strict=True))
    for index, (item, counterpart) in enumerate(pairs):
        if counterpart is None and item is not None:
            return f"{path}[{index}]"
        found = _difference(item, counterpart, f"{path}[{index}]", "")
        if found is not None:
            return found
    return None


def _port_key(item: Mapping[str, Any]) -> tuple[Json, ...] | None:
    number = item.get("containerPort", item.get("port"))
    return None if number is None else (number, item.get("protocol", "TCP"))


def _is_same(rendered: Json, live: Json, field: str) -> bool:
    if isinstance(rendered, bool) or isinstance(live, bool):
        return rendered is live
    if rendered == live:
        return True
    if field not in QUANTITY_MAPS and field not in QUANTITY_FIELDS:
        return False
    value = quantity(rendered)
    return value is not None and value == quantity(live)


def _is_empty(value: Json) -> bool:
    return not value and (value is None or isinstance(value, (dict, list, tuple, Mapping)))
