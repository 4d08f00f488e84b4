"""The pipeline: what happens to one model, in the order in which it happens."""

from datetime import datetime

from quantized_model_operator.cluster.gateway import Gateway, ModelEvent
from quantized_model_operator.domain.cluster_state import ModelKey
from quantized_model_operator.domain.outcome import InvalidModelError, Outcome
from quantized_model_operator.plan.decide import plan
from quantized_model_operator.render.objects import render
from quantized_model_operator.report.status import report, report_invalid
from quantized_model_operator.resolve import resolve
from quantized_model_operator.settings import Settings

ECHO_SECONDS = 1.0
"""By then at the latest a new child is told; its event comes within milliseconds (ADR 0011)."""
REFUSED_RETRY_SECONDS = 30.0
"""No event tells that a name of somebody else is free again, or that a quota has room."""


async def reconcile(key: ModelKey, gateway: Gateway, settings: Settings, now: datetime) -> Outcome:
    """Bring the cluster nearer to what the model asks for, and say how it stands."""
    observed = await gateway.observe(key)  # I/O
    if observed is None:
        return Outcome()
    retry_after_seconds = None
    try:
        model = resolve(observed, settings)  # pure
        planned = plan(model, observed, now, settings)  # pure
        desired = render(planned, observed, settings)  # pure
        applied = await gateway.apply(observed, desired)  # I/O
        if applied.has_newcomers(observed):
            return Outcome(retry_after_seconds=ECHO_SECONDS)
        result = report(planned, observed, applied, settings)  # pure
        retry_after_seconds = planned.retry_after_seconds
        if applied.conflicts or applied.refusals:
            retry_after_seconds = REFUSED_RETRY_SECONDS
    except InvalidModelError as error:
        result = report_invalid(error.problems, observed)  # pure
    written = await gateway.write_status(observed, result.status)  # I/O
    for reason, message in result.events if written else ():
        event = ModelEvent(kind="Warning", reason=reason, message=message)
        await gateway.emit_event(observed, event)  # I/O
    return Outcome(retry_after_seconds=retry_after_seconds)
