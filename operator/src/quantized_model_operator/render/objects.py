"""Pure: the list of renderers; the fields of ``DesiredObjects`` give the order."""

from quantized_model_operator.domain.child_objects import DesiredObjects
from quantized_model_operator.domain.cluster_state import Observed
from quantized_model_operator.plan.plan import Plan
from quantized_model_operator.render.deployment import deployment
from quantized_model_operator.render.jobs import fetch_job, inspection_job
from quantized_model_operator.render.record import inspection_record
from quantized_model_operator.render.service import service
from quantized_model_operator.settings import Settings


def render(plan: Plan, observed: Observed, settings: Settings) -> DesiredObjects:
    """Everything that must exist for this plan; cannot fail."""
    claim = observed.claims.get(plan.model.source.claim_name)
    return DesiredObjects(
        inspection_record=inspection_record(plan),
        inspection_job=inspection_job(plan, settings, claim),
        fetch_job=fetch_job(plan, settings),
        deployment=deployment(plan, settings),
        service=service(plan),
        removals=plan.removals,
    )
