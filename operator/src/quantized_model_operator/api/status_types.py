"""Pure: the status of a QuantizedModel as the schema declares it; an undeclared field is pruned."""

from typing import Annotated

from pydantic import Field, StringConstraints

from quantized_model_operator.api.schema_types import ApiType

Text = Annotated[str, StringConstraints(max_length=2048)]
LongText = Annotated[str, StringConstraints(max_length=16384)]


class ConditionStatus(ApiType):
    """One aspect of the model's state."""

    type: Annotated[str, StringConstraints(max_length=316)] = Field(description="Its name.")
    status: Annotated[str, StringConstraints(max_length=7, pattern=r"^(True|False|Unknown)$")] = (
        Field(description="True, False or Unknown.")
    )
    reason: Annotated[str, StringConstraints(min_length=1, max_length=1024)] = Field(
        description="The cause as one CamelCase word."
    )
    message: Annotated[str, StringConstraints(max_length=32768)] = Field(
        description="The cause as a sentence."
    )
    last_transition_time: Annotated[
        str, Field(max_length=64, json_schema_extra={"format": "date-time"})
    ] = Field(description="When status changed last.")
    observed_generation: Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})] = Field(
        description="Generation of the spec that this is about."
    )


class CheckpointStatus(ApiType):
    """What the inspection found."""

    resolved_revision: Text | None = Field(default=None, description="Commit that is served.")
    digest: Text | None = Field(default=None, description="Digest over all weight files.")
    integrity: Text | None = Field(
        default=None, description="Where digests come from: Hub, Manifest or Unverified."
    )
    architecture: Text | None = Field(default=None, description="Architecture class.")
    bits: int | None = Field(default=None, description="Bits per quantised weight.")
    group_size: int | None = Field(default=None, description="Rows that share a scale; -1: all.")
    symmetric: bool | None = Field(default=None, description="Whether quantisation is symmetric.")
    desc_act: bool | None = Field(default=None, description="Whether act-order was used.")
    weights_bytes: int | None = Field(
        default=None,
        description="Size of all weight files.",
        json_schema_extra={"format": "int64"},
    )
    parameters: int | None = Field(
        default=None, description="Number of parameters.", json_schema_extra={"format": "int64"}
    )


class PlanStatus(ApiType):
    """What was planned before any hardware was taken."""

    summary: Text | None = Field(default=None, description="The plan in a few words.")
    kernel: Text | None = Field(default=None, description="Matrix kernel that vLLM selects.")
    device: Text | None = Field(default=None, description="GPU or CPU.")
    products: Annotated[list[Text], Field(max_length=16)] | None = Field(
        default=None, description="GPU products that qualify."
    )
    tensor_parallel_size: int | None = Field(default=None, description="GPUs of one replica.")
    dtype: Text | None = Field(default=None, description="Data type of activations.")
    kv_cache_dtype: Text | None = Field(default=None, description="Data type of the KV cache.")
    weights_bytes_per_gpu: int | None = Field(
        default=None, description="Weights on one GPU.", json_schema_extra={"format": "int64"}
    )
    kv_cache_bytes_per_gpu: int | None = Field(
        default=None, description="KV cache on one GPU.", json_schema_extra={"format": "int64"}
    )
    kv_cache_tokens: int | None = Field(
        default=None,
        description="Tokens that the KV cache holds at least.",
        json_schema_extra={"format": "int64"},
    )
    expected_kv_cache_tokens: int | None = Field(
        default=None,
        description="Tokens that the KV cache is expected to hold.",
        json_schema_extra={"format": "int64"},
    )
    max_model_len: int | None = Field(default=None, description="Context limit in tokens.")
    max_concurrency: Text | None = Field(
        default=None, description="Requests of full length that fit at once."
    )
    gpu_memory_bytes: int | None = Field(
        default=None, description="Memory of one GPU.", json_schema_extra={"format": "int64"}
    )
    engine_version: Text | None = Field(default=None, description="vLLM version.")
    alternatives: Annotated[list[Text], Field(max_length=16)] | None = Field(
        default=None, description="Other plans that would fit."
    )
    warnings: Annotated[list[Text], Field(max_length=16)] | None = Field(
        default=None, description="What works, but deserves a look."
    )


Large = Annotated[int, Field(json_schema_extra={"format": "int64"})]
"""A number that may pass 2**31: bytes, or tokens of a KV cache."""


class PhaseSeconds(ApiType):
    """How long the phases of vLLM's start took, in seconds."""

    configure: int | None = Field(default=None, description="Import, configuration, processes.")
    load: int | None = Field(default=None, description="Loading the weights.")
    profile: int | None = Field(default=None, description="Compiling, and measuring memory.")
    warm_up: int | None = Field(default=None, description="Capturing CUDA graphs, warming up.")
    listen: int | None = Field(default=None, description="Until the server listens.")


class EngineStatus(ApiType):
    """What vLLM itself reported when this revision first answered.

    Figures that it did not print are absent.
    """

    revision: Text | None = Field(
        default=None, description="Template hash of the pods that this is about."
    )
    pod: Text | None = Field(default=None, description="Pod whose log was read.")
    product: Text | None = Field(default=None, description="GPU product of its node.")
    engine_version: Text | None = Field(default=None, description="vLLM version.")
    kernel: Text | None = Field(default=None, description="Matrix kernel that vLLM selected.")
    attention_backend: Text | None = Field(default=None, description="Attention backend.")
    weights_bytes_per_gpu: Large | None = Field(default=None, description="Weights on one GPU.")
    kv_cache_bytes_per_gpu: Large | None = Field(default=None, description="KV cache on one GPU.")
    kv_cache_tokens: Large | None = Field(
        default=None, description="Tokens that the KV cache holds."
    )
    max_concurrency: Text | None = Field(
        default=None, description="Requests of full length that fit at once."
    )
    gpu_memory_bytes: Large | None = Field(default=None, description="Memory of one GPU.")
    consumed_bytes_per_gpu: Large | None = Field(
        default=None,
        description="Weights and everything outside of torch, from a start that was profiled.",
    )
    activation_bytes_per_gpu: Large | None = Field(
        default=None, description="Peak of the profile run, the estimate of CUDA graphs included."
    )
    graph_bytes_per_gpu: Large | None = Field(default=None, description="CUDA graphs on one GPU.")
    start_seconds: int | None = Field(
        default=None, description="From vLLM's first line to a listening server."
    )
    phases: PhaseSeconds | None = Field(default=None, description="How long each phase took.")
    compile_seconds: int | None = Field(
        default=None, description="Of these, how long torch.compile took."
    )
    setup: Text | None = Field(
        default=None,
        description="What was measured; a later plan of the same setup uses these figures.",
    )
    warnings: Annotated[list[Text], Field(max_length=16)] | None = Field(
        default=None,
        description="What is unlike the plan, or odd about an answer that the startup probe let "
        "through.",
    )


class FailureStatus(ApiType):
    """What stands in the way of this spec, and how to mend it."""

    reason: Text = Field(description="The cause as one CamelCase word.")
    message: Text = Field(description="The cause and the remedy as a sentence.")
    suggestion: Text | None = Field(
        default=None,
        description="A merge patch for the model that mends it, as JSON; absent where no edit of "
        "the spec does. To apply it: kubectl patch quantizedmodel NAME --type merge -p "
        "\"$(kubectl get quantizedmodel NAME -o jsonpath='{.status.failure.suggestion}')\"; "
        "where the spec comes from a repository, edit it there.",
    )
    container: Text | None = Field(default=None, description="Container that ended or waits.")
    pod: Text | None = Field(default=None, description="Pod of that container.")
    exit_code: int | None = Field(default=None, description="Exit code of the container.")
    restarts: int | None = Field(
        default=None,
        description="The container was started again at least so often; told at 3, 10, 30, 100 "
        "and 300. The cause told stays the first one until the pods change or the model is well.",
    )
    revision: Text | None = Field(
        default=None, description="Label pod-template-hash of the pods that this is about."
    )
    log_excerpt: LongText | None = Field(
        default=None,
        description="The lines of its log around the cause and the last ones, without process "
        "prefixes.",
    )


class QuantizedModelStatus(ApiType):
    """What is, as far as the operator knows."""

    observed_generation: (
        Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})] | None
    ) = Field(default=None, description="Generation of the spec that this status is about.")
    conditions: (
        Annotated[
            list[ConditionStatus],
            Field(
                max_length=16,
                json_schema_extra={
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["type"],
                },
            ),
        ]
        | None
    ) = Field(default=None, description="Aspects of the model's state.")
    replicas: Annotated[int, Field(ge=0, json_schema_extra={"format": "int32"})] | None = Field(
        default=None, description="Replicas that exist."
    )
    ready_replicas: Annotated[int, Field(ge=0, json_schema_extra={"format": "int32"})] | None = (
        Field(default=None, description="Replicas that answer.")
    )
    selector: Text | None = Field(
        default=None, description="Label selector of the replicas, for the scale subresource."
    )
    url: Text | None = Field(default=None, description="Base URL inside the cluster.")
    model: CheckpointStatus | None = Field(default=None, description="What the inspection found.")
    plan: PlanStatus | None = Field(default=None, description="What was planned.")
    engine: EngineStatus | None = Field(
        default=None, description="What vLLM itself reported, beside what was planned."
    )
    failure: FailureStatus | None = Field(default=None, description="Why it is not Ready.")
