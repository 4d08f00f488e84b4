"""I/O: Kubernetes Events about models; the same event is sent once an hour at most."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Any

from quantized_model_operator.cluster.api_client import ApiClient
from quantized_model_operator.cluster.api_errors import ApiError
from quantized_model_operator.cluster.encoding import canonical_hash
from quantized_model_operator.cluster.gateway import ModelEvent
from quantized_model_operator.cluster.kinds import EVENT, MANAGER, MODEL
from quantized_model_operator.domain.cluster_state import Observed
from quantized_model_operator.domain.timestamps import format_time
from quantized_model_operator.domain.well_known import GROUP

REPEAT_SECONDS = 3600.0
"""As long as the API server keeps events by default (``--event-ttl``)."""
REMEMBERED = 4096
NOTE_BYTES = 1024
"""Limit of a note of events.k8s.io/v1, in which form the event can be read as well.
Source: Kubernetes 1.37 API reference, checked 2026-11-24."""

logger = logging.getLogger(__name__)


class EventRecorder:
    """Sends events; needs ``create`` on ``events`` of the core group."""

    def __init__(
        self,
        *,
        client: ApiClient,
        identity: str,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._identity = identity
        self._clock = clock
        self._monotonic = monotonic
        self._sent: OrderedDict[tuple[str, ModelEvent], float] = OrderedDict()

    async def emit(self, observed: Observed, event: ModelEvent) -> None:
        """Send the event unless it was sent lately; a failure is logged and no more."""
        memory = (observed.uid, event)
        now = self._monotonic()
        if now - self._sent.get(memory, float("-inf")) < REPEAT_SECONDS:
            return
        self._sent[memory] = now
        self._sent.move_to_end(memory)
        while len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)
        try:
            await self._client.create(EVENT, self._manifest(observed, event), manager=MANAGER)
        except ApiError as error:
            logger.warning("event %s about %s: %s", event.reason, observed.key, error)

    def _manifest(self, observed: Observed, event: ModelEvent) -> dict[str, Any]:
        namespace, name = observed.key
        now = self._clock()
        stamp = format_time(now)
        unique = canonical_hash({"of": observed.uid, "at": now.timestamp(), "why": event.reason})
        return {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.kind,
            "metadata": {"name": f"{name}.{unique[:16]}", "namespace": namespace},
            "type": event.kind,
            "reason": event.reason,
            "message": event.message.encode()[:NOTE_BYTES].decode(errors="ignore"),
            "count": 1,
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "source": {"component": MANAGER},
            "reportingComponent": f"{GROUP}/{MANAGER}",
            "reportingInstance": (self._identity or MANAGER)[:128],
            "involvedObject": {
                "apiVersion": MODEL.api_version,
                "kind": MODEL.kind,
                "name": name,
                "namespace": namespace,
                "uid": observed.uid,
            },
        }
