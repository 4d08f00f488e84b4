"""Pure: what all pods of a model share: identity, security, sources and their volumes."""

from dataclasses import dataclass
from typing import Any

from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.model import CacheKind, ResolvedModel, Scheme, SecretKey
from quantized_model_operator.settings import Settings

CLAIM_PATH = "/checkpoint"
CACHE_PATH = "/models"
TOKEN_PATH = "/run/secrets/hub"  # noqa: S105 - a path, not a password
CA_PATH = "/run/config/hub-ca"


def pod_spec(model: ResolvedModel, settings: Settings) -> dict[str, Any]:
    """The frame of every pod: non-root, no service links, no token of the cluster."""
    pod = model.pod
    spec: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": pod.user_id,
            "runAsGroup": pod.group_id,
            "fsGroup": pod.volume_group_id,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    tolerations = [dict(item) for item in pod.tolerations]
    if model.request.device == "GPU":
        tolerations.insert(
            0, {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
        )
    optional: dict[str, Any] = {
        "nodeSelector": dict(pod.node_selector),
        "tolerations": tolerations,
        "priorityClassName": pod.priority_class_name,
        "imagePullSecrets": [{"name": name} for name in settings.image_pull_secrets],
    }
    return spec | {key: value for key, value in optional.items() if value}


def container_security() -> dict[str, Any]:
    """Read-only root, no capabilities, no escalation."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


@dataclass(frozen=True, slots=True)
class Mounted:
    """Volumes of a pod and the mounts of one of its containers, kept together."""

    volumes: list[dict[str, Any]]
    mounts: list[dict[str, Any]]

    def plus(self, *others: "Mounted") -> "Mounted":
        """These volumes and mounts followed by the others; nothing is changed in place."""
        return Mounted(
            volumes=[*self.volumes, *(item for other in others for item in other.volumes)],
            mounts=[*self.mounts, *(item for other in others for item in other.mounts)],
        )


def scratch(name: str, path: str, *, in_memory: bool = False) -> Mounted:
    """An empty writable folder."""
    return Mounted(
        volumes=[{"name": name, "emptyDir": {"medium": "Memory"} if in_memory else {}}],
        mounts=[{"name": name, "mountPath": path}],
    )


def source_claim(model: ResolvedModel) -> Mounted:
    """The claim that a ``pvc://`` source names, read-only; nothing for the hub."""
    if model.source.scheme is not Scheme.CLAIM:
        return Mounted([], [])
    claim = {"claimName": model.source.claim_name, "readOnly": True}
    return Mounted(
        volumes=[{"name": "checkpoint", "persistentVolumeClaim": claim}],
        mounts=[{"name": "checkpoint", "mountPath": CLAIM_PATH, "readOnly": True}],
    )


def weights_cache(model: ResolvedModel, *, read_only: bool) -> Mounted:
    """The volume that fetched weights are kept on; nothing when nothing is fetched."""
    if model.cache.kind is CacheKind.NONE:
        return Mounted([], [])
    mount: dict[str, Any] = {"name": "models", "mountPath": CACHE_PATH}
    if read_only:
        mount["readOnly"] = True
    return Mounted(volumes=[{"name": "models", **_cache_volume(model)}], mounts=[mount])


def _cache_volume(model: ResolvedModel) -> dict[str, Any]:
    cache = model.cache
    match cache.kind:
        case CacheKind.CLAIM:
            return {"persistentVolumeClaim": {"claimName": cache.claim_name}}
        case CacheKind.NODE_FOLDER:
            return {"hostPath": {"path": cache.host_path, "type": "DirectoryOrCreate"}}
        case CacheKind.POD_VOLUME:
            spec: dict[str, Any] = {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": cache.size}},
            }
            if cache.storage_class_name:
                spec["storageClassName"] = cache.storage_class_name
            return {"ephemeral": {"volumeClaimTemplate": {"spec": spec}}}
        case _:
            return {"emptyDir": {}}


def hub_access(model: ResolvedModel, settings: Settings) -> Mounted:
    """Token and own CA of the hub, both optional: their absence is the program's to report."""
    mounted = Mounted([], [])
    if model.source.scheme is not Scheme.HUB:
        return mounted
    if model.token:
        mounted = mounted.plus(_token_volume(model.token))
    if settings.hub_ca_config_map:
        volume = {"name": "hub-ca", "configMap": {"name": settings.hub_ca_config_map}}
        mount = {"name": "hub-ca", "mountPath": CA_PATH, "readOnly": True}
        mounted = mounted.plus(Mounted([volume], [mount]))
    return mounted


def _token_volume(token: SecretKey) -> Mounted:
    secret = {
        "secretName": token.name,
        "optional": True,
        "items": [{"key": token.key, "path": "token"}],
    }
    return Mounted(
        volumes=[{"name": "hub-token", "secret": secret}],
        mounts=[{"name": "hub-token", "mountPath": TOKEN_PATH, "readOnly": True}],
    )


def hub_variables(model: ResolvedModel, settings: Settings) -> list[dict[str, str]]:
    """Environment of a program that talks to the hub; nothing for a claim."""
    if model.source.scheme is not Scheme.HUB:
        return []
    variables = [
        {"name": "HF_ENDPOINT", "value": settings.hub_endpoint},
        {"name": "HF_HOME", "value": "/tmp/hub"},  # noqa: S108 - the pod's own emptyDir
        {"name": "HF_HUB_DISABLE_TELEMETRY", "value": "1"},
    ]
    if settings.hub_ca_config_map:
        variables.append({"name": "SSL_CERT_FILE", "value": f"{CA_PATH}/ca.crt"})
    return variables


def token_arguments(model: ResolvedModel) -> list[str]:
    """Where the program finds the token, when the model names one."""
    return ["--token-file", f"{TOKEN_PATH}/token"] if model.token else []


def checkpoint_folder(model: ResolvedModel, facts: CheckpointFacts) -> str:
    """Where a pod finds the files of the checkpoint."""
    if model.source.scheme is Scheme.CLAIM:
        return f"{CLAIM_PATH}/{model.source.path}".rstrip("/")
    return f"{CACHE_PATH}/{model.source.repository.replace('/', '--')}/{facts.commit}"
