"""I/O: deletes inspection records that no model of their namespace refers to any more."""

import logging
import time
from collections.abc import Callable

from quantized_model_operator.cluster.api_client import ApiClient
from quantized_model_operator.cluster.api_errors import ConflictError, NotFoundError
from quantized_model_operator.cluster.kinds import CONFIG_MAP
from quantized_model_operator.cluster.model_store import ModelStore
from quantized_model_operator.cluster.object_cache import Entry, ObjectCache

logger = logging.getLogger(__name__)


class Janitor:
    """Sweeps when told; the grace period begins when this process first misses a reference."""

    def __init__(
        self,
        *,
        client: ApiClient,
        models: ModelStore,
        records: ObjectCache,
        grace_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._models = models
        self._records = records
        self._grace_seconds = grace_seconds
        self._clock = clock
        self._unreferenced_since: dict[str, float] = {}

    async def sweep(self) -> int:
        """Delete what has been unreferenced for the grace period; the number deleted.

        Nothing happens while the models are not all known.
        """
        if not self._models.synced.is_set():
            return 0
        now = self._clock()
        unreferenced = {
            entry.uid: entry
            for entry in self._records
            if not self._models.keys_of_record(entry.namespace, entry.name)
        }
        self._unreferenced_since = {
            uid: self._unreferenced_since.get(uid, now) for uid in unreferenced
        }
        due = [
            unreferenced[uid]
            for uid, since in self._unreferenced_since.items()
            if now - since >= self._grace_seconds
        ]
        return sum([await self._delete(entry) for entry in due])

    async def _delete(self, entry: Entry) -> bool:
        # A model may have come while another record was being deleted.
        if self._models.keys_of_record(entry.namespace, entry.name):
            return False
        try:
            await self._client.delete(CONFIG_MAP, entry.namespace, entry.name, entry.uid)
        except (NotFoundError, ConflictError):
            return False
        self._records.deleted(entry)
        logger.info("%s/%s: deleted an unreferenced record", entry.namespace, entry.name)
        return True
