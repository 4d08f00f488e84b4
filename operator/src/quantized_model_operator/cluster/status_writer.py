"""I/O: the status of a model by server-side apply, only when it says something new."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from quantized_model_operator.cluster.api_client import ApiClient
from quantized_model_operator.cluster.api_errors import (
    ConflictError,
    NotFoundError,
    UndeclaredFieldError,
)
from quantized_model_operator.cluster.encoding import loads
from quantized_model_operator.cluster.kinds import MODEL, STATUS_MANAGER
from quantized_model_operator.cluster.model_store import ModelStore
from quantized_model_operator.cluster.status_content import (
    status_hash,
    with_transition_times,
    without_fields,
)
from quantized_model_operator.domain.cluster_state import ModelKey, Observed

logger = logging.getLogger(__name__)


class StatusWriter:
    """Compares with the cached status, and with what the server made of the last write.

    The second matters when the server keeps less or more than was sent (a field that the
    schema does not know, a default): the status would look different for ever.
    """

    def __init__(
        self, client: ApiClient, models: ModelStore, clock: Callable[[], datetime]
    ) -> None:
        self._client = client
        self._models = models
        self._clock = clock
        self._last: dict[ModelKey, tuple[str, str]] = {}
        self._undeclared: set[tuple[str, ...]] = set()

    async def write(self, observed: Observed, status: Mapping[str, Any]) -> bool:
        """Write the status if it is news; false also when the model is gone by now."""
        model = self._models.get(observed.key)
        if model is None or model["metadata"]["uid"] != observed.uid:
            return False
        cached = model.get("status") or {}
        status = without_fields(status, self._undeclared)
        wanted_hash = status_hash(status)
        if self._last.get(observed.key) == (wanted_hash, status_hash(cached)):
            return False
        if wanted_hash == status_hash(cached):
            return False
        try:
            answer = await self._apply(
                observed, with_transition_times(status, cached, self._clock())
            )
        except NotFoundError:
            return False
        except ConflictError:
            if await self._still_exists(observed):
                raise
            # A new model has taken the name: its own reconcile will tell.
            return False
        written = loads(answer)
        self._models.written(written)
        self._last[observed.key] = (wanted_hash, status_hash(written.get("status") or {}))
        return True

    async def _still_exists(self, observed: Observed) -> bool:
        try:
            body = loads(await self._client.get(MODEL, *observed.key))
        except NotFoundError:
            return False
        return bool(body["metadata"]["uid"] == observed.uid)

    async def _apply(self, observed: Observed, status: dict[str, Any]) -> bytes:
        """Apply what the CRD knows of the status: it may be older than this operator."""
        while True:
            try:
                return await self._client.apply(
                    MODEL,
                    _manifest(observed, without_fields(status, self._undeclared)),
                    manager=STATUS_MANAGER,
                    force=True,
                    subresource="status",
                )
            except UndeclaredFieldError as error:
                if not error.path or error.path in self._undeclared:
                    raise
                self._undeclared.add(error.path)
                logger.warning(
                    "%s is left out of every status: the CRD does not know it, so it is older"
                    " than this operator; apply the CRD of this version and restart",
                    ".".join(error.path),
                )

    def forget(self, key: ModelKey) -> None:
        """Drop what is remembered of a model that is gone."""
        self._last.pop(key, None)


def _manifest(observed: Observed, status: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": MODEL.api_version,
        "kind": MODEL.kind,
        # The uid is a precondition: never the status of a successor of the same name.
        "metadata": {
            "name": observed.key.name,
            "namespace": observed.key.namespace,
            "uid": observed.uid,
        },
        "status": status,
    }
