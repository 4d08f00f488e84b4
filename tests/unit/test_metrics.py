"""The metrics: names that stock dashboards know, and series that go with their models."""

from collections.abc import Mapping
from typing import Any

import pytest

from quantized_model_operator.domain.cluster_state import ModelKey
from quantized_model_operator.metrics import OperatorMetrics, Readings

OTTER = ModelKey("zoo", "otter")
BADGER = ModelKey("zoo", "badger")

STATUS: Mapping[str, Any] = {
    "replicas": 3,
    "readyReplicas": 2,
    "conditions": [
        {"type": "Ready", "status": "False", "reason": "X"},
        {"type": "Planned", "status": "True", "reason": "Y"},
    ],
    "model": {"architecture": "Qwen2ForCausalLM", "bits": 4},
    "plan": {
        "kernel": "Machete",
        "device": "GPU",
        "tensorParallelSize": 2,
        "engineVersion": "0.33.0",
    },
}

STOCK_FAMILIES = {
    "controller_runtime_reconcile_total",
    "controller_runtime_reconcile_errors_total",
    "controller_runtime_terminal_reconcile_errors_total",
    "controller_runtime_reconcile_timeouts_total",
    "controller_runtime_reconcile_panics_total",
    "controller_runtime_reconcile_time_seconds",
    "controller_runtime_active_workers",
    "controller_runtime_max_concurrent_reconciles",
    "workqueue_depth",
    "workqueue_adds_total",
    "workqueue_queue_duration_seconds",
    "workqueue_work_duration_seconds",
    "workqueue_unfinished_work_seconds",
    "workqueue_longest_running_processor_seconds",
    "workqueue_retries_total",
    "rest_client_requests_total",
    "rest_client_request_duration_seconds",
    "leader_election_master_status",
    "process_resident_memory_bytes",
}


@pytest.fixture
def metrics() -> OperatorMetrics:
    """The metrics of a process with three workers."""
    return OperatorMetrics(version="1.2.3", workers=3, lease_name="some-lease")


def samples(metrics: OperatorMetrics, readings: Readings | None = None) -> dict[str, float]:
    """All series with their values."""
    text = metrics.exposition(readings or Readings()).decode()
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {series: float(value) for series, _, value in lines}


def families(metrics: OperatorMetrics) -> set[str]:
    """Names of all families."""
    lines = metrics.exposition(Readings()).decode().splitlines()
    return {line.split()[2] for line in lines if line.startswith("# TYPE")}


def test_every_stock_family_is_there_from_the_start(metrics: OperatorMetrics) -> None:
    """All families that stock dashboards of Go operators read exist before anything happened."""
    assert families(metrics) >= STOCK_FAMILIES


def test_every_own_family_has_the_product_prefix(metrics: OperatorMetrics) -> None:
    """What is neither a stock family nor about the process begins with quantizedmodel_."""
    others = {name for name in families(metrics) - STOCK_FAMILIES if "process_" not in name}
    assert [name for name in others if not name.startswith("quantizedmodel_")] == []


def test_reconciles_are_counted_by_result(metrics: OperatorMetrics) -> None:
    """Each result has its own series, and errors, refusals and timeouts are counted beside."""
    metrics.reconciled("success", 0.02)
    metrics.reconciled("error", 0.5)
    metrics.reconcile_failed(timed_out=True)
    metrics.reconcile_failed(timed_out=False)
    metrics.reconcile_refused()
    found = samples(metrics)
    of = '{controller="quantizedmodel"}'
    for result, count in (("success", 1), ("error", 1), ("requeue", 0), ("requeue_after", 0)):
        series = (
            f'controller_runtime_reconcile_total{{controller="quantizedmodel",result="{result}"}}'
        )
        assert found[series] == count
    assert found[f"controller_runtime_reconcile_errors_total{of}"] == 2
    assert found[f"controller_runtime_reconcile_timeouts_total{of}"] == 1
    assert found[f"controller_runtime_terminal_reconcile_errors_total{of}"] == 1
    assert found[f"controller_runtime_reconcile_time_seconds_sum{of}"] == pytest.approx(0.52)
    assert found[f"controller_runtime_max_concurrent_reconciles{of}"] == 3


def test_readings_are_those_of_the_scrape(metrics: OperatorMetrics) -> None:
    """Queue, flights, watches and caches are shown as they are at the moment of a scrape."""
    readings = Readings(
        queue_depth=7,
        queue_adds=20,
        queue_retries=4,
        flights_seconds=(1.5, 0.25),
        watch_age_seconds={"Pod": 3.0},
        cached_objects={"Pod": 11},
    )
    found = samples(metrics, readings)
    of = '{name="quantizedmodel"}'
    assert found[f"workqueue_depth{of}"] == 7
    assert found[f"workqueue_adds_total{of}"] == 20
    assert found[f"workqueue_retries_total{of}"] == 4
    assert found[f"workqueue_unfinished_work_seconds{of}"] == 1.75
    assert found[f"workqueue_longest_running_processor_seconds{of}"] == 1.5
    assert found['controller_runtime_active_workers{controller="quantizedmodel"}'] == 2
    assert found['quantizedmodel_watch_age_seconds{resource="Pod"}'] == 3
    assert found['quantizedmodel_cached_objects{kind="Pod"}'] == 11


def test_requests_are_counted_by_code_method_and_host(metrics: OperatorMetrics) -> None:
    """Requests are told apart by code, method and host, never by object; no answer is <error>."""
    metrics.requested("api:443", "PATCH", 200, 0.1)
    metrics.requested("api:443", "PATCH", 0, 0.1)
    found = samples(metrics)
    for code in ("200", "<error>"):
        assert (
            found[f'rest_client_requests_total{{code="{code}",host="api:443",method="PATCH"}}'] == 1
        )
    count = 'rest_client_request_duration_seconds_count{host="api:443",method="PATCH"}'
    assert found[count] == 2


def test_leadership_and_version_are_shown(metrics: OperatorMetrics) -> None:
    """The Lease shows 1 while it is held, and the version is a label."""
    assert samples(metrics)['leader_election_master_status{name="some-lease"}'] == 0
    metrics.leading(leads=True)
    found = samples(metrics)
    assert found['leader_election_master_status{name="some-lease"}'] == 1
    assert found['quantizedmodel_build_info{version="1.2.3"}'] == 1


def test_a_model_shows_what_its_status_says(metrics: OperatorMetrics) -> None:
    """A model has one info, one series for each condition and its replicas by kind."""
    metrics.record_model(OTTER, STATUS, 4)
    found = {s: v for s, v in samples(metrics).items() if 'name="otter"' in s}
    of = 'name="otter",namespace="zoo"'
    assert found == {
        'quantizedmodel_model_info{architecture="Qwen2ForCausalLM",bits="4",device="GPU",'
        f'engine_version="0.33.0",kernel="Machete",{of},tensor_parallel_size="2"}}': 1,
        f'quantizedmodel_condition{{{of},status="False",type="Ready"}}': 1,
        f'quantizedmodel_condition{{{of},status="True",type="Planned"}}': 1,
        f'quantizedmodel_replicas{{kind="desired",{of}}}': 4,
        f'quantizedmodel_replicas{{kind="existing",{of}}}': 3,
        f'quantizedmodel_replicas{{kind="ready",{of}}}': 2,
    }


def test_a_status_that_changes_leaves_no_old_series(metrics: OperatorMetrics) -> None:
    """After a condition changed its status, only the new series exists."""
    metrics.record_model(OTTER, STATUS, 4)
    metrics.record_model(OTTER, {"conditions": [{"type": "Ready", "status": "True"}]}, 4)
    conditions = [s for s in samples(metrics) if s.startswith("quantizedmodel_condition")]
    assert conditions == [
        'quantizedmodel_condition{name="otter",namespace="zoo",status="True",type="Ready"}'
    ]


def test_a_forgotten_model_has_no_series(metrics: OperatorMetrics) -> None:
    """Forgetting one model removes all of its series and no other ones; twice does no harm."""
    metrics.record_model(OTTER, STATUS, 4)
    metrics.record_model(BADGER, {}, 1)
    metrics.forget_model(OTTER)
    metrics.forget_model(OTTER)
    found = samples(metrics)
    assert [series for series in found if "otter" in series] == []
    assert found['quantizedmodel_replicas{kind="ready",name="badger",namespace="zoo"}'] == 0


def test_two_processes_in_one_interpreter_do_not_mix(metrics: OperatorMetrics) -> None:
    """Each instance has its own registry: nothing is global."""
    metrics.record_model(OTTER, STATUS, 1)
    other = OperatorMetrics(version="1", workers=1, lease_name="l")
    assert [series for series in samples(other) if "otter" in series] == []
