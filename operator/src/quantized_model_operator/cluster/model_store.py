"""I/O: the QuantizedModels that kopf tells of, and a resync that finds what it did not tell.

kopf does not report models that were deleted while its watch was down. The resync lists
metadata only, drops the uids that were known before the list began and are not in it, and
fetches what the store should hold and does not.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quantized_model_operator.cluster.api_client import METADATA_LIST, ApiClient
from quantized_model_operator.cluster.api_errors import GoneError, NotFoundError
from quantized_model_operator.cluster.encoding import loads
from quantized_model_operator.cluster.kinds import MODEL
from quantized_model_operator.cluster.object_cache import Entry, ObjectCache, entry_from_body
from quantized_model_operator.domain.cluster_state import ModelKey

RecordNames = Callable[[Mapping[str, Any]], Collection[str]]
"""Names of the inspection records that a model, given as its body, refers to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResyncResult:
    """What a resync changed: keys to reconcile, and keys that no longer exist."""

    added: tuple[ModelKey, ...]
    dropped: tuple[ModelKey, ...]


class ModelStore:
    """Models by key; fed by ``put`` and ``drop``, checked by ``resync``."""

    def __init__(self, record_names: RecordNames) -> None:
        self.synced = asyncio.Event()
        """Set once every model that the first list named is held or gone."""
        self._record_names = record_names
        self._cache = ObjectCache()
        self._missing: set[ModelKey] | None = None
        self._not_ready: set[ModelKey] = set()
        self._records: dict[ModelKey, frozenset[str]] = {}
        self._by_record: dict[tuple[str, str], set[ModelKey]] = {}

    def __len__(self) -> int:
        """How many models are held."""
        return len(self._cache)

    def put(self, body: Mapping[str, Any]) -> bool:
        """Take a model as an event tells it; false when it is no news, as after an own write."""
        entry = entry_from_body(dict(body) | {"metadata": dict(body["metadata"])})
        change = self._cache.heard(entry)
        if change is not None:
            self._index(entry, body)
        self._found(_key(entry))
        return change is not None

    def written(self, body: Mapping[str, Any]) -> None:
        """Take the answer to an own write of the status."""
        entry = entry_from_body(dict(body) | {"metadata": dict(body["metadata"])})
        self._cache.written(entry)
        self._index(entry, body)

    def drop(self, key: ModelKey) -> bool:
        """Forget a model that is gone; false when it was not held."""
        self._found(key)
        entry = self._cache.get(*key)
        if entry is None or self._cache.heard_gone(entry) is None:
            return False
        self._not_ready.discard(key)
        self._unindex_records(key)
        return True

    def get(self, key: ModelKey) -> Mapping[str, Any] | None:
        """The model, parsed anew."""
        entry = self._cache.get(*key)
        return entry.body() if entry is not None else None

    def uid(self, key: ModelKey) -> str:
        """Uid of the model; empty when it is not held."""
        entry = self._cache.get(*key)
        return entry.uid if entry is not None else ""

    def keys(self) -> list[ModelKey]:
        """All models held."""
        return [_key(entry) for entry in self._cache]

    def not_ready_keys(self) -> Sequence[ModelKey]:
        """Models whose status does not say Ready=True: they may wait for capacity."""
        return tuple(self._not_ready)

    def keys_of_record(self, namespace: str, name: str) -> Iterable[ModelKey]:
        """Models that refer to an inspection record."""
        return tuple(self._by_record.get((namespace, name), ()))

    async def expect(self, client: ApiClient, namespaces: Sequence[str]) -> int:
        """List what exists before kopf starts; ``synced`` follows when all of it is held."""
        listed = await _listed(client, namespaces)
        self._missing = {key for key in listed if self._cache.get(*key) is None}
        self._judge_synced()
        return len(listed)

    async def resync(self, client: ApiClient, namespaces: Sequence[str]) -> ResyncResult:
        """Compare with the cluster: drop ghosts, fetch what is missing."""
        known = {entry.uid: _key(entry) for entry in self._cache}
        listed = await _listed(client, namespaces)
        listed_uids = set(listed.values())
        dropped = [
            key
            for uid, key in known.items()
            if uid not in listed_uids and self.uid(key) == uid and self.drop(key)
        ]
        added = [key for key in listed if await self._fetch_missing(client, key)]
        if self._missing is not None:
            self._missing &= set(listed)
            self._judge_synced()
        return ResyncResult(added=tuple(added), dropped=tuple(dropped))

    async def _fetch_missing(self, client: ApiClient, key: ModelKey) -> bool:
        if self._cache.get(*key) is not None:
            return False
        try:
            return self.put(loads(await client.get(MODEL, *key)))
        except NotFoundError:
            return False

    def _index(self, entry: Entry, body: Mapping[str, Any]) -> None:
        key = _key(entry)
        if _is_ready(body):
            self._not_ready.discard(key)
        else:
            self._not_ready.add(key)
        names = frozenset(self._record_names(body))
        if names != self._records.get(key):
            self._unindex_records(key)
            self._records[key] = names
            for name in names:
                self._by_record.setdefault((key.namespace, name), set()).add(key)

    def _unindex_records(self, key: ModelKey) -> None:
        for name in self._records.pop(key, ()):
            keys = self._by_record[key.namespace, name]
            keys.discard(key)
            if not keys:
                del self._by_record[key.namespace, name]

    def _found(self, key: ModelKey) -> None:
        if self._missing is not None and not self.synced.is_set():
            self._missing.discard(key)
            self._judge_synced()

    def _judge_synced(self) -> None:
        if not self._missing:
            self.synced.set()


def _key(entry: Entry) -> ModelKey:
    return ModelKey(entry.namespace, entry.name)


def _is_ready(body: Mapping[str, Any]) -> bool:
    conditions = (body.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


async def _listed(client: ApiClient, namespaces: Sequence[str]) -> dict[ModelKey, str]:
    """Uids of all models by key."""
    listed: dict[ModelKey, str] = {}
    for namespace in namespaces or ("",):
        path = MODEL.collection(namespace)
        try:
            await _list_metadata(client, path, listed, page_size=500)
        except GoneError:
            await _list_metadata(client, path, listed, page_size=0)
    return listed


async def _list_metadata(
    client: ApiClient, path: str, listed: dict[ModelKey, str], *, page_size: int
) -> None:
    async for page in client.pages(path, accept=METADATA_LIST, page_size=page_size):
        for item in page["items"] or ():
            metadata = item["metadata"]
            listed[ModelKey(metadata["namespace"], metadata["name"])] = metadata["uid"]
