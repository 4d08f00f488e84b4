"""Counts of replicas that the status tells."""

import pytest

from quantized_model_operator.report.readiness import Readiness


def state(
    *, existing: int, wanted: int, is_applied: bool = True, deadline_message: str = ""
) -> Readiness:
    """A Deployment none of whose pods is ready."""
    return Readiness(
        wanted=wanted,
        existing=existing,
        updated=existing,
        ready=0,
        is_current=is_applied,
        is_applied=is_applied,
        deadline_message=deadline_message,
    )


@pytest.mark.parametrize(("existing", "wanted", "told"), [(0, 1, 1), (1, 3, 3), (2, 1, 2)])
def test_replicas_that_are_about_to_exist_are_counted(
    existing: int, wanted: int, told: int
) -> None:
    """Pods that a Deployment is just making are told at once, pods to go until they are gone."""
    assert state(existing=existing, wanted=wanted).counted == told


def test_replicas_that_cannot_be_made_are_not_counted() -> None:
    """When the Deployment says that it cannot make them, the count is what exists."""
    assert state(existing=0, wanted=2, deadline_message="exceeded quota").counted == 0


def test_a_deployment_of_an_earlier_spec_counts_its_own() -> None:
    """What a refused spec wants is not counted."""
    assert state(existing=1, wanted=4, is_applied=False).counted == 1


def test_counted_replicas_do_not_make_it_complete() -> None:
    """Replicas that are only about to exist are no reason to be Ready."""
    assert not state(existing=0, wanted=1).is_complete
