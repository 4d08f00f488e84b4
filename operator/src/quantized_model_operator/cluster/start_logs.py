"""I/O: the beginning of one log per revision, where vLLM tells its figures; read once.

The read begins when the startup probe has passed and goes on beside the reconciles, so that it
has ended by the time the pod is Ready; nothing waits for a kubelet that does not answer.
"""

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Protocol

from quantized_model_operator.cluster.api_errors import (
    ApiError,
    ServerError,
    TooManyRequestsError,
    UnreachableError,
)
from quantized_model_operator.domain.cluster_state import EngineStart, ModelKey, ObservedPod
from quantized_model_operator.domain.engine_figures import EngineFigures, engine_figures
from quantized_model_operator.domain.serving_pods import revision_of
from quantized_model_operator.domain.well_known import SERVING_CONTAINER

START_BYTES = 256 * 1024
"""Ten times what a start logs: 19 to 34 kB with 0.25.1 and 0.33.0. Source: our measurement."""
READ_ATTEMPTS = 3
WAIT_SECONDS = 0.25
"""A Ready pod waits so long for its figures, once for each attempt; an answer takes a tenth."""
KEPT_STARTS = 4096

logger = logging.getLogger(__name__)


class StartReader(Protocol):
    """The one request that is made here; ``ApiClient`` makes it."""

    async def log_start(self, namespace: str, pod: str, container: str, *, limit: int) -> str:
        """The beginning of a log, or an ``ApiError``."""


@dataclass(slots=True)
class _Read:
    attempts: int = 0
    settled: bool = False
    figures: EngineFigures | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)
    waited: int = 0


class StartLogs:
    """The figures by revision; the least recently used are forgotten first."""

    def __init__(self, client: StartReader) -> None:
        self._client = client
        self._reads: OrderedDict[tuple[ModelKey, str], _Read] = OrderedDict()

    async def of(self, key: ModelKey, pod: ObservedPod | None, recorded: str) -> EngineStart | None:
        """What this pod told; ``None`` when it is not known yet, or recorded already.

        ``recorded`` is the revision whose figures the status has.
        """
        if pod is None or revision_of(pod) == recorded:
            return None
        read = self._read_of(key, revision_of(pod))
        if read.task is None and not read.settled:
            read.attempts += 1
            read.task = asyncio.create_task(self._read(key.namespace, pod, read))
        if read.task is not None and pod.ready and read.waited < read.attempts:
            read.waited = read.attempts
            await asyncio.wait({read.task}, timeout=WAIT_SECONDS)
        if read.figures is None:
            return None
        return EngineStart(
            revision=revision_of(pod), pod=pod.name, node=pod.node_name, figures=read.figures
        )

    def forget(self, key: ModelKey) -> None:
        """Drop what is remembered of a model that is gone."""
        for item in [item for item in self._reads if item[0] == key]:
            del self._reads[item]

    def _read_of(self, key: ModelKey, revision: str) -> _Read:
        read = self._reads.setdefault((key, revision), _Read())
        self._reads.move_to_end((key, revision))
        while len(self._reads) > KEPT_STARTS:
            self._reads.popitem(last=False)
        return read

    async def _read(self, namespace: str, pod: ObservedPod, read: _Read) -> None:
        """One attempt; what goes wrong is logged and leaves the figures out."""
        try:
            text = await self._client.log_start(
                namespace, pod.name, SERVING_CONTAINER, limit=START_BYTES
            )
        except (UnreachableError, ServerError, TooManyRequestsError) as error:
            logger.info("first log of %s/%s: %s", namespace, pod.name, error)
        except ApiError as error:
            # Not allowed, rotated away or gone: asking again gives the same answer.
            read.settled = True
            logger.info("first log of %s/%s: %s", namespace, pod.name, error)
        else:
            read.settled = True
            read.figures = engine_figures(text)
        finally:
            read.settled = read.settled or read.attempts >= READ_ATTEMPTS
            read.task = None
