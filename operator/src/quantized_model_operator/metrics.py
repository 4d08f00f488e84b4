"""I/O: the metrics of the operator; the only importer of prometheus_client.

Families of the work queue, of reconciles and of API requests bear the names of client-go and
controller-runtime, so that stock dashboards work; all others begin with ``quantizedmodel_``.
What can be read when Prometheus asks is read then; only durations are recorded as they happen.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from sys import intern
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from quantized_model_operator.domain.cluster_state import ModelKey

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

CONTROLLER = "quantizedmodel"
"""Label ``controller`` and ``name`` of the stock families."""

RESULTS = ("success", "requeue_after", "requeue", "error")

_QUEUE_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
_WORK_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)
_REQUEST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 30.0)
_LAG_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """What the process says of itself at the moment of a scrape."""

    queue_depth: int = 0
    queue_adds: int = 0
    queue_retries: int = 0
    flights_seconds: tuple[float, ...] = ()
    """How long each running reconcile has been at it."""
    watch_age_seconds: Mapping[str, float] = field(default_factory=dict)
    """Since each watch was last heard."""
    cached_objects: Mapping[str, int] = field(default_factory=dict)
    """By kind."""


class OperatorMetrics:
    """All families of one process in one registry."""

    def __init__(self, *, version: str, workers: int, lease_name: str) -> None:
        # A second series for each counter otherwise, with the time at which it began.
        disable_created_metrics()
        self._registry = CollectorRegistry(auto_describe=False)
        self._live = _LiveCollector()
        self._registry.register(self._live)
        self._models = _ModelCollector()
        self._registry.register(self._models)
        ProcessCollector(registry=self._registry)
        self._make_reconcile_families(workers)
        self._make_queue_families()
        self._make_request_families()
        self._make_process_families(version, lease_name)

    def reconciled(self, result: str, seconds: float) -> None:
        """A reconcile ended; ``result`` is one of ``RESULTS``."""
        self._reconciles[result].inc()
        self._reconcile_seconds.observe(seconds)

    def reconcile_failed(self, *, timed_out: bool) -> None:
        """A reconcile raised, or passed its deadline."""
        self._errors.inc()
        if timed_out:
            self._timeouts.inc()

    def reconcile_refused(self) -> None:
        """A reconcile ended in an error that only a change of the model can mend."""
        self._terminal_errors.inc()

    def taken(self, waited_seconds: float) -> None:
        """A worker took a key from the queue."""
        self._queue_seconds.observe(waited_seconds)

    def finished(self, worked_seconds: float) -> None:
        """A worker gave a key back."""
        self._work_seconds.observe(worked_seconds)

    def requested(self, host: str, method: str, code: int, seconds: float) -> None:
        """The API server answered a request, or did not: code 0."""
        shown = str(code) if code else "<error>"
        self._requests.labels(shown, method, host).inc()
        self._request_seconds.labels(method, host).observe(seconds)

    def leading(self, *, leads: bool) -> None:
        """Whether this process holds the Lease."""
        self._leader.set(1.0 if leads else 0.0)

    def lagged(self, seconds: float) -> None:
        """The event loop came back to its heartbeat this much too late."""
        self._lag.observe(seconds)

    def stream_restarted(self) -> None:
        """The stream of models ended with an error and was started again."""
        self._stream_restarts.inc()

    def record_model(self, key: ModelKey, status: Mapping[str, Any], desired_replicas: int) -> None:
        """The status of a model as the cluster has it, and the replicas its spec asks for."""
        self._models.states[key] = _state_of(status, desired_replicas)

    def forget_model(self, key: ModelKey) -> None:
        """The model is gone, and with it its series."""
        self._models.states.pop(key, None)

    def exposition(self, readings: Readings) -> bytes:
        """All samples in Prometheus' text format; may run in another thread than the loop's."""
        self._live.readings = readings
        return generate_latest(self._registry)

    def _make_reconcile_families(self, workers: int) -> None:
        reconciles = Counter(
            "controller_runtime_reconcile_total",
            "Reconciles by result.",
            ("controller", "result"),
            registry=self._registry,
        )
        self._reconciles = {result: reconciles.labels(CONTROLLER, result) for result in RESULTS}
        self._errors = self._counter(
            "controller_runtime_reconcile_errors_total", "Reconciles that raised an error."
        )
        self._terminal_errors = self._counter(
            "controller_runtime_terminal_reconcile_errors_total",
            "Reconciles that ended in an error which is not retried.",
        )
        self._timeouts = self._counter(
            "controller_runtime_reconcile_timeouts_total", "Reconciles that passed their deadline."
        )
        # Errors of any kind are errors here, none is called a panic: present, and always 0.
        self._counter("controller_runtime_reconcile_panics_total", "Reconciles that crashed.")
        self._reconcile_seconds = Histogram(
            "controller_runtime_reconcile_time_seconds",
            "Duration of reconciles.",
            ("controller",),
            buckets=_WORK_BUCKETS,
            registry=self._registry,
        ).labels(CONTROLLER)
        Gauge(
            "controller_runtime_max_concurrent_reconciles",
            "Number of workers.",
            ("controller",),
            registry=self._registry,
        ).labels(CONTROLLER).set(workers)

    def _make_queue_families(self) -> None:
        self._queue_seconds = Histogram(
            "workqueue_queue_duration_seconds",
            "How long keys were ready before a worker took them.",
            ("name",),
            buckets=_QUEUE_BUCKETS,
            registry=self._registry,
        ).labels(CONTROLLER)
        self._work_seconds = Histogram(
            "workqueue_work_duration_seconds",
            "How long workers held keys.",
            ("name",),
            buckets=_WORK_BUCKETS,
            registry=self._registry,
        ).labels(CONTROLLER)

    def _make_request_families(self) -> None:
        self._requests = Counter(
            "rest_client_requests_total",
            "Requests to the API server by code, method and host.",
            ("code", "method", "host"),
            registry=self._registry,
        )
        self._request_seconds = Histogram(
            "rest_client_request_duration_seconds",
            "Duration of requests to the API server.",
            ("method", "host"),
            buckets=_REQUEST_BUCKETS,
            registry=self._registry,
        )

    def _make_process_families(self, version: str, lease_name: str) -> None:
        self._leader = Gauge(
            "leader_election_master_status",
            "1 while this process holds the Lease.",
            ("name",),
            registry=self._registry,
        ).labels(lease_name)
        self._lag = Histogram(
            "quantizedmodel_event_loop_lag_seconds",
            "How much too late the event loop came back to its heartbeat.",
            buckets=_LAG_BUCKETS,
            registry=self._registry,
        )
        self._stream_restarts = Counter(
            "quantizedmodel_model_stream_restarts_total",
            "How often the stream of QuantizedModels ended with an error.",
            registry=self._registry,
        )
        Gauge(
            "quantizedmodel_build_info",
            "Always 1; the version is in the label.",
            ("version",),
            registry=self._registry,
        ).labels(version).set(1.0)

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(name, text, ("controller",), registry=self._registry).labels(CONTROLLER)


class _LiveCollector(Collector):
    """Families that are read when Prometheus asks."""

    def __init__(self) -> None:
        self.readings = Readings()

    def collect(self) -> Iterator[Metric]:
        """The families of the last readings."""
        readings = self.readings
        yield _gauge("workqueue_depth", "Keys that are ready.", "name", readings.queue_depth)
        yield _counter("workqueue_adds_total", "Keys that became ready.", readings.queue_adds)
        yield _counter("workqueue_retries_total", "Keys put into back-off.", readings.queue_retries)
        yield _gauge(
            "workqueue_unfinished_work_seconds",
            "Sum of the ages of running reconciles.",
            "name",
            sum(readings.flights_seconds),
        )
        yield _gauge(
            "workqueue_longest_running_processor_seconds",
            "Age of the oldest running reconcile.",
            "name",
            max(readings.flights_seconds, default=0.0),
        )
        yield _gauge(
            "controller_runtime_active_workers",
            "Workers that hold a key.",
            "controller",
            len(readings.flights_seconds),
        )
        yield _gauges(
            "quantizedmodel_watch_age_seconds",
            "Time since each watch was last heard.",
            "resource",
            readings.watch_age_seconds,
        )
        yield _gauges(
            "quantizedmodel_cached_objects",
            "Objects in the caches by kind.",
            "kind",
            readings.cached_objects,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _ModelState:
    """What the series of one model say; a few hundred bytes."""

    info: tuple[str, ...]
    conditions: tuple[tuple[str, str], ...]
    replicas: tuple[int, int, int]


class _ModelCollector(Collector):
    """Three families with the state of each model."""

    def __init__(self) -> None:
        self.states: dict[ModelKey, _ModelState] = {}

    def collect(self) -> Iterator[Metric]:
        """One series of info, one for each condition and three of replicas for each model."""
        info = GaugeMetricFamily(
            "quantizedmodel_model_info",
            "Always 1; what is served.",
            labels=["namespace", "name", *_INFO_LABELS],
        )
        condition = GaugeMetricFamily(
            "quantizedmodel_condition",
            "Always 1; the status is in the label.",
            labels=["namespace", "name", "type", "status"],
        )
        replicas = GaugeMetricFamily(
            "quantizedmodel_replicas", "Replicas by kind.", labels=["namespace", "name", "kind"]
        )
        # A copy: the loop goes on recording while another thread writes the exposition.
        for key, state in list(self.states.items()):
            info.add_metric([*key, *state.info], 1.0)
            for kind, status in state.conditions:
                condition.add_metric([*key, kind, status], 1.0)
            for label, value in zip(_REPLICA_KINDS, state.replicas, strict=True):
                replicas.add_metric([*key, label], value)
        yield from (info, condition, replicas)


_REPLICA_KINDS = ("desired", "existing", "ready")
_INFO_LABELS = (
    "architecture",
    "bits",
    "kernel",
    "device",
    "tensor_parallel_size",
    "engine_version",
)


def _state_of(status: Mapping[str, Any], desired_replicas: int) -> _ModelState:
    return _ModelState(
        info=tuple(intern(value) for value in _info_values(status)),
        conditions=tuple(
            (intern(str(item["type"])), intern(str(item["status"])))
            for item in status.get("conditions") or ()
        ),
        replicas=(
            desired_replicas,
            int(status.get("replicas") or 0),
            int(status.get("readyReplicas") or 0),
        ),
    )


def _info_values(status: Mapping[str, Any]) -> Iterator[str]:
    model = status.get("model") or {}
    plan = status.get("plan") or {}
    for source, name in (
        (model, "architecture"),
        (model, "bits"),
        (plan, "kernel"),
        (plan, "device"),
        (plan, "tensorParallelSize"),
        (plan, "engineVersion"),
    ):
        value = source.get(name)
        yield "" if value is None else str(value)


def _gauge(name: str, text: str, label: str, value: float) -> Metric:
    return _gauges(name, text, label, {CONTROLLER: value})


def _gauges(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _counter(name: str, text: str, value: float) -> Metric:
    family = CounterMetricFamily(name, text, labels=["name"])
    family.add_metric([CONTROLLER], value)
    return family
