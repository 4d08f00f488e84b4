"""I/O: makes the desired objects exist, in their order, writing only what differs.

    held by the cache?   controller      what happens
    yes                  this model      compared; applied with force if it differs, and if that
                                         is invalid merged, so that our lists replace what is there
    yes                  none            compared; applied without force (adopted, or a conflict)
    yes                  another         a conflict, nothing is sent
    no                   -               applied without force; with force if what is there
                                         belongs to this model and only has lost its labels
A Job is created by POST instead and never patched. Records have no controller and are shared.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from quantized_model_operator.cluster.api_client import ApiClient
from quantized_model_operator.cluster.api_errors import (
    AlreadyExistsError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    OwnedByOtherError,
)
from quantized_model_operator.cluster.caches import ClusterCaches
from quantized_model_operator.cluster.compare import first_difference, with_applied_hash
from quantized_model_operator.cluster.encoding import loads
from quantized_model_operator.cluster.kinds import APPLIED, CONFIG_MAP, JOB, MANAGER
from quantized_model_operator.cluster.object_cache import Entry, entry_from_body
from quantized_model_operator.domain.child_objects import (
    AppliedObjects,
    DesiredObjects,
    Manifest,
    Removal,
    key_of,
)
from quantized_model_operator.domain.cluster_state import ObjectKey, Observed

logger = logging.getLogger(__name__)


class NameTakenError(OwnedByOtherError):
    """The cache holds an object of this name that belongs to somebody else."""

    def __init__(self, key: ObjectKey, owner_uid: str) -> None:
        owner = f"the owner with uid {owner_uid}" if owner_uid else "somebody else"
        message = f"{key.kind} {key.name} belongs to {owner}"
        super().__init__(409, "NameTaken", message)


@dataclass(slots=True)
class _Outcome:
    objects: dict[ObjectKey, Manifest] = field(default_factory=dict)
    conflicts: dict[ObjectKey, str] = field(default_factory=dict)
    refusals: dict[ObjectKey, str] = field(default_factory=dict)
    writes: int = 0


class Applier:
    """Carries out desired objects for one model at a time."""

    def __init__(self, client: ApiClient, caches: ClusterCaches) -> None:
        self._client = client
        self._caches = caches

    async def apply(self, observed: Observed, desired: DesiredObjects) -> AppliedObjects:
        """Apply, then remove.

        A name owned by others and an object that the server refuses are part of the answer; any
        other error ends it where it is.
        """
        outcome = _Outcome()
        for manifest in desired.manifests():
            key = key_of(manifest)
            try:
                outcome.objects[key] = await self._ensure(observed, key, manifest, outcome)
            except OwnedByOtherError as error:
                outcome.conflicts[key] = error.message
            except (InvalidError, ForbiddenError) as error:
                outcome.refusals[key] = error.message
        for removal in desired.removals:
            await self._remove(observed.key.namespace, removal, outcome)
        return AppliedObjects(
            objects=outcome.objects,
            writes=outcome.writes,
            conflicts=outcome.conflicts,
            refusals=outcome.refusals,
        )

    async def _ensure(
        self, observed: Observed, key: ObjectKey, manifest: Manifest, outcome: _Outcome
    ) -> Manifest:
        entry = self._caches.of_kind(key.kind).get(observed.key.namespace, key.name)
        owner_uid = "" if key.kind == CONFIG_MAP.kind else observed.uid
        if entry is not None and entry.owner_uid not in ("", owner_uid):
            raise NameTakenError(key, entry.owner_uid)
        if key.kind == JOB.kind:
            return await self._ensure_job(observed, manifest, entry, outcome)
        marked = with_applied_hash(manifest)
        if entry is not None:
            body = entry.body()
            difference = first_difference(marked, body)
            if difference is None:
                return body
            logger.info("%s: %s %s differs at %s", observed.key, *key, difference)
        is_ours = entry is not None and entry.owner_uid == owner_uid
        if is_ours:
            answer = await self._apply_own(key, marked)
        else:
            answer = await self._take_name(observed, key, marked)
        return self._written(key, answer, outcome)

    async def _apply_own(self, key: ObjectKey, manifest: Manifest) -> bytes:
        resource = APPLIED[key.kind]
        try:
            return await self._client.apply(resource, manifest, manager=MANAGER, force=True)
        except InvalidError:
            # Items that others put into our lists stay through an apply, and may contradict ours:
            # two ports of one name.
            return await self._client.merge(resource, manifest, manager=MANAGER)

    async def _take_name(self, observed: Observed, key: ObjectKey, manifest: Manifest) -> bytes:
        resource = APPLIED[key.kind]
        try:
            return await self._client.apply(resource, manifest, manager=MANAGER, force=False)
        except OwnedByOtherError:
            found = await self._client.find(resource, observed.key.namespace, key.name)
            if found is None or entry_from_body(found).owner_uid != observed.uid:
                raise
            return await self._apply_own(key, manifest)

    async def _ensure_job(
        self, observed: Observed, manifest: Manifest, entry: Entry | None, outcome: _Outcome
    ) -> Manifest:
        key = key_of(manifest)
        if entry is not None:
            if entry.owner_uid != observed.uid:
                raise NameTakenError(key, entry.owner_uid)
            return entry.body()
        try:
            answer = await self._client.create(JOB, manifest, manager=MANAGER)
        except AlreadyExistsError:
            found = entry_from_body(
                loads(await self._client.get(JOB, observed.key.namespace, key.name))
            )
            if found.owner_uid != observed.uid:
                raise NameTakenError(key, found.owner_uid) from None
            self._caches.jobs.written(found)
            return found.body()
        return self._written(key, answer, outcome)

    async def _remove(self, namespace: str, removal: Removal, outcome: _Outcome) -> None:
        kind, name = removal.key
        cache = self._caches.of_kind(kind)
        try:
            answer = await self._client.delete(APPLIED[kind], namespace, name, removal.uid)
        except (NotFoundError, ConflictError):
            # Gone, or another object by now: what was to go does not exist any more.
            return
        outcome.writes += 1
        logger.info("%s/%s: deleted %s: %s", namespace, name, kind, removal.why)
        self._removed(cache.get(namespace, name), removal.uid, loads(answer), kind)

    def _removed(self, entry: Entry | None, uid: str, answer: Mapping[str, Any], kind: str) -> None:
        cache = self._caches.of_kind(kind)
        if "deletionTimestamp" in (answer.get("metadata") or {}):
            # A finalizer holds it; it stays visible until it is really gone.
            cache.written(entry_from_body(dict(answer)))
        elif entry is not None and entry.uid == uid:
            cache.deleted(entry)

    def _written(self, key: ObjectKey, answer: bytes, outcome: _Outcome) -> Manifest:
        entry = entry_from_body(loads(answer))
        self._caches.of_kind(key.kind).written(entry)
        outcome.writes += 1
        return entry.body()
