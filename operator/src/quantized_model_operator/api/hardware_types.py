"""Pure: what a replica runs on, as a user writes it."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from quantized_model_operator.api.schema_types import (
    ApiType,
    LabelKey,
    LabelValue,
    Name,
    Quantity,
    cel,
    validations,
)


class Device(StrEnum):
    """What a replica runs on."""

    GPU = "GPU"
    CPU = "CPU"


class Toleration(ApiType):
    """A toleration as in a pod."""

    model_config = ConfigDict(
        json_schema_extra=validations(
            cel(
                "has(self.key) || self.operator == 'Exists'",
                "a toleration without key needs operator Exists",
            ),
            cel(
                "self.operator != 'Exists' || !has(self.value) || self.value == ''",
                "a toleration with operator Exists has no value",
            ),
        )
    )

    key: LabelKey | None = Field(default=None, description="Key of the taint; empty: any.")
    operator: Annotated[str, StringConstraints(max_length=6, pattern=r"^(Exists|Equal)$")] = Field(
        default="Equal", description="Exists or Equal."
    )
    value: LabelValue | None = Field(default=None, description="Value of the taint.")
    effect: (
        Annotated[
            str,
            StringConstraints(max_length=16, pattern=r"^(NoSchedule|PreferNoSchedule|NoExecute)$"),
        ]
        | None
    ) = Field(default=None, description="Effect of the taint; empty: any.")


class Hardware(ApiType):
    """What each replica runs on."""

    device: Device = Field(
        default=Device.GPU,
        description="GPU, or CPU for development clusters (4-bit checkpoints only; the node needs "
        "AVX-512).",
    )
    gpus_per_replica: Annotated[int, Field(ge=1, le=16)] | None = Field(
        default=None,
        description="GPUs of one replica, which is the tensor parallel size. Default: the "
        "smallest legal one that fits.",
    )
    products: (
        Annotated[
            list[Annotated[str, StringConstraints(min_length=1, max_length=63)]],
            Field(min_length=1, max_length=16, json_schema_extra={"x-kubernetes-list-type": "set"}),
        ]
        | None
    ) = Field(
        default=None,
        description="GPU products to use, as in the node label nvidia.com/gpu.product. Default: "
        "any that fits.",
    )
    resource_name: Annotated[
        str, StringConstraints(min_length=1, max_length=253, pattern=r"^[a-zA-Z0-9./_-]+$")
    ] = Field(default="nvidia.com/gpu", description="Extended resource that a GPU is asked by.")
    cpu: Quantity | None = Field(
        default=None, description="CPU request of a replica. Default: planned."
    )
    memory: Quantity | None = Field(
        default=None,
        description="Memory of a replica, request and limit. Default: planned.",
    )
    node_selector: Annotated[dict[LabelKey, LabelValue], Field(max_length=32)] | None = Field(
        default=None, description="Labels that the node must have."
    )
    tolerations: (
        Annotated[
            list[Toleration],
            Field(max_length=32, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
        ]
        | None
    ) = Field(
        default=None,
        description="Tolerations beside the one for nvidia.com/gpu that GPU pods always get.",
    )
    runtime_class_name: Name | None = Field(default=None, description="RuntimeClass of the pods.")
    priority_class_name: Name | None = Field(default=None, description="PriorityClass of the pods.")
