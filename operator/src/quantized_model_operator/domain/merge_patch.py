"""Pure: patches of a spec (RFC 7386): put together, applied, and written for a user."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

MOST_CHARACTERS = 2048
"""Of a suggestion in the status."""


def merged(patches: Iterable[Mapping[str, Any] | None]) -> dict[str, Any] | None:
    """One patch from several; of two that disagree about a field the first wins."""
    together: dict[str, Any] = {}
    for patch in patches:
        together = _under(together, patch or {})
    return together or None


def patched(document: Any, patch: Any) -> Any:  # noqa: ANN401 - JSON
    """The document after the patch."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(document) if isinstance(document, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = patched(result.get(key), value)
    return result


def suggestion(patch: Mapping[str, Any] | None) -> str | None:
    """The patch of a spec as a merge patch of the model, in JSON; ``None`` when there is none."""
    if not patch:
        return None
    text = json.dumps({"spec": patch}, separators=(",", ":"))
    return text if len(text) <= MOST_CHARACTERS else None


def _under(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Both, where the first wins."""
    together = {**second, **first}
    for key, value in first.items():
        other = second.get(key)
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            together[key] = _under(value, other)
    return together
