"""Pure: how vLLM runs, as a user writes it."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from quantized_model_operator.api.schema_types import ApiType, Name, cel, validations


class Dtype(StrEnum):
    """Data type of activations."""

    AUTO = "auto"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"


class KvCacheDtype(StrEnum):
    """Data type of keys and values in the cache."""

    AUTO = "auto"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"
    FP8 = "fp8"
    FP8_E4M3 = "fp8_e4m3"
    FP8_E5M2 = "fp8_e5m2"


class SecretKeyRef(ApiType):
    """One key of a Secret in the model's namespace. The operator itself never reads it."""

    name: Name = Field(description="Name of the Secret.")
    key: Annotated[str, StringConstraints(min_length=1, max_length=253)] = Field(
        description="Key in the Secret's data."
    )


class EnvironmentVariable(ApiType):
    """A variable for the vLLM container: a plain value or a key of a Secret."""

    name: Annotated[
        str, StringConstraints(min_length=1, max_length=255, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    ] = Field(description="Name of the variable.")
    value: Annotated[str, StringConstraints(max_length=4096)] | None = Field(
        default=None, description="Its value."
    )
    secret_key_ref: SecretKeyRef | None = Field(
        default=None, description="Take the value from this key of a Secret."
    )


class Canary(ApiType):
    """A question whose answer you know: vLLM has to give it before a pod becomes Ready."""

    prompt: Annotated[str, StringConstraints(min_length=1, max_length=4096)] = Field(
        description="The question. It is sent as the only message of a chat or, when the model has "
        "no chat template, as the text to go on with; greedy, temperature 0."
    )
    expect: Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"\S")] = Field(
        description="Text that the answer has to contain, within as many tokens as the text has "
        "bytes and 32 more. Upper and lower case count. Of a model that thinks before it answers, "
        "the thoughts count as part of the answer."
    )


class Engine(ApiType):
    """How vLLM runs. What is absent is planned from the checkpoint and the hardware."""

    version: (
        Annotated[str, StringConstraints(max_length=32, pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")] | None
    ) = Field(
        default=None,
        description="vLLM version; selects the image and the table of rules. Default: the "
        "operator's setting for the device.",
    )
    image: Annotated[str, StringConstraints(min_length=1, max_length=512)] | None = Field(
        default=None,
        description="Image to use instead of the one that belongs to the version (a mirror, or a "
        "digest). It must contain the given version of vLLM.",
    )
    max_model_len: Annotated[int, Field(ge=1, le=10_000_000)] | None = Field(
        default=None,
        description="Context limit in tokens. Default: the largest that fits, up to the model's "
        "own limit.",
    )
    dtype: Dtype | None = Field(
        default=None, description="Data type of activations. Default: the checkpoint's own."
    )
    kv_cache_dtype: KvCacheDtype | None = Field(
        default=None, description="Data type of the KV cache. Default: that of the activations."
    )
    gpu_memory_utilization: Annotated[float, Field(gt=0, le=1)] | None = Field(
        default=None,
        description="Share of the memory of each GPU that vLLM may use, above 0 and at most 1. "
        "Default: vLLM's own. Has no meaning on CPU.",
    )
    max_num_seqs: Annotated[int, Field(ge=1, le=65_536)] | None = Field(
        default=None, description="Most requests that run at the same time. Default: vLLM's own."
    )
    max_num_batched_tokens: Annotated[int, Field(ge=1, le=1_048_576)] | None = Field(
        default=None, description="Most tokens in one step. Default: vLLM's own."
    )
    args: (
        Annotated[
            list[Annotated[str, StringConstraints(min_length=1, max_length=4096)]],
            Field(max_length=64, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
        ]
        | None
    ) = Field(
        default=None,
        description="Further arguments of 'vllm serve', each in its own entry. Flags that the "
        "operator sets itself are refused by name, with the field to use instead.",
    )
    env: (
        Annotated[
            list[EnvironmentVariable],
            Field(
                max_length=64,
                json_schema_extra={
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    **validations(
                        cel(
                            "self.all(item, has(item.value) != has(item.secretKeyRef))",
                            "each variable needs exactly one of value and secretKeyRef",
                        )
                    ),
                },
            ),
        ]
        | None
    ) = Field(default=None, description="Further variables of the vLLM container.")
    canary: Canary | None = Field(
        default=None,
        description="Asked once at each start of vLLM; another answer means AnswersDamaged, and "
        "the pod never becomes Ready. Weights that were overwritten show in nothing else. Kept in "
        "the pod template, so put no secret here; a change of it is a rollout.",
    )
