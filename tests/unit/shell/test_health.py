"""Health: each 'no' has a sentence, and each sentence its limit."""

import dataclasses

import pytest

from quantized_model_operator.shell.health import Health, Role, Signs

FINE = Signs(watch_age_seconds={"Pod": 61.0}, oldest_reconcile_seconds=59.0, unsynced=())


class Patient:
    """A process whose signs and clock are set by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.signs = FINE
        self.health = Health(
            lambda: self.signs, clock=lambda: self.now, reconcile_deadline_seconds=60.0
        )

    def show(self, **signs: object) -> None:
        """Change some signs."""
        self.signs = dataclasses.replace(self.signs, **signs)  # type: ignore[arg-type]


@pytest.fixture
def patient() -> Patient:
    """A healthy leader."""
    patient = Patient()
    patient.health.role = Role.LEADING
    return patient


def test_a_healthy_leader_is_live_and_ready(patient: Patient) -> None:
    """Fresh beats, heard watches, short reconciles and complete caches mean yes twice."""
    assert patient.health.live_problems() == []
    assert patient.health.ready_problems() == []


def test_a_loop_without_beats_is_dead_after_ten_seconds(patient: Patient) -> None:
    """Ten seconds without a beat end liveness, and a beat restores it."""
    patient.now = 109.9
    assert patient.health.live_problems() == []
    patient.now = 112.0
    assert patient.health.live_problems() == ["the event loop has been blocked for 12 s"]
    patient.health.beat()
    assert patient.health.live_problems() == []


def test_a_silent_watch_is_dead_after_two_minutes(patient: Patient) -> None:
    """A watch that was not heard for 120 s ends liveness, and is named."""
    patient.show(watch_age_seconds={"Pod": 119.0, "QuantizedModel": 3.0})
    assert patient.health.live_problems() == []
    patient.show(watch_age_seconds={"Pod": 120.0, "QuantizedModel": 3.0})
    assert patient.health.live_problems() == ["the watch of Pod has been silent for 120 s"]


def test_a_reconcile_beyond_its_deadline_is_dead(patient: Patient) -> None:
    """A reconcile that outlives its deadline and the time to cancel it ends liveness."""
    patient.show(oldest_reconcile_seconds=74.9)
    assert patient.health.live_problems() == []
    patient.show(oldest_reconcile_seconds=80.0)
    assert patient.health.live_problems() == ["a reconcile has run for 80 s"]


def test_a_leader_is_ready_when_its_caches_are_complete(patient: Patient) -> None:
    """Each cache that is not complete is named."""
    patient.show(unsynced=("Pod", "QuantizedModel"))
    expected = ["the cache of Pod is not complete", "the cache of QuantizedModel is not complete"]
    assert patient.health.ready_problems() == expected


def test_a_standby_is_ready_while_the_api_answers(patient: Patient) -> None:
    """A standby needs no caches, only an API server that answers."""
    patient.health.role = Role.STANDBY
    patient.show(unsynced=("Pod",))
    assert patient.health.ready_problems() == []
    patient.show(api_problem="connection refused")
    assert patient.health.ready_problems() == ["the API server does not answer: connection refused"]


@pytest.mark.parametrize("role", [Role.STARTING, Role.STOPPING])
def test_nothing_is_ready_at_the_edges(patient: Patient, role: Role) -> None:
    """A process that starts or stops is alive, but not ready."""
    patient.health.role = role
    assert patient.health.ready_problems() == [role.value]
    assert patient.health.live_problems() == []
