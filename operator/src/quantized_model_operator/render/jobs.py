"""Pure: the Jobs that inspect and fetch, and the init container that fetches in a pod."""

from typing import Any

from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.child_objects import Manifest
from quantized_model_operator.domain.cluster_state import ObservedClaim
from quantized_model_operator.domain.model import ResolvedModel, Scheme
from quantized_model_operator.domain.well_known import (
    FETCH_CONTAINER,
    INSPECT_CONTAINER,
    Component,
)
from quantized_model_operator.plan.jobs import JobState, JobStep
from quantized_model_operator.plan.plan import Plan, Stage
from quantized_model_operator.render import metadata, pod
from quantized_model_operator.settings import Settings

INSPECT_DEADLINE_SECONDS = 240
FETCH_STALL_SECONDS = 60
_RETRIES_OF_ONE_JOB = 3
_VERDICT_EXIT_CODE = 2
"""Of ``quantized_model_jobs.fetch``: trying again would not help."""


def inspection_job(plan: Plan, settings: Settings, claim: ObservedClaim | None) -> Manifest | None:
    """The Job that reads the checkpoint, next to the data and without a GPU."""
    step = plan.inspection
    if plan.stage is not Stage.INSPECT or step is None or step.state is not JobState.WANTED:
        return None
    model = plan.model
    source = model.source
    arguments = ["--uri", source.uri, "--deadline-seconds", str(INSPECT_DEADLINE_SECONDS)]
    if source.scheme is Scheme.CLAIM:
        arguments += ["--path", f"{pod.CLAIM_PATH}/{source.path}".rstrip("/")]
        arguments += ["--claim-uid", claim.uid if claim else ""]
    else:
        arguments += ["--revision", source.revision, *pod.token_arguments(model)]
    volumes = pod.scratch("tmp", "/tmp").plus(  # noqa: S108 - the pod's own emptyDir
        pod.source_claim(model), pod.hub_access(model, settings)
    )
    container = _program(INSPECT_CONTAINER, arguments, model, settings)
    return _job(
        model,
        Component.INSPECT,
        step,
        container=container,
        volumes=volumes,
        settings=settings,
    )


def fetch_job(plan: Plan, settings: Settings) -> Manifest | None:
    """The Job that fills a shared volume before any replica takes hardware."""
    step = plan.fetch
    wanted = step is not None and step.state is JobState.WANTED
    if plan.stage is not Stage.FETCH or step is None or not wanted or plan.facts is None:
        return None
    container, volumes = fetch_container(plan.model, plan.facts, settings)
    volumes = pod.scratch("tmp", "/tmp").plus(volumes)  # noqa: S108
    return _job(
        plan.model,
        Component.FETCH,
        step,
        container=container,
        volumes=volumes,
        settings=settings,
    )


def fetch_container(
    model: ResolvedModel, facts: CheckpointFacts, settings: Settings
) -> tuple[dict[str, Any], pod.Mounted]:
    """The program that fetches, verifies and leaves a manifest; a filled cache is left alone.

    The returned volumes lack ``/tmp``, which each pod brings itself.
    """
    arguments = [
        *("--uri", facts.uri),
        *("--commit", facts.commit),
        *("--destination", pod.checkpoint_folder(model, facts)),
        *("--stall-seconds", str(FETCH_STALL_SECONDS)),
        *pod.token_arguments(model),
    ]
    volumes = pod.weights_cache(model, read_only=False).plus(pod.hub_access(model, settings))
    return _program(FETCH_CONTAINER, arguments, model, settings), volumes


def _program(
    name: str, arguments: list[str], model: ResolvedModel, settings: Settings
) -> dict[str, Any]:
    memory = {"inspect": "512Mi", "fetch": "1Gi"}[name]
    identity = {"name": "POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}
    return {
        "name": name,
        "image": settings.operator_image,
        "imagePullPolicy": settings.operator_image_pull_policy,
        "command": ["python3", "-m", f"quantized_model_jobs.{name}"],
        "args": [*arguments, "--report", "/dev/termination-log"],
        "env": [*pod.hub_variables(model, settings), {"name": "HOME", "value": "/tmp"}, identity],  # noqa: S108
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"memory": memory},
        },
        "securityContext": pod.container_security(),
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }


def _verdict_rule(component: Component) -> dict[str, Any]:
    """A verdict ends the Job at once."""
    on_exit_codes = {
        "containerName": component.value,
        "operator": "In",
        "values": [_VERDICT_EXIT_CODE],
    }
    return {"action": "FailJob", "onExitCodes": on_exit_codes}


def _job(
    model: ResolvedModel,
    component: Component,
    step: JobStep,
    *,
    container: dict[str, Any],
    volumes: pod.Mounted,
    settings: Settings,
) -> Manifest:
    spec = pod.pod_spec(model, settings) | {
        "restartPolicy": "Never",
        "containers": [container | {"volumeMounts": volumes.mounts}],
        "volumes": volumes.volumes,
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata.child(
            model,
            component,
            name=metadata.job_name(model, component, step.inputs, step.attempt),
            annotations=metadata.job_annotations(step.inputs, step.attempt),
        ),
        "spec": {
            "backoffLimit": _RETRIES_OF_ONE_JOB,
            "podFailurePolicy": {"rules": [_verdict_rule(component)]},
            "template": {
                "metadata": {"labels": metadata.labels(model, component)},
                "spec": spec,
            },
        },
    }
