"""Pure: from what a user wrote and what it refers to, to a checked ``ResolvedModel``.

Raises ``InvalidModelError`` with every problem found, each naming field and remedy.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from quantized_model_operator.api.flag_tables import argument_table, argument_tables
from quantized_model_operator.api.v1alpha1 import (
    Cache,
    Device,
    KvCacheDtype,
    PodTemplate,
    QuantizedModelSpec,
    RolloutStrategy,
    SecretKeyRef,
)
from quantized_model_operator.domain.argument_rules import (
    ArgumentContext,
    argument_problems,
    argument_warnings,
    engine_switches,
)
from quantized_model_operator.domain.cluster_state import Observed
from quantized_model_operator.domain.engine_variables import variable_warnings
from quantized_model_operator.domain.engine_version import (
    InvalidEngineVersionError,
    parse_engine_version,
)
from quantized_model_operator.domain.model import (
    CacheKind,
    Canary,
    EngineVariable,
    PodSettings,
    ResolvedModel,
    Scheme,
    SecretKey,
    Source,
    Strategy,
    WeightsCache,
    content_hash,
)
from quantized_model_operator.domain.outcome import InvalidModelError, Problem
from quantized_model_operator.domain.quantity import parse_quantity
from quantized_model_operator.domain.serving_plan import ServingRequest
from quantized_model_operator.settings import Settings

_NOT_POD_INPUTS = ("replicas", "suspended", "service", "rollout")
_OWNED_KEY_PREFIXES = (
    "app.kubernetes.io/",
    "serving.quantizedmodel.dev/",
    "prometheus.io/",
    "argocd.argoproj.io/",
)
_ALLOW_LONG = "VLLM_ALLOW_LONG_MAX_MODEL_LEN"
"""Source: vLLM 0.33.0 envs.py and config/model.py, 2026-11."""
_ENGINE_USER = 2000
"""Source: vLLM 0.33.0, docker/Dockerfile, user ``vllm`` (uid 2000, gid 0), checked 2026-11-24."""


def resolve(observed: Observed, settings: Settings) -> ResolvedModel:
    """The model, checked and defaulted; ``InvalidModelError`` with everything wrong in it."""
    spec = _parse(observed.model)
    problems = list(_problems(spec, observed, settings))
    if problems:
        raise InvalidModelError(*problems)
    return _resolved(spec, observed, settings)


def _parse(model: Mapping[str, Any]) -> QuantizedModelSpec:
    try:
        return QuantizedModelSpec.model_validate(model.get("spec") or {})
    except ValidationError as error:
        raise InvalidModelError(
            *(
                Problem(
                    reason="InvalidSpec",
                    field=_field_path(item["loc"]),
                    message=f"{_field_path(item['loc'])}: {item['msg']}; got {item['input']!r}",
                )
                for item in error.errors()
            )
        ) from error


def _field_path(location: tuple[int | str, ...]) -> str:
    path = "spec"
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path


def _problems(
    spec: QuantizedModelSpec, observed: Observed, settings: Settings
) -> Iterator[Problem]:
    yield from argument_problems(spec.engine.args or (), _argument_context(spec, settings))
    yield from _permission_problems(spec, settings)
    yield from _metadata_problems(spec.pod_template)
    yield from _quantity_problems(spec)
    yield from _claim_problems(spec, observed)
    if ".." in spec.model.uri.split("/"):
        yield _invalid(
            "spec.model.uri", "must not contain '..'; name the path from the claim's root"
        )


def _argument_context(spec: QuantizedModelSpec, settings: Settings) -> ArgumentContext:
    """What the arguments are judged with; an unreadable version is refused by the plan."""
    text = _engine_version(spec, settings)
    try:
        table = argument_table(parse_engine_version(text))
    except InvalidEngineVersionError:
        table = None
    return ArgumentContext(
        version=text,
        table=table,
        others=argument_tables,
        on_cpu=spec.hardware.device is Device.CPU,
        plugins=bool(spec.engine.image),
    )


def _engine_version(spec: QuantizedModelSpec, settings: Settings) -> str:
    on_cpu = spec.hardware.device is Device.CPU
    defaults = settings.cpu_engine if on_cpu else settings.gpu_engine
    return spec.engine.version or defaults.default_version


def _permission_problems(spec: QuantizedModelSpec, settings: Settings) -> Iterator[Problem]:
    if settings.allow_custom_images:
        return
    for field, value in (("image", spec.engine.image), ("env", spec.engine.env)):
        if value:
            yield _invalid(
                f"spec.engine.{field}",
                "is switched off by the administrator of this operator; remove it",
            )


def _metadata_problems(template: PodTemplate | None) -> Iterator[Problem]:
    metadata = template.metadata if template else None
    if metadata is None:
        return
    for field, keys in (("labels", metadata.labels), ("annotations", metadata.annotations)):
        for key in keys or {}:
            if key.startswith(_OWNED_KEY_PREFIXES):
                yield _invalid(
                    f"spec.podTemplate.metadata.{field}",
                    f"has the key {key!r}, which the operator or a GitOps tool owns; "
                    "use a key of your own domain",
                )


def _quantity_problems(spec: QuantizedModelSpec) -> Iterator[Problem]:
    for field, value in (
        ("spec.hardware.cpu", spec.hardware.cpu),
        ("spec.hardware.memory", spec.hardware.memory),
        ("spec.cache.size", spec.cache.size if spec.cache else None),
    ):
        if value is None:
            continue
        try:
            positive = parse_quantity(value) > 0
        except ValueError as error:
            yield _invalid(field, str(error))
            continue
        if not positive:
            yield _invalid(field, "must be above zero")


def _claim_problems(spec: QuantizedModelSpec, observed: Observed) -> Iterator[Problem]:
    for field, name in _claims_of(spec):
        if name not in observed.claims:
            yield Problem(
                reason="ClaimNotFound",
                field=field,
                message=f"{field}: namespace {observed.key.namespace} has no "
                f"PersistentVolumeClaim {name!r}; create it, or name another",
            )
    claim = observed.claims.get(spec.cache.claim_name or "") if spec.cache else None
    if claim and not _is_shared(claim.access_modes) and spec.replicas > 1:
        yield _invalid(
            "spec.cache.claimName",
            f"names the claim {claim.name!r} with access modes {', '.join(claim.access_modes)}, "
            f"which one replica can use, but spec.replicas is {spec.replicas}; use a "
            "ReadWriteMany claim, spec.cache.size, or one replica",
        )


def _claims_of(spec: QuantizedModelSpec) -> Iterator[tuple[str, str]]:
    if spec.model.uri.startswith("pvc://"):
        yield "spec.model.uri", spec.model.uri.removeprefix("pvc://").split("/", 1)[0]
    if spec.cache and spec.cache.claim_name:
        yield "spec.cache.claimName", spec.cache.claim_name


def _is_shared(access_modes: tuple[str, ...]) -> bool:
    return "ReadWriteMany" in access_modes


def _invalid(field: str, what: str) -> Problem:
    return Problem(reason="InvalidSpec", field=field, message=f"{field} {what}")


def _resolved(spec: QuantizedModelSpec, observed: Observed, settings: Settings) -> ResolvedModel:
    cache = _cache(spec.cache, spec.model.uri, observed)
    inputs = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    canary = spec.engine.canary
    return ResolvedModel(
        key=observed.key,
        uid=observed.uid,
        generation=observed.generation,
        source=source_of(spec.model.uri, spec.model.revision),
        served_names=tuple(spec.model.served_names or (observed.key.name,)),
        token=_secret(spec.model.token_secret_ref),
        request=_request(spec, settings),
        image=spec.engine.image or "",
        arguments=tuple(spec.engine.args or ()),
        variables=tuple(
            EngineVariable(name=item.name, value=item.value, secret=_secret(item.secret_key_ref))
            for item in spec.engine.env or ()
        ),
        canary=Canary(prompt=canary.prompt, expect=canary.expect) if canary else None,
        cpu=str(spec.hardware.cpu or ""),
        memory=str(spec.hardware.memory or ""),
        resource_name=spec.hardware.resource_name,
        pod=_pod(spec),
        replicas=0 if spec.suspended else spec.replicas,
        suspended=spec.suspended,
        cache=cache,
        service_port=spec.service.port,
        service_annotations=dict(spec.service.annotations or {}),
        api_key=_secret(spec.api_key_secret_ref),
        strategy=_strategy(spec, cache),
        inputs=content_hash({k: v for k, v in inputs.items() if k not in _NOT_POD_INPUTS}),
    )


def source_of(uri: str, revision: str) -> Source:
    """The parts of a model's uri; the schema has checked its form."""
    scheme, _, rest = uri.partition("://")
    if scheme == Scheme.HUB:
        return Source(
            scheme=Scheme.HUB, uri=uri, repository=rest, claim_name="", path="", revision=revision
        )
    claim, _, path = rest.partition("/")
    return Source(
        scheme=Scheme.CLAIM,
        uri=uri,
        repository="",
        claim_name=claim,
        path=path.strip("/"),
        revision="",
    )


def _request(spec: QuantizedModelSpec, settings: Settings) -> ServingRequest:
    engine, hardware = spec.engine, spec.hardware
    context = _argument_context(spec, settings)
    switches = engine_switches(engine.args or (), context.table)
    kv_cache_dtype = engine.kv_cache_dtype
    return ServingRequest(
        device="CPU" if hardware.device is Device.CPU else "GPU",
        engine_version=context.version,
        gpus_per_replica=hardware.gpus_per_replica,
        products=tuple(hardware.products or ()),
        resource_name=hardware.resource_name,
        max_model_length=engine.max_model_len,
        dtype=engine.dtype.value if engine.dtype else None,
        kv_cache_dtype=None if kv_cache_dtype in {None, KvCacheDtype.AUTO} else str(kv_cache_dtype),
        gpu_memory_utilization=engine.gpu_memory_utilization,
        max_num_seqs=engine.max_num_seqs,
        max_num_batched_tokens=engine.max_num_batched_tokens,
        enforce_eager=hardware.device is Device.CPU or switches.enforce_eager,
        chunked_prefill=switches.chunked_prefill,
        expert_parallel=switches.expert_parallel,
        linear_backend=switches.linear_backend,
        attention_backend=switches.attention_backend,
        double_batches=switches.double_batches,
        length_may_exceed=any(item.name == _ALLOW_LONG for item in engine.env or ()),
        warnings=(
            *(argument_warnings(context) if engine.args else ()),
            *variable_warnings(item.name for item in engine.env or ()),
        ),
        memory_limit_bytes=int(parse_quantity(hardware.memory)) if hardware.memory else None,
    )


def _pod(spec: QuantizedModelSpec) -> PodSettings:
    template = spec.pod_template or PodTemplate()
    metadata, security = template.metadata, template.security_context
    return PodSettings(
        labels=dict((metadata.labels if metadata else None) or {}),
        annotations=dict((metadata.annotations if metadata else None) or {}),
        user_id=_given(security.run_as_user if security else None, _ENGINE_USER),
        group_id=_given(security.run_as_group if security else None, 0),
        volume_group_id=_given(security.fs_group if security else None, 0),
        node_selector=dict(spec.hardware.node_selector or {}),
        tolerations=tuple(
            item.model_dump(mode="json", by_alias=True, exclude_none=True)
            for item in spec.hardware.tolerations or ()
        ),
        runtime_class_name=spec.hardware.runtime_class_name or "",
        priority_class_name=spec.hardware.priority_class_name or "",
    )


def _given(value: int | None, default: int) -> int:
    return default if value is None else value


def _secret(reference: SecretKeyRef | None) -> SecretKey | None:
    return SecretKey(name=reference.name, key=reference.key) if reference else None


def _cache(cache: Cache | None, uri: str, observed: Observed) -> WeightsCache:
    if uri.startswith("pvc://"):
        return WeightsCache(kind=CacheKind.NONE)
    if cache is None:
        return WeightsCache(kind=CacheKind.POD)
    if cache.claim_name:
        return WeightsCache(
            kind=CacheKind.CLAIM,
            claim_name=cache.claim_name,
            claim_is_shared=_is_shared(observed.claims[cache.claim_name].access_modes),
        )
    if cache.host_path:
        return WeightsCache(kind=CacheKind.NODE_FOLDER, host_path=cache.host_path)
    return WeightsCache(
        kind=CacheKind.POD_VOLUME,
        size=str(cache.size),
        storage_class_name=cache.storage_class_name or "",
    )


def _strategy(spec: QuantizedModelSpec, cache: WeightsCache) -> Strategy:
    if cache.kind is CacheKind.CLAIM and not cache.claim_is_shared:
        return Strategy.RECREATE
    if spec.rollout.strategy is None:
        return Strategy.SURGE if spec.hardware.device is Device.CPU else Strategy.REPLACE
    wants_surge = spec.rollout.strategy is RolloutStrategy.SURGE
    return Strategy.SURGE if wants_surge else Strategy.REPLACE
