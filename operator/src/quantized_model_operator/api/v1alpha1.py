"""Pure: the spec of a QuantizedModel, version v1alpha1; every field that exists works.

Descriptions feed ``kubectl explain`` and the API reference; CEL rules are answered by the API
server. Rules that need the checkpoint or the cluster are in ``resolve`` and ``plan``.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from quantized_model_operator.api.engine_types import (
    Dtype,
    Engine,
    EnvironmentVariable,
    KvCacheDtype,
    SecretKeyRef,
)
from quantized_model_operator.api.hardware_types import Device, Hardware, Toleration
from quantized_model_operator.api.schema_types import (
    AnnotationValue,
    ApiType,
    LabelKey,
    LabelValue,
    Name,
    Quantity,
)

__all__ = [
    "API_VERSION",
    "GROUP",
    "KIND",
    "PLURAL",
    "VERSION",
    "Cache",
    "Device",
    "Dtype",
    "Engine",
    "EnvironmentVariable",
    "Hardware",
    "KvCacheDtype",
    "ModelSource",
    "PodMetadata",
    "PodSecurity",
    "PodTemplate",
    "QuantizedModelSpec",
    "Rollout",
    "RolloutStrategy",
    "SecretKeyRef",
    "Service",
    "Toleration",
]

GROUP = "serving.quantizedmodel.dev"
VERSION = "v1alpha1"
KIND = "QuantizedModel"
PLURAL = "quantizedmodels"
API_VERSION = f"{GROUP}/{VERSION}"


class RolloutStrategy(StrEnum):
    """How a new revision replaces the old one."""

    SURGE = "Surge"
    REPLACE = "Replace"


class ModelSource(ApiType):
    """The GPTQ checkpoint to serve."""

    uri: Annotated[
        str,
        StringConstraints(
            max_length=512,
            pattern=r"^(hf://[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*"
            r"|pvc://[a-z0-9]([-a-z0-9.]*[a-z0-9])?(/[A-Za-z0-9._@+-]+)*/?)$",
        ),
    ] = Field(
        description="Where the checkpoint is: hf://organisation/name on the hub, or "
        "pvc://claim/path in a PersistentVolumeClaim of this namespace."
    )
    revision: Annotated[
        str, StringConstraints(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9._/-]+$")
    ] = Field(
        default="main",
        description="Branch, tag or commit on the hub. It is resolved to a commit once, and "
        "resolved again only when uri or revision change. For hf:// only.",
    )
    served_names: (
        Annotated[
            list[Annotated[str, StringConstraints(min_length=1, max_length=255)]],
            Field(min_length=1, max_length=16, json_schema_extra={"x-kubernetes-list-type": "set"}),
        ]
        | None
    ) = Field(
        default=None,
        description="Names of the model in the OpenAI API; the first one labels vLLM's metrics. "
        "Default: the name of this resource.",
    )
    token_secret_ref: SecretKeyRef | None = Field(
        default=None,
        description="Access token for the hub. Mounted only into the pods that inspect and fetch.",
    )


class Cache(ApiType):
    """Where fetched weights are kept. For hf:// only."""

    claim_name: Name | None = Field(
        default=None,
        description="A PersistentVolumeClaim of this namespace. ReadWriteMany: shared by all "
        "replicas and filled by a Job before any of them starts. ReadWriteOnce: one replica only.",
    )
    size: Quantity | None = Field(
        default=None,
        description="Size of a volume of its own for each pod, made from storageClassName.",
    )
    storage_class_name: Name | None = Field(
        default=None, description="StorageClass of the volumes made for size."
    )
    host_path: (
        Annotated[str, StringConstraints(min_length=2, max_length=1024, pattern=r"^/[^\x00]+$")]
        | None
    ) = Field(default=None, description="A folder of the node, shared by the pods on it.")


class Service(ApiType):
    """The Service in front of the replicas."""

    port: Annotated[int, Field(ge=1, le=65_535)] = Field(default=80, description="Its port.")
    annotations: Annotated[dict[LabelKey, AnnotationValue], Field(max_length=32)] | None = Field(
        default=None, description="Annotations of the Service."
    )


class Rollout(ApiType):
    """How a new revision replaces the old one."""

    strategy: RolloutStrategy | None = Field(
        default=None,
        description="Surge starts the new replica before the old one stops and needs free "
        "hardware; Replace stops first. Default: Replace on GPUs, Surge on CPUs, and always "
        "Replace with a ReadWriteOnce cache claim.",
    )


class PodMetadata(ApiType):
    """Further metadata of the pods; keys that the operator sets itself are refused."""

    labels: Annotated[dict[LabelKey, LabelValue], Field(max_length=32)] | None = Field(
        default=None, description="Labels."
    )
    annotations: Annotated[dict[LabelKey, AnnotationValue], Field(max_length=32)] | None = Field(
        default=None, description="Annotations."
    )


class PodSecurity(ApiType):
    """Identity of the processes in the pods; everything else of their security is fixed."""

    run_as_user: Annotated[int, Field(ge=1, le=2_147_483_647)] | None = Field(
        default=None, description="User id. Default: 2000, the user of vLLM's image."
    )
    run_as_group: Annotated[int, Field(ge=0, le=2_147_483_647)] | None = Field(
        default=None, description="Group id. Default: 0."
    )
    fs_group: Annotated[int, Field(ge=0, le=2_147_483_647)] | None = Field(
        default=None, description="Group that owns mounted volumes. Default: 0."
    )


class PodTemplate(ApiType):
    """The small part of the pods that is the user's."""

    metadata: PodMetadata | None = Field(default=None, description="Further labels, annotations.")
    security_context: PodSecurity | None = Field(
        default=None, description="User and groups of the processes."
    )


class QuantizedModelSpec(ApiType):
    """What to serve, how, and on what."""

    model: ModelSource = Field(description="The GPTQ checkpoint to serve.")
    engine: Engine = Field(default_factory=Engine, description="How vLLM runs.")
    hardware: Hardware = Field(default_factory=Hardware, description="What each replica runs on.")
    replicas: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=1,
        description="Number of replicas; also set by 'kubectl scale' and anything that uses the "
        "scale subresource.",
        json_schema_extra={"format": "int32"},
    )
    cache: Cache | None = Field(
        default=None,
        description="Where fetched weights are kept. Default: in each pod, for its lifetime.",
    )
    service: Service = Field(
        default_factory=Service, description="The Service in front of the replicas."
    )
    api_key_secret_ref: SecretKeyRef | None = Field(
        default=None,
        description="Key that clients must send as bearer token. It reaches vLLM by environment, "
        "never by argument.",
    )
    rollout: Rollout = Field(
        default_factory=Rollout, description="How a new revision replaces the old one."
    )
    pod_template: PodTemplate | None = Field(
        default=None, description="The part of the pods that is the user's."
    )
    suspended: bool = Field(
        default=False,
        description="True stops all replicas and starts nothing, until it is false again.",
    )
