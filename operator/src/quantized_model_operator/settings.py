"""Pure: settings of the operator process as one frozen value; ``__main__`` reads them."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Image and default version of vLLM for one kind of device."""

    image: str
    """With ``{version}`` as the place of the engine version, for example
    ``vllm/vllm-openai:v{version}``."""
    default_version: str
    pull_policy: str = "IfNotPresent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything the process is told from outside."""

    operator_image: str
    """Image of the inspect and fetch programs: the operator's own."""
    operator_image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    """Names of pull secrets added to every rendered pod."""
    gpu_engine: EngineSettings = field(
        default_factory=lambda: EngineSettings(
            image="vllm/vllm-openai:v{version}", default_version="0.33.0"
        )
    )
    cpu_engine: EngineSettings = field(
        default_factory=lambda: EngineSettings(
            image="vllm/vllm-openai-cpu:v{version}-x86_64", default_version="0.32.0"
        )
    )
    hub_endpoint: str = "https://huggingface.co"
    """Any server that speaks the hub's API, a mirror for example."""
    hub_ca_config_map: str = ""
    """ConfigMap (key ``ca.crt``) in the model's namespace with the CA of the hub endpoint."""
    cluster_domain: str = "cluster.local"
    allow_custom_images: bool = True
    """Whether ``spec.engine.image`` and ``spec.engine.env`` are accepted."""
    namespaces: tuple[str, ...] = ()
    """Namespaces to serve; empty means the whole cluster."""
    pod_namespace: str = "default"
    """Where the operator itself runs: home of its Lease."""
    identity: str = ""
    """Unique name of this process, for the Lease and for kopf."""
    leader_election: bool = True
    lease_name: str = "quantized-model-operator"
    http_host: str = "0.0.0.0"  # noqa: S104 - probes and Prometheus come from outside the pod
    http_port: int = 8080
    """Serves /livez, /readyz and /metrics."""
    workers: int = 16
    resync_seconds: float = 600.0
    api_requests_per_second: float = 400.0
    """Client-side bound on writes; reads come from caches."""
    record_grace_seconds: float = 600.0
    """How long an inspection record lives after its last model."""
