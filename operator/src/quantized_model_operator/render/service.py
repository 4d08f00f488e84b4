"""Pure: the Service in front of the replicas; a plain selector, always."""

from quantized_model_operator.domain.child_objects import Manifest
from quantized_model_operator.domain.well_known import Component
from quantized_model_operator.plan.plan import Plan, Stage
from quantized_model_operator.render import metadata


def service(plan: Plan) -> Manifest | None:
    """The Service; its name is the model's."""
    if plan.stage is not Stage.SERVE:
        return None
    model = plan.model
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata.child(
            model, Component.SERVING, name=model.key.name, annotations=model.service_annotations
        ),
        "spec": {
            "selector": metadata.selector(model.key.name),
            "ports": [
                {
                    "name": metadata.SERVER_PORT_NAME,
                    "port": model.service_port,
                    "targetPort": metadata.SERVER_PORT_NAME,
                    "protocol": "TCP",
                }
            ],
        },
    }
