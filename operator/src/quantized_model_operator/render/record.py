"""Pure: the inspection record, kept for all models of a namespace that serve this checkpoint."""

from quantized_model_operator.domain.checkpoint import InspectionReport, report_to_json
from quantized_model_operator.domain.child_objects import Manifest
from quantized_model_operator.domain.decision import record_name
from quantized_model_operator.domain.well_known import RECORD_DATA_KEY
from quantized_model_operator.plan.plan import Plan
from quantized_model_operator.render import metadata


def inspection_record(plan: Plan) -> Manifest | None:
    """The facts that an inspection has just found; refusals are never kept."""
    if plan.facts is None or not plan.facts_are_new:
        return None
    name = record_name(plan.facts.uri, plan.facts.commit)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata.record(plan.model.key.namespace, name),
        "data": {RECORD_DATA_KEY: report_to_json(InspectionReport(facts=plan.facts))},
    }
