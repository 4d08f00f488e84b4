"""The Deployment: what a pod gets, and when the live template stays as it is."""

import json
from dataclasses import replace
from typing import Any

import pytest

from quantized_model_operator.domain.cluster_state import ObjectKey, Observed
from quantized_model_operator.settings import EngineSettings, Settings
from unit.otter import (
    COMMIT,
    CPU_SPEC,
    GPU_SPEC,
    HUB_SPEC,
    HUB_URI,
    SETTINGS,
    claim,
    deployment_of,
    desired,
    facts,
    observed,
    running,
    with_spec,
)
from unit.render.fetched import serving_objects

UPGRADED = Settings(
    operator_image="mirror.example/operator:4",
    gpu_engine=EngineSettings(image="mirror.example/engine:{version}", default_version="0.34.0"),
    cpu_engine=EngineSettings(image="mirror.example/cpu:{version}", default_version="0.33.0"),
    image_pull_secrets=("new-secret",),
)


def _deployment(
    spec: dict[str, Any] | Any,  # noqa: ANN401 - a manifest
    settings: Settings = SETTINGS,
    **seen: Any,  # noqa: ANN401
) -> dict[str, Any]:
    known = facts() if spec["model"]["uri"].startswith("pvc") else facts(HUB_URI, COMMIT)
    _, objects = desired(observed(spec, known=known, **seen), settings=settings)
    assert objects.deployment is not None
    return dict(objects.deployment)


def _pod(spec: Any, **seen: Any) -> dict[str, Any]:  # noqa: ANN401
    pod: dict[str, Any] = _deployment(spec, **seen)["spec"]["template"]["spec"]
    return pod


def _server(spec: Any) -> dict[str, Any]:  # noqa: ANN401
    (server,) = _pod(spec)["containers"]
    return dict(server)


def _annotated(seen: Observed, name: str, value: str | None) -> Observed:
    key = ObjectKey("Deployment", "otter")
    live = seen.children[key]
    annotations = dict(live["metadata"]["annotations"])
    annotations.pop(f"serving.quantizedmodel.dev/{name}")
    if value is not None:
        annotations[f"serving.quantizedmodel.dev/{name}"] = value
    changed = {**live, "metadata": {**live["metadata"], "annotations": annotations}}
    return replace(seen, children={**seen.children, key: changed})


def test_pods_are_hardened() -> None:
    """Every container is read-only, without capabilities, and the pod non-root without tokens."""
    pod = _pod(HUB_SPEC)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    for container in (*pod["initContainers"], *pod["containers"]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }


def test_gpu_pods_ask_for_gpus() -> None:
    """A GPU model asks for its GPUs, tolerates their taint, and names the products."""
    pod = _pod(GPU_SPEC)
    (server,) = pod["containers"]
    assert server["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert pod["tolerations"][0]["key"] == "nvidia.com/gpu"
    terms = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert terms["nodeSelectorTerms"][0]["matchExpressions"][0]["values"] == ["NVIDIA-L4"]
    assert "VLLM_DISABLED_KERNELS" in {item["name"] for item in server["env"]}


def test_cpu_pods_ask_for_none() -> None:
    """A CPU model has no GPU flag, an exact KV cache, and runs eagerly."""
    server = _server(CPU_SPEC)
    assert "nvidia.com/gpu" not in server["resources"]["limits"]
    assert "--kv-cache-memory-bytes" in server["args"]
    assert "--enforce-eager" in server["args"]
    assert "--tensor-parallel-size" not in server["args"]


def test_claims_are_read_only_and_hub_pods_fetch() -> None:
    """A claim is mounted read-only; a hub model has an init container that fetches its commit."""
    pod = _pod(CPU_SPEC)
    assert "initContainers" not in pod
    volume = next(item for item in pod["volumes"] if item["name"] == "checkpoint")
    assert volume["persistentVolumeClaim"] == {"claimName": "weights", "readOnly": True}
    (fetch,) = _pod(HUB_SPEC)["initContainers"]
    assert COMMIT in fetch["args"]


def test_tokens_reach_only_the_pods_that_fetch() -> None:
    """The hub's token is mounted into the init container, optional, and never into vLLM."""
    model = {**HUB_SPEC["model"], "tokenSecretRef": {"name": "hub", "key": "token"}}
    pod = _pod({**HUB_SPEC, "model": model})
    (fetch,), (server,) = pod["initContainers"], pod["containers"]
    assert "hub-token" in {mount["name"] for mount in fetch["volumeMounts"]}
    assert "hub-token" not in {mount["name"] for mount in server["volumeMounts"]}
    volume = next(item for item in pod["volumes"] if item["name"] == "hub-token")
    assert volume["secret"]["optional"] is True


def test_api_keys_are_never_arguments() -> None:
    """The API key comes from its Secret by environment."""
    server = _server({**CPU_SPEC, "apiKeySecretRef": {"name": "keys", "key": "main"}})
    assert not any("key" in argument for argument in server["args"] if argument.startswith("--api"))
    variable = next(item for item in server["env"] if item["name"] == "VLLM_API_KEY")
    assert variable["valueFrom"] == {"secretKeyRef": {"name": "keys", "key": "main"}}


def test_a_users_variable_wins() -> None:
    """A variable of the user replaces the operator's of the same name, once."""
    env = [{"name": "HF_HUB_OFFLINE", "value": "0"}]
    found = [
        item
        for item in _server({**CPU_SPEC, "engine": {"env": env}})["env"]
        if item["name"] == "HF_HUB_OFFLINE"
    ]
    assert found == [{"name": "HF_HUB_OFFLINE", "value": "0"}]


def test_draining_fits_into_the_grace_period() -> None:
    """The pod leaves its Service, then drains, then ends, all before it is killed."""
    pod = _pod(CPU_SPEC)
    (server,) = pod["containers"]
    pause = server["lifecycle"]["preStop"]["sleep"]["seconds"]
    drain = int(server["args"][server["args"].index("--shutdown-timeout") + 1])
    assert pause + drain < pod["terminationGracePeriodSeconds"]


def test_the_startup_budget_is_one_number() -> None:
    """The probe's budget is the engine's own timeout, and the rollout waits longer than both."""
    deployment = _deployment(CPU_SPEC)
    (server,) = deployment["spec"]["template"]["spec"]["containers"]
    probe = server["startupProbe"]
    timeout = next(i["value"] for i in server["env"] if i["name"] == "VLLM_ENGINE_READY_TIMEOUT_S")
    assert probe["periodSeconds"] * probe["failureThreshold"] == int(timeout)
    assert deployment["spec"]["progressDeadlineSeconds"] > int(timeout)


@pytest.mark.parametrize(
    ("cache", "volume"),
    [
        (None, {"emptyDir": {}}),
        ({"claimName": "store"}, {"persistentVolumeClaim": {"claimName": "store"}}),
        ({"hostPath": "/srv/m"}, {"hostPath": {"path": "/srv/m", "type": "DirectoryOrCreate"}}),
    ],
)
def test_cache_volumes(cache: dict[str, str] | None, volume: dict[str, Any]) -> None:
    """Each kind of cache is the volume that the user named, read-only for vLLM."""
    spec = {**HUB_SPEC, "cache": cache} if cache else HUB_SPEC
    seen = observed(spec, known=facts(HUB_URI, COMMIT), claims=(claim("store"),))
    if cache and "claimName" in cache:
        seen = replace(seen, claims={"store": claim("store", "ReadWriteOnce")})
    pod = serving_objects(seen)["spec"]["template"]["spec"]
    models = next(item for item in pod["volumes"] if item["name"] == "models")
    assert models == {"name": "models", **volume}
    (mount,) = (m for m in pod["containers"][0]["volumeMounts"] if m["name"] == "models")
    assert mount["readOnly"] is True


def test_volumes_of_its_own_have_size_and_class() -> None:
    """A cache by size is a generic ephemeral volume of each pod."""
    spec = {**HUB_SPEC, "cache": {"size": "20Gi", "storageClassName": "fast"}}
    volumes = _pod(spec)["volumes"]
    claim_spec = next(v for v in volumes if v["name"] == "models")["ephemeral"]
    assert claim_spec["volumeClaimTemplate"]["spec"]["storageClassName"] == "fast"


def test_an_upgrade_of_the_operator_restarts_no_pod() -> None:
    """Other images, versions and pull secrets of a new operator leave the live template alone."""
    _, objects = desired(running(HUB_SPEC), settings=UPGRADED)
    assert objects.deployment is None, "not even a write"


def test_replicas_edited_after_an_upgrade_are_repaired() -> None:
    """Somebody else's number of replicas is taken back, with the live template."""
    seen = running(HUB_SPEC)
    live = deployment_of(seen)
    edited = {**live, "spec": {**live["spec"], "replicas": 7}}
    seen = replace(seen, children={**seen.children, ObjectKey("Deployment", "otter"): edited})
    _, objects = desired(seen, settings=UPGRADED)
    assert objects.deployment is not None
    assert objects.deployment["spec"]["replicas"] == 1
    assert objects.deployment["spec"]["template"] == live["spec"]["template"]


def test_a_change_of_the_spec_after_an_upgrade_takes_the_new_renderer() -> None:
    """When the pods restart anyway, they get what the new operator renders."""
    changed = with_spec(running(HUB_SPEC), {**HUB_SPEC, "engine": {"maxModelLen": 512}})
    _, objects = desired(changed, settings=UPGRADED)
    assert objects.deployment is not None
    (fetch,) = objects.deployment["spec"]["template"]["spec"]["initContainers"]
    assert fetch["image"] == "mirror.example/operator:4"


def test_scaling_after_an_upgrade_keeps_the_template() -> None:
    """Replicas change without touching what runs."""
    seen = running(HUB_SPEC)
    _, objects = desired(with_spec(seen, {**HUB_SPEC, "replicas": 3}), settings=UPGRADED)
    assert objects.deployment is not None
    assert objects.deployment["spec"]["replicas"] == 3
    assert objects.deployment["spec"]["template"] == deployment_of(seen)["spec"]["template"]


@pytest.mark.parametrize("damage", [None, "nonsense"])
def test_a_lost_decision_keeps_the_template(damage: str | None) -> None:
    """Without a readable decision the live template stays until the spec changes."""
    seen = _annotated(running(), "plan", damage)
    _, objects = desired(seen, settings=UPGRADED)
    assert objects.deployment is not None
    assert objects.deployment["spec"]["template"] == deployment_of(seen)["spec"]["template"]
    changed = with_spec(seen, {**CPU_SPEC, "engine": {"maxModelLen": 512}})
    _, objects = desired(changed, settings=UPGRADED)
    assert objects.deployment is not None
    assert "512" in objects.deployment["spec"]["template"]["spec"]["containers"][0]["args"]


def _with_canary(**canary: str) -> dict[str, Any]:
    return {**CPU_SPEC, "engine": {"canary": canary}}


def test_the_canary_reaches_the_probe_to_the_letter() -> None:
    """As one argument in which the kubelet finds no variable, whatever the user wrote."""
    canary = {"prompt": "$(HOME) is 'where'?\n\"$$\" \N{OTTER}", "expect": "$(HOME)"}

    *_, name, argument = _server(_with_canary(**canary))["startupProbe"]["exec"]["command"]

    assert name == "otter"
    assert json.loads(argument) == canary
    assert "$" not in argument
    assert argument.isascii()


def test_without_a_canary_the_probe_has_the_name_alone() -> None:
    """A model without one is rendered as it was before there was one."""
    assert _server(CPU_SPEC)["startupProbe"]["exec"]["command"][3:] == ["otter"]


def test_another_canary_is_another_revision() -> None:
    """It stands in the pod template, and it is among the inputs of the decision."""
    running_ = running(_with_canary(prompt="Who swims?", expect="otter"))
    plan, objects = desired(with_spec(running_, _with_canary(prompt="Who?", expect="otter")))
    assert plan.serving is not None
    command = _command(dict(objects.deployment or {}))
    assert json.loads(command[-1])["prompt"] == "Who?"


def _command(deployment: dict[str, Any]) -> list[str]:
    (server,) = deployment["spec"]["template"]["spec"]["containers"]
    return list(server["startupProbe"]["exec"]["command"])
