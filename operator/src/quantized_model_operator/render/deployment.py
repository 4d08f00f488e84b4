"""Pure: the Deployment that runs vLLM, and the promise that a running pod is not disturbed.

The pod template follows the plan. When only this renderer changed (an upgrade of the operator),
the live template stays as it is until the spec or the checkpoint changes::

    recorded inputs == inputs of now?
        no  -> the new template rolls out
        yes -> recorded template == hash of the rendered one?
                 yes -> render it (repairs edits by others)
                 no  -> keep the live template, and write nothing while replicas are right
    nothing recorded (annotation lost) -> keep the live template unless the inputs changed
"""

from typing import TYPE_CHECKING, Any

from quantized_model_operator.domain.accelerators import product_label
from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.child_objects import Manifest
from quantized_model_operator.domain.decision import (
    KEPT_TEMPLATE,
    Decision,
    decision_to_json,
)
from quantized_model_operator.domain.model import (
    CacheKind,
    ResolvedModel,
    Scheme,
    Strategy,
    content_hash,
)
from quantized_model_operator.domain.quantity import gibibytes
from quantized_model_operator.domain.serving_plan import ServingPlan
from quantized_model_operator.domain.well_known import (
    INPUTS_ANNOTATION,
    PLAN_ANNOTATION,
    SERVING_CONTAINER,
    Component,
)
from quantized_model_operator.plan.plan import Plan, ServingChoice, Stage
from quantized_model_operator.render import metadata, pod, probes, vllm_arguments
from quantized_model_operator.render.jobs import fetch_container
from quantized_model_operator.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

_PRE_STOP_SECONDS = 15
"""Until every node has taken the pod out of its Service."""
_EXIT_SECONDS = 15
_KEPT_REVISIONS = 2


def deployment(plan: Plan, settings: Settings) -> Manifest | None:
    """The Deployment of the planned revision; ``None`` leaves what exists as it is."""
    if plan.stage is not Stage.SERVE or plan.facts is None or plan.serving is None:
        return None
    rendered = _pod_template(plan.model, plan.facts, plan.serving, settings)
    template, template_hash = _kept_or(rendered, plan)
    if template is not rendered and _is_as_wanted(plan):
        return None
    decision = Decision(
        inputs=plan.model.inputs,
        source=plan.source,
        image=plan.serving.image,
        facts=plan.facts,
        plan=plan.serving.plan,
        template=template_hash,
    )
    annotations = {
        PLAN_ANNOTATION: decision_to_json(decision),
        INPUTS_ANNOTATION: plan.model.inputs,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata.child(
            plan.model, Component.SERVING, name=plan.model.key.name, annotations=annotations
        ),
        "spec": {
            "replicas": plan.model.replicas,
            "revisionHistoryLimit": _KEPT_REVISIONS,
            "progressDeadlineSeconds": probes.progress_deadline_seconds(
                plan.model, plan.facts, plan.serving.plan.device
            ),
            "selector": {"matchLabels": metadata.selector(plan.model.key.name)},
            "strategy": _strategy(plan.model.strategy),
            "template": template,
        },
    }


def _kept_or(rendered: Manifest, plan: Plan) -> tuple[Manifest, str]:
    """The template to apply, and what is recorded about it."""
    recorded = plan.recorded
    rendered_hash = content_hash(rendered)
    if recorded.deployment is None:
        return rendered, rendered_hash
    live: Mapping[str, Any] = recorded.deployment["spec"]["template"]
    if recorded.decision is None:
        is_same_spec = recorded.inputs in {"", plan.model.inputs}
        return (live, KEPT_TEMPLATE) if is_same_spec else (rendered, rendered_hash)
    planned_anew = plan.serving is None or not plan.serving.is_recorded
    if planned_anew or recorded.decision.template == rendered_hash:
        return rendered, rendered_hash
    return live, recorded.decision.template


def _is_as_wanted(plan: Plan) -> bool:
    """Whether a live Deployment whose template is kept needs nothing else, a plan least of all."""
    live = plan.recorded.deployment
    return (
        live is not None
        and plan.recorded.decision is not None
        and live["spec"].get("replicas") == plan.model.replicas
        and live["spec"].get("strategy", {}).get("type") == _strategy(plan.model.strategy)["type"]
    )


def _strategy(strategy: Strategy) -> dict[str, Any]:
    match strategy:
        case Strategy.RECREATE:
            return {"type": "Recreate"}
        case Strategy.SURGE:
            limits = {"maxSurge": 1, "maxUnavailable": 0}
        case Strategy.REPLACE:
            limits = {"maxSurge": 0, "maxUnavailable": 1}
    return {"type": "RollingUpdate", "rollingUpdate": limits}


def _pod_template(
    model: ResolvedModel, facts: CheckpointFacts, serving: ServingChoice, settings: Settings
) -> dict[str, Any]:
    return {
        "metadata": {
            "labels": {**model.pod.labels, **metadata.labels(model, Component.SERVING)},
            "annotations": {
                **model.pod.annotations,
                "prometheus.io/scrape": "true",
                "prometheus.io/port": str(metadata.SERVER_PORT),
                "prometheus.io/path": "/metrics",
            },
        },
        "spec": _pod_spec(model, facts, serving, settings),
    }


def _pod_spec(
    model: ResolvedModel, facts: CheckpointFacts, serving: ServingChoice, settings: Settings
) -> dict[str, Any]:
    scratch = pod.scratch("tmp", "/tmp")  # noqa: S108 - the pod's own emptyDir
    server = scratch.plus(
        pod.scratch("home", vllm_arguments.HOME),
        pod.scratch("shared-memory", "/dev/shm", in_memory=True),  # noqa: S108
        pod.source_claim(model),
        pod.weights_cache(model, read_only=True),
    )
    spec = pod.pod_spec(model, settings) | {
        "terminationGracePeriodSeconds": _PRE_STOP_SECONDS
        + vllm_arguments.DRAIN_SECONDS
        + _EXIT_SECONDS,
        "containers": [_server(model, facts, serving, server, settings)],
        "volumes": server.volumes,
        "topologySpreadConstraints": _spread(model),
    }
    if model.source.scheme is Scheme.HUB and model.cache.kind is not CacheKind.NONE:
        fetch, mounted = fetch_container(model, facts, settings)
        mounts = [*scratch.mounts, *mounted.mounts]
        spec["initContainers"] = [fetch | {"volumeMounts": mounts}]
        known = {item["name"] for item in server.volumes}
        spec["volumes"] = [
            *server.volumes,
            *(item for item in mounted.volumes if item["name"] not in known),
        ]
    if serving.plan.products:
        spec["affinity"] = _product_affinity(serving.plan.products, model.resource_name)
    if model.pod.runtime_class_name:
        spec["runtimeClassName"] = model.pod.runtime_class_name
    return spec


def _server(
    model: ResolvedModel,
    facts: CheckpointFacts,
    serving: ServingChoice,
    mounted: pod.Mounted,
    settings: Settings,
) -> dict[str, Any]:
    plan = serving.plan
    budget = probes.startup_budget_seconds(facts, plan.device)
    engine = settings.cpu_engine if plan.device == "CPU" else settings.gpu_engine
    return {
        "name": SERVING_CONTAINER,
        "image": serving.image,
        "imagePullPolicy": engine.pull_policy,
        "args": vllm_arguments.arguments(
            model,
            plan,
            pod.checkpoint_folder(model, facts),
            name_quantization=facts.quantization_argument,
        ),
        "env": vllm_arguments.variables(model, plan, budget),
        "ports": [
            {
                "name": metadata.SERVER_PORT_NAME,
                "containerPort": metadata.SERVER_PORT,
                "protocol": "TCP",
            }
        ],
        "resources": _resources(model, plan),
        "volumeMounts": mounted.mounts,
        "securityContext": pod.container_security(),
        "lifecycle": {"preStop": {"sleep": {"seconds": _PRE_STOP_SECONDS}}},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        **probes.probes(model.served_names[0], model.canary, budget),
    }


def _resources(model: ResolvedModel, plan: ServingPlan) -> dict[str, Any]:
    memory = model.memory or gibibytes(plan.memory_request_bytes)
    requests = {"cpu": model.cpu or plan.cpu_request, "memory": memory}
    limits = {"memory": memory}
    if plan.device == "GPU":
        limits[model.resource_name] = str(plan.tensor_parallel_size)
    return {"requests": requests, "limits": limits}


def _product_affinity(products: tuple[str, ...], resource_name: str) -> dict[str, Any]:
    expression = {
        "key": product_label(resource_name),
        "operator": "In",
        "values": sorted(products),
    }
    terms = [{"matchExpressions": [expression]}]
    return {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}
        }
    }


def _spread(model: ResolvedModel) -> list[dict[str, Any]]:
    return [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": metadata.selector(model.key.name)},
            "matchLabelKeys": ["pod-template-hash"],
        }
    ]
