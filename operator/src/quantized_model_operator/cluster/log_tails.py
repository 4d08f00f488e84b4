"""I/O: the last lines of containers that ended, each read once and kept compressed."""

import asyncio
import logging
import re
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from quantized_model_operator.cluster.api_client import ApiClient
from quantized_model_operator.cluster.api_errors import (
    ApiError,
    ServerError,
    TooManyRequestsError,
    UnreachableError,
)
from quantized_model_operator.domain.cluster_state import LogKey, ObservedContainer, ObservedPod

TAIL_LINES = 400
"""With several GPUs the cause is 330 lines before the end. Our measurement: vLLM 0.33.0, tensor
parallel size 2, where each process prints a traceback of its own."""
TAIL_BYTES = 64 * 1024
READ_BYTES = 256 * 1024
"""``limitBytes`` cuts the end of the tail, where the cause is; so more is read and cut here."""
KEPT_TAILS = 2048
READ_ATTEMPTS = 3

_STAMP = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d) ?", re.MULTILINE)
_END_IS_CUT = timedelta(seconds=1)
"""The kubelet tells the end of a container in whole seconds."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Wanted:
    key: LogKey
    pod: str
    previous: bool
    finished_at: datetime | None


@dataclass(slots=True)
class _Tail:
    compressed: bytes = b""
    attempts: int = 0
    settled: bool = False


class LogTails:
    """Tails by container run; the least recently used are forgotten first."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._tails: OrderedDict[LogKey, _Tail] = OrderedDict()

    async def of(self, namespace: str, pods: Sequence[ObservedPod]) -> Mapping[LogKey, str]:
        """Tails of the latest end of each container of serving pods; cannot fail."""
        wanted = [item for pod in pods if _is_serving(pod) for item in _ends(pod)]
        missing = [item for item in wanted if not self._tail(item.key).settled]
        if missing:
            await asyncio.gather(*(self._read(namespace, item) for item in missing))
        texts = {item.key: self._text(item.key) for item in wanted}
        return {key: text for key, text in texts.items() if text}

    def _tail(self, key: LogKey) -> _Tail:
        tail = self._tails.setdefault(key, _Tail())
        self._tails.move_to_end(key)
        while len(self._tails) > KEPT_TAILS:
            self._tails.popitem(last=False)
        return tail

    def _text(self, key: LogKey) -> str:
        tail = self._tails.get(key)
        if tail is None or not tail.compressed:
            return ""
        return zlib.decompress(tail.compressed).decode(errors="replace")

    async def _read(self, namespace: str, wanted: _Wanted) -> None:
        tail = self._tail(wanted.key)
        tail.attempts += 1
        try:
            text = await self._text_of_run(namespace, wanted)
        except (UnreachableError, ServerError, TooManyRequestsError) as error:
            tail.settled = tail.attempts >= READ_ATTEMPTS
            logger.info("log of %s/%s: %s", namespace, wanted.pod, error)
        except ApiError as error:
            # Rotated away, or the pod is gone: asking again gives the same answer.
            tail.settled = True
            logger.info("log of %s/%s: %s", namespace, wanted.pod, error)
        else:
            tail.settled = True
            tail.compressed = zlib.compress(_STAMP.sub("", text).encode()[-TAIL_BYTES:])

    async def _text_of_run(self, namespace: str, wanted: _Wanted) -> str:
        """The log of the run that ended, also when the next one has begun meanwhile.

        The first restart comes at once: by the time of the request the log under the container's
        name may be that of the new run, which has said nothing yet or began after the end.
        """

        async def read(*, previous: bool) -> str:
            return await self._client.log_tail(
                namespace,
                wanted.pod,
                wanted.key.container,
                previous=previous,
                lines=TAIL_LINES,
                limit=READ_BYTES,
            )

        text = await read(previous=wanted.previous)
        if wanted.previous or _is_of_run(text, wanted.finished_at):
            return text
        return await read(previous=True)


def _is_serving(pod: ObservedPod) -> bool:
    # What a pod says while it is being ended is the end that was asked for.
    return not pod.job_name and not pod.deleting


def _ends(pod: ObservedPod) -> Iterator[_Wanted]:
    for container in pod.containers:
        wanted = _latest_end(pod, container)
        if wanted is not None:
            yield wanted


def _latest_end(pod: ObservedPod, container: ObservedContainer) -> _Wanted | None:
    end = container.end or container.last_end
    # An init container that succeeded has nothing to tell; vLLM exits 0 after its engine died.
    if end is None or (container.init and end.exit_code == 0):
        return None
    previous = container.end is None
    if previous and (container.started or container.ready):
        return None  # it runs well since, so nothing has failed
    run = container.restart_count - 1 if previous else container.restart_count
    key = LogKey(pod.uid, container.name, run)
    return _Wanted(key, pod.name, previous, end.finished_at)


def _is_of_run(text: str, finished_at: datetime | None) -> bool:
    """Whether the first line is no later than the end of the run; without a line it is not."""
    stamp = _STAMP.match(text)
    if stamp is None or finished_at is None:
        return bool(text)
    first = datetime.fromisoformat(stamp[1] + stamp[2])
    return first <= finished_at + _END_IS_CUT
