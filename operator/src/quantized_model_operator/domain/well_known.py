"""Pure: keys of labels and annotations that more than one stage reads or writes."""

from enum import StrEnum

GROUP = "serving.quantizedmodel.dev"

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "quantized-model-operator"
NAME_LABEL = "app.kubernetes.io/name"
INSTANCE_LABEL = "app.kubernetes.io/instance"
COMPONENT_LABEL = "app.kubernetes.io/component"
MODEL_LABEL = f"{GROUP}/model"
RECORD_LABEL = f"{GROUP}/record"

PLAN_ANNOTATION = f"{GROUP}/plan"
"""On the Deployment: the decision it was rendered from (``domain.decision``)."""
INPUTS_ANNOTATION = f"{GROUP}/inputs"
"""On the Deployment and on Jobs: hash of the part of the spec that they were made for."""
ATTEMPT_ANNOTATION = f"{GROUP}/attempt"
"""On Jobs: how many times in a row this was tried, from 1."""

RECORD_DATA_KEY = "report"

SERVING_CONTAINER = "vllm"
FETCH_CONTAINER = "fetch"
INSPECT_CONTAINER = "inspect"


class Component(StrEnum):
    """What a child is for; the value of its component label."""

    SERVING = "serving"
    INSPECT = "inspect"
    FETCH = "fetch"


def selector(name: str) -> dict[str, str]:
    """Selects the serving pods of the model of this name; never changes in its life."""
    return {COMPONENT_LABEL: Component.SERVING.value, MODEL_LABEL: name}


def selector_text(name: str) -> str:
    """The selector as the scale subresource wants it."""
    return ",".join(f"{key}={value}" for key, value in sorted(selector(name).items()))
