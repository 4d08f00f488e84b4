"""Pure: what exists in the cluster now, as frozen values without any client's types."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from quantized_model_operator.domain.engine_figures import EngineFigures


class ModelKey(NamedTuple):
    """Identity of one QuantizedModel."""

    namespace: str
    name: str


class ObjectKey(NamedTuple):
    """Identity of an object in the namespace of its model."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedNode:
    """A node as far as placement cares."""

    name: str
    labels: Mapping[str, str]
    allocatable: Mapping[str, str]
    """Quantities as Kubernetes writes them, for example ``{"cpu": "15890m"}``."""
    schedulable: bool
    """False when cordoned or not Ready."""
    taints: tuple[tuple[str, str, str], ...] = ()
    """(key, value, effect)."""
    reports: bool = True
    """False when its kubelet is not Ready, or is no longer heard of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerEnd:
    """How a container ended."""

    exit_code: int
    reason: str
    message: str
    """The termination message that the program left; empty when none."""
    finished_at: datetime | None
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedContainer:
    """One container of a pod; ``end`` is the current state, ``last_end`` the one before."""

    name: str
    init: bool
    ready: bool
    started: bool
    """Running, and its startup probe has passed."""
    restart_count: int
    waiting_reason: str = ""
    waiting_message: str = ""
    end: ContainerEnd | None = None
    last_end: ContainerEnd | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedPod:
    """A pod of the model: of its Deployment or of one of its Jobs."""

    name: str
    uid: str
    labels: Mapping[str, str]
    phase: str
    """Pending, Running, Succeeded, Failed or Unknown."""
    reason: str
    """Of the pod itself, for example ``Evicted``."""
    message: str
    node_name: str
    created_at: datetime
    deleting: bool
    ready: bool
    unschedulable_message: str
    """Of the condition PodScheduled=False; empty when scheduled or not yet judged."""
    owner_uid: str
    """Of the controller: a ReplicaSet or a Job."""
    job_name: str
    """Name of the controlling Job, empty for pods of a Deployment."""
    containers: tuple[ObservedContainer, ...]
    """Init containers first, in order."""
    devices: Mapping[str, int] = field(default_factory=dict)
    """Extended resources that its containers ask for, for example ``{"nvidia.com/gpu": 2}``."""
    scheduled_at: datetime | None = None
    prepared: bool = True
    """False while the kubelet says that its volumes or its network are not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedClaim:
    """A PersistentVolumeClaim that a model names."""

    name: str
    uid: str
    phase: str
    access_modes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStart:
    """What the log of the first pod of a revision said when it had started."""

    revision: str
    pod: str
    node: str
    figures: EngineFigures


class LogKey(NamedTuple):
    """Which log: of the ``restart_count``-th run of a container that ended."""

    pod_uid: str
    container: str
    restart_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything one reconcile looks at, taken from caches at one moment."""

    key: ModelKey
    model: Mapping[str, Any]
    """The QuantizedModel as the API server has it."""
    children: Mapping[ObjectKey, Mapping[str, Any]] = field(default_factory=dict)
    """Deployment, Service and Jobs whose controller is this model, as they are."""
    records: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Inspection records (ConfigMaps) of the namespace by name, as they are."""
    pods: tuple[ObservedPod, ...] = ()
    claims: Mapping[str, ObservedClaim] = field(default_factory=dict)
    nodes: tuple[ObservedNode, ...] = ()
    logs: Mapping[LogKey, str] = field(default_factory=dict)
    """Tails of the logs of containers that failed; read once per end."""
    start: EngineStart | None = None
    """Of the newest revision, until the status has its figures; read once per revision."""
    devices_taken: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By node and resource, what pods of all models hold; only while a pod finds no node."""
    conflicts: Mapping[ObjectKey, str] = field(default_factory=dict)
    """Objects that could not be taken because somebody else owns the name, with the answer."""

    @property
    def uid(self) -> str:
        """Uid of the model."""
        return str(self.model["metadata"]["uid"])

    @property
    def generation(self) -> int:
        """Generation of the model's spec."""
        return int(self.model["metadata"]["generation"])
