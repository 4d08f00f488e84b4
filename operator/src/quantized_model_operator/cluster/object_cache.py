"""Pure: objects of one kind as compact JSON with a few extracted fields and indexes.

Two sources feed it: what the watch tells, and the answers to our own writes, which are newer
than the watch for a moment. Own writes are protected for five seconds: an older event or a list
that does not have them yet changes nothing. After that the watch is always right, so that
a cluster restored from a backup, whose versions went back, is followed too.

    write answered (v7) ---- event v5 (ignored) ---- event v7 (same, no change) ----> v8
"""

import sys
import time
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from quantized_model_operator.cluster.encoding import compact, loads
from quantized_model_operator.cluster.kinds import MODEL
from quantized_model_operator.domain.cluster_state import ModelKey
from quantized_model_operator.domain.well_known import MODEL_LABEL

OWN_WRITE_SECONDS = 5.0

_Group = TypeVar("_Group", bound=Hashable)

CacheKey = tuple[str, str]
"""Namespace (empty for nodes) and name."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One object: what is looked up often, and the whole as JSON."""

    namespace: str
    name: str
    uid: str
    version: int
    """resourceVersion; comparable as a number. Source: Kubernetes 1.35, KEP-5504."""
    owner_uid: str
    """Of the controller; empty without one."""
    model: str
    """Name of the model: of the controller if that is one, else of the label."""
    raw: bytes

    @property
    def key(self) -> CacheKey:
        """Where the entry is kept."""
        return (self.namespace, self.name)

    @property
    def model_key(self) -> ModelKey:
        """The model that this object belongs to; its name is empty when there is none."""
        return ModelKey(self.namespace, self.model)

    def body(self) -> dict[str, Any]:
        """The object, parsed anew."""
        parsed: dict[str, Any] = loads(self.raw)
        return parsed


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to one object."""

    entry: Entry
    """As it is now, or as it was last."""
    gone: bool = False


Slim = Callable[[dict[str, Any]], Mapping[str, Any]]
"""Reduces an object to what the operator looks at."""


def without_managed_fields(body: dict[str, Any]) -> Mapping[str, Any]:
    """The object without ``managedFields``, often half of its bytes."""
    body["metadata"].pop("managedFields", None)
    return body


def entry_from_body(body: dict[str, Any], slim: Slim = without_managed_fields) -> Entry:
    """The entry of an object, which is consumed."""
    metadata = body["metadata"]
    owner: Mapping[str, Any] = next(
        (o for o in metadata.get("ownerReferences") or () if o.get("controller")), {}
    )
    owned_by_model = owner.get("kind") == MODEL.kind
    label = (metadata.get("labels") or {}).get(MODEL_LABEL, "")
    version = str(metadata.get("resourceVersion", ""))
    return Entry(
        # Few namespaces, many objects: one string each.
        namespace=sys.intern(metadata.get("namespace", "")),
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        version=int(version) if version.isdecimal() else 0,
        owner_uid=owner.get("uid", ""),
        model=sys.intern(owner["name"] if owned_by_model else label),
        raw=compact(slim(body)),
    )


class ObjectCache:
    """Entries by key, by uid of the controller and by name of the model."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: dict[CacheKey, Entry] = {}
        self._by_owner: dict[str, set[CacheKey]] = {}
        self._by_model: dict[ModelKey, set[CacheKey]] = {}
        self._own_writes: dict[CacheKey, float] = {}
        self._own_deletes: dict[str, float] = {}

    def __len__(self) -> int:
        """How many objects are held."""
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        """All entries as they were when the iteration began."""
        return iter(tuple(self._entries.values()))

    def get(self, namespace: str, name: str) -> Entry | None:
        """The entry of a key."""
        return self._entries.get((namespace, name))

    def of_owner(self, uid: str) -> list[Entry]:
        """Entries whose controller has this uid, by name."""
        return [self._entries[key] for key in sorted(self._by_owner.get(uid, ()))]

    def of_model(self, key: ModelKey) -> list[Entry]:
        """Entries that belong to a model by controller or label, by name."""
        return [self._entries[key_] for key_ in sorted(self._by_model.get(key, ()))]

    def written(self, entry: Entry) -> None:
        """Keep the answer to an own write; the watch may bring older news for a while."""
        current = self._entries.get(entry.key)
        if current is None or current.version <= entry.version:
            self._put(entry)
            self._own_writes[entry.key] = self._clock() + OWN_WRITE_SECONDS

    def deleted(self, entry: Entry) -> None:
        """Forget an object that an own write deleted; late news of it is ignored for a while."""
        self._expire_own_deletes()
        self._own_deletes[entry.uid] = self._clock() + OWN_WRITE_SECONDS
        current = self._entries.get(entry.key)
        if current is not None and current.uid == entry.uid:
            self._remove(entry.key)

    def heard(self, entry: Entry) -> Change | None:
        """Take an object from the watch or a list; ``None`` when it is no news."""
        current = self._entries.get(entry.key)
        if self._deleted_by_us(entry.uid):
            return None
        if current is None:
            self._put(entry)
            return Change(entry)
        if current.version > entry.version and self._written_by_us(entry.key):
            return None
        if current.version == entry.version > 0 and current.uid == entry.uid:
            return None
        self._put(entry)
        return None if current.raw == entry.raw else Change(entry)

    def heard_gone(self, entry: Entry) -> Change | None:
        """Take a deletion from the watch; ``None`` when it is no news."""
        current = self._entries.get(entry.key)
        self._own_deletes.pop(entry.uid, None)
        if current is None or current.uid != entry.uid:
            return None
        self._remove(entry.key)
        return Change(current, gone=True)

    def replaced(self, listed: Collection[CacheKey], version: int) -> Iterator[Change]:
        """Drop what a complete list of ``version`` does not have, but for newer own writes."""
        for key in [key for key in self._entries if key not in listed]:
            current = self._entries[key]
            if current.version > version and self._written_by_us(key):
                continue
            self._remove(key)
            yield Change(current, gone=True)

    def _put(self, entry: Entry) -> None:
        current = self._entries.get(entry.key)
        if current is not None and (current.owner_uid, current.model) != (
            entry.owner_uid,
            entry.model,
        ):
            self._remove(entry.key)
        self._entries[entry.key] = entry
        if entry.owner_uid:
            self._by_owner.setdefault(entry.owner_uid, set()).add(entry.key)
        if entry.model:
            self._by_model.setdefault(entry.model_key, set()).add(entry.key)

    def _remove(self, key: CacheKey) -> None:
        entry = self._entries.pop(key)
        self._own_writes.pop(key, None)
        _discard(self._by_owner, entry.owner_uid, key)
        _discard(self._by_model, entry.model_key, key)

    def _written_by_us(self, key: CacheKey) -> bool:
        until = self._own_writes.get(key)
        if until is not None and until < self._clock():
            del self._own_writes[key]
            return False
        return until is not None

    def _deleted_by_us(self, uid: str) -> bool:
        return self._own_deletes.get(uid, float("-inf")) > self._clock()

    def _expire_own_deletes(self) -> None:
        now = self._clock()
        for uid in [uid for uid, until in self._own_deletes.items() if until <= now]:
            del self._own_deletes[uid]


def _discard(index: dict[_Group, set[CacheKey]], group: _Group, key: CacheKey) -> None:
    keys = index.get(group)
    if keys is not None:
        keys.discard(key)
        if not keys:
            del index[group]
