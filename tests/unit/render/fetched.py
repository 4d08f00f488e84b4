"""A model whose weights have been fetched already, where a Job does that."""

from typing import Any

from quantized_model_operator.domain.cluster_state import Observed
from quantized_model_operator.plan.plan import Stage
from unit.otter import desired, with_applied, with_finished_job


def serving_objects(seen: Observed) -> dict[str, Any]:
    """The Deployment, after the fetch Job has ended well if there is one."""
    plan, objects = desired(seen)
    if plan.stage is Stage.FETCH and objects.fetch_job is not None:
        name = objects.fetch_job["metadata"]["name"]
        seen = with_finished_job(with_applied(seen, objects), name, None)
        _, objects = desired(seen)
    assert objects.deployment is not None
    return dict(objects.deployment)
