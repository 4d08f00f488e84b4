"""I/O: leader election by a Lease: compare-and-swap on its resourceVersion.

    waiting --(free, or unchanged for 15 s by our own clock)--> PUT ok --> leading
    leading --(every 2 s)--> PUT ok; 409: read again
    leading --(10 s without a good PUT, or the lease names another)--> lost, for good

A leader that loses must end its process: what it still has under way may not go on. Clocks of
other machines are never compared; only whether the Lease changed while we watched it.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from quantized_model_operator.cluster.api_client import ApiClient
from quantized_model_operator.cluster.api_errors import ApiError, ConflictError, NotFoundError
from quantized_model_operator.cluster.encoding import loads
from quantized_model_operator.cluster.kinds import LEASE, MANAGER
from quantized_model_operator.cluster.pacing import pause

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseDurations:
    """Seconds; the defaults are those of Kubernetes' own components."""

    lease: float = 15.0
    renew_deadline: float = 10.0
    retry: float = 2.0
    request: float = 5.0


class LeaseElector:
    """Competes for one Lease; ``elected`` and ``lost`` are set once each and never cleared."""

    def __init__(
        self,
        *,
        client: ApiClient,
        namespace: str,
        name: str,
        identity: str,
        wall_clock: Callable[[], datetime],
        heartbeat_is_fresh: Callable[[], bool],
        durations: LeaseDurations | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.elected = asyncio.Event()
        self.lost = asyncio.Event()
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._wall_clock = wall_clock
        self._heartbeat_is_fresh = heartbeat_is_fresh
        self._durations = durations or LeaseDurations()
        self._monotonic = monotonic
        self._seen_version = ""
        self._seen_at = 0.0
        self._renewed_at = 0.0
        self._lease: dict[str, Any] | None = None
        self._answered_at = float("-inf")

    def silent_seconds(self) -> float:
        """Age of the API server's last answer about the Lease, for the readiness of a standby."""
        return self._monotonic() - self._answered_at

    @property
    def is_leader(self) -> bool:
        """Elected, and the last good renewal is younger than the renew deadline."""
        if not self.elected.is_set() or self.lost.is_set():
            return False
        return self._monotonic() - self._renewed_at < self._durations.renew_deadline

    async def run(self, stop: asyncio.Event) -> None:
        """Wait for the Lease, keep it until ``stop`` or until it is lost, then give it back."""
        while not stop.is_set() and not self.lost.is_set():
            await self._attempt()
            if await pause(min(self._durations.retry, self._seconds_left()), stop):
                break
        if self.elected.is_set() and not self.lost.is_set():
            self.lost.set()
            await self._release()

    def _seconds_left(self) -> float:
        """Until the renew deadline; without end for a candidate."""
        if not self.elected.is_set():
            return float("inf")
        return max(0.0, self._renewed_at + self._durations.renew_deadline - self._monotonic())

    async def _attempt(self) -> None:
        started = self._monotonic()
        try:
            async with asyncio.timeout(min(self._durations.request, self._seconds_left())):
                held = await (self._renew() if self.elected.is_set() else self._compete())
            self._answered_at = self._monotonic()
        except (ApiError, TimeoutError) as error:
            logger.warning("lease %s/%s: %s", self._namespace, self._name, error)
            held = False
        if held:
            # From before the request: the others count from when the server took it.
            self._renewed_at = started
            if not self.elected.is_set():
                logger.info("%s leads", self._identity)
                self.elected.set()
        elif self.elected.is_set() and not self.is_leader:
            logger.error("%s has lost the lease", self._identity)
            self.lost.set()

    async def _compete(self) -> bool:
        lease = await self._read()
        if lease is None:
            return await self._write(self._new_lease(), create=True)
        if lease["metadata"]["resourceVersion"] != self._seen_version:
            self._seen_version = lease["metadata"]["resourceVersion"]
            self._seen_at = self._monotonic()
        holder = (lease.get("spec") or {}).get("holderIdentity") or ""
        idle = self._monotonic() - self._seen_at
        if holder not in ("", self._identity) and idle < _duration_of(lease, self._durations):
            return False
        return await self._write(self._taken(lease, holder))

    async def _renew(self) -> bool:
        if not self._heartbeat_is_fresh():
            logger.warning("the event loop is late, the lease is not renewed")
            return False
        if self._lease is None:
            self._lease = await self._read()
        if self._lease is None:
            return await self._write(self._new_lease(), create=True)
        if (self._lease.get("spec") or {}).get("holderIdentity") != self._identity:
            self.lost.set()
            return False
        return await self._write(self._renewed(self._lease))

    async def _read(self) -> dict[str, Any] | None:
        try:
            lease: dict[str, Any] = loads(
                await self._client.get(
                    LEASE,
                    self._namespace,
                    self._name,
                    attempts=1,
                    seconds=self._durations.request,
                )
            )
        except NotFoundError:
            return None
        return lease

    async def _write(self, lease: Mapping[str, Any], *, create: bool = False) -> bool:
        """Write it; false, and read again next time, when somebody else was faster."""
        try:
            if create:
                answer = await self._client.create(LEASE, lease, manager=MANAGER, attempts=1)
            else:
                answer = await self._client.replace(LEASE, lease, seconds=self._durations.request)
        except (ConflictError, NotFoundError):
            self._lease = None
            return False
        self._lease = loads(answer)
        return True

    async def _release(self) -> None:
        """Leave the Lease without a holder, so that the next one need not wait."""
        if self._lease is None:
            return
        spec = {**self._lease["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
        try:
            async with asyncio.timeout(self._durations.request):
                await self._write({**self._lease, "spec": spec})
        except (ApiError, TimeoutError) as error:
            logger.warning("the lease was not given back: %s", error)

    def _new_lease(self) -> dict[str, Any]:
        now = self._now()
        return {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": self._held_spec({"leaseTransitions": 0, "acquireTime": now}, now),
        }

    def _taken(self, lease: Mapping[str, Any], holder: str) -> dict[str, Any]:
        now, spec = self._now(), dict(lease.get("spec") or {})
        if holder != self._identity:
            spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + 1
            spec["acquireTime"] = now
        return {**lease, "spec": self._held_spec(spec, now)}

    def _renewed(self, lease: Mapping[str, Any]) -> dict[str, Any]:
        return {**lease, "spec": self._held_spec(dict(lease["spec"]), self._now())}

    def _held_spec(self, spec: dict[str, Any], now: str) -> dict[str, Any]:
        held = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(self._durations.lease),
            "renewTime": now,
        }
        return {**spec, **held}

    def _now(self) -> str:
        return self._wall_clock().strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _duration_of(lease: Mapping[str, Any], own: LeaseDurations) -> float:
    """What the holder promised, so that leaders with other settings are respected."""
    promised = (lease.get("spec") or {}).get("leaseDurationSeconds")
    return float(promised) if promised else own.lease
