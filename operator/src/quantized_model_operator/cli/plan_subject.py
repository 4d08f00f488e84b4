"""I/O: what is to be planned: a checkpoint alone, or a manifest with its spec."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from quantized_model_operator.cli.checkpoint_source import CLAIM_PREFIX, HUB_PREFIX, is_on_hub
from quantized_model_operator.cli.gpu_names import NamedGpu
from quantized_model_operator.cli.vllm_values import AUTO_LENGTH
from quantized_model_operator.domain.accelerators import DEFAULT_RESOURCE_NAME
from quantized_model_operator.domain.cluster_state import ModelKey
from quantized_model_operator.domain.model import ResolvedModel
from quantized_model_operator.domain.outcome import InvalidModelError, Problem
from quantized_model_operator.domain.plan_values import ServingRequest
from quantized_model_operator.domain.quantization import Device
from quantized_model_operator.settings import Settings

SETTINGS = Settings(operator_image="")
"""Default engine versions are those of the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """What was typed; ``None`` where nothing was."""

    gpus: tuple[NamedGpu, ...] = ()
    gpu_count: int | None = None
    all_gpus: bool = False
    device: Device | None = None
    memory_bytes: int | None = None
    engine: str | None = None
    tensor_parallel_size: int | None = None
    gpu_memory_utilization: float | None = None
    max_model_len: int | None = None
    max_num_batched_tokens: int | None = None
    max_num_seqs: int | None = None
    kv_cache_dtype: str | None = None
    dtype: str | None = None
    enforce_eager: bool = False
    checkpoint: str | None = None
    name: str | None = None
    kubeconfig: str | None = None
    context: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is planned, before anything of the checkpoint is read."""

    source: str
    """A folder, or ``hf://organisation/name``."""
    revision: str
    request: ServingRequest
    model: ResolvedModel | None
    """``None`` for a checkpoint without a manifest."""


class RefusedManifestError(Exception):
    """The operator would refuse the manifest's spec as it is written."""

    def __init__(self, model: ModelKey, problems: tuple[Problem, ...]) -> None:
        super().__init__(model, problems)
        self.model = model
        self.problems = problems


def subject_of(target: str, options: PlanOptions) -> Subject:
    """The checkpoint or the manifest that the target names, with the options applied.

    ``RefusedManifestError`` when the operator would refuse the manifest as it is written.
    """
    if target.startswith(CLAIM_PREFIX):
        raise click.ClickException(_claim_sentence(target, "name instead"))
    if is_on_hub(target) or Path(target).is_dir():
        return _checkpoint_subject(target, options)
    if target == "-" or Path(target).is_file():
        return _manifest_subject(target, options)
    raise click.ClickException(
        f"{target} is neither a file nor a folder here; a repository on the hub is written "
        f"{HUB_PREFIX}organisation/name"
    )


def _checkpoint_subject(target: str, options: PlanOptions) -> Subject:
    if options.name or options.checkpoint:
        raise click.UsageError("--name and --checkpoint go with a manifest; this is a checkpoint.")
    device = options.device or "GPU"
    engine = SETTINGS.cpu_engine if device == "CPU" else SETTINGS.gpu_engine
    request = ServingRequest(device=device, engine_version=engine.default_version)
    return Subject(
        source=target, revision="main", request=with_options(request, options), model=None
    )


def _manifest_subject(file: str, options: PlanOptions) -> Subject:
    # Late: the types of the API are needed for manifests only.
    from quantized_model_operator.cli.plan_manifest import (  # noqa: PLC0415
        chosen_manifest,
        key_of,
        resolved,
    )

    content = _typed_into(chosen_manifest(file, options.name), options)
    try:
        model, request = resolved(content, SETTINGS)
    except InvalidModelError as error:
        raise RefusedManifestError(key_of(content), error.problems) from error
    source = options.checkpoint or model.source.uri
    if source.startswith(CLAIM_PREFIX):
        raise click.ClickException(_claim_sentence(source, "add --checkpoint with"))
    return Subject(
        source=source,
        revision="main" if options.checkpoint else model.source.revision,
        request=with_options(request, options),
        model=model,
    )


def _claim_sentence(uri: str, remedy: str) -> str:
    return (
        f"{uri} is a claim of a cluster, which cannot be read from here: {remedy} a folder with a "
        f"copy of its config and headers, or {HUB_PREFIX}organisation/name"
    )


def _typed_into(content: Mapping[str, Any], options: PlanOptions) -> Mapping[str, Any]:
    """The manifest for the device and the version that were typed, which its arguments depend on.

    On CPU it means nothing how many GPUs of which kind it asks for.
    """
    spec = content.get("spec")
    if not isinstance(spec, Mapping):
        return content
    hardware, engine = spec.get("hardware") or {}, spec.get("engine") or {}
    if options.device and isinstance(hardware, Mapping):
        without = {"gpusPerReplica", "products"} if options.device == "CPU" else set()
        kept = {key: value for key, value in hardware.items() if key not in without}
        spec = {**spec, "hardware": {**kept, "device": options.device}}
    if options.engine and isinstance(engine, Mapping):
        spec = {**spec, "engine": {**engine, "version": options.engine}}
    return {**content, "spec": spec}


def with_options(request: ServingRequest, options: PlanOptions) -> ServingRequest:
    """The request with what was typed in place of what it says."""
    typed = {
        "engine_version": options.engine,
        "gpus_per_replica": options.tensor_parallel_size,
        "max_model_length": options.max_model_len,
        "dtype": options.dtype,
        "kv_cache_dtype": options.kv_cache_dtype,
        "gpu_memory_utilization": options.gpu_memory_utilization,
        "max_num_seqs": options.max_num_seqs,
        "max_num_batched_tokens": options.max_num_batched_tokens,
        "enforce_eager": options.enforce_eager or None,
        "memory_limit_bytes": options.memory_bytes,
    }
    changes: dict[str, Any] = {key: value for key, value in typed.items() if value is not None}
    if options.max_model_len == AUTO_LENGTH:
        changes["max_model_length"] = None
    if options.kv_cache_dtype == "auto":
        changes["kv_cache_dtype"] = None
    if options.gpus or options.all_gpus:
        changes |= {"products": (), "resource_name": DEFAULT_RESOURCE_NAME}
    return replace(request, **changes)
