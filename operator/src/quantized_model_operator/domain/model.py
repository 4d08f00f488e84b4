"""Pure: a QuantizedModel checked, defaulted and frozen; past ``resolve`` nobody sees the spec."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from quantized_model_operator.domain.cluster_state import ModelKey
from quantized_model_operator.domain.serving_plan import ServingRequest

_COMMIT_DIGITS = 40
"""Of a SHA-1, which is what the hub's git uses."""


class Scheme(StrEnum):
    """Kinds of sources."""

    HUB = "hf"
    CLAIM = "pvc"


class Strategy(StrEnum):
    """How the Deployment replaces pods."""

    SURGE = "Surge"
    REPLACE = "Replace"
    RECREATE = "Recreate"


class CacheKind(StrEnum):
    """Where fetched weights are kept."""

    POD = "Pod"
    """An emptyDir of each pod."""
    POD_VOLUME = "PodVolume"
    """A generic ephemeral volume of each pod."""
    CLAIM = "Claim"
    NODE_FOLDER = "NodeFolder"
    NONE = "None"
    """Nothing is fetched: the source is a claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretKey:
    """One key of a Secret; its value is never read by the operator."""

    name: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A parsed ``spec.model.uri``."""

    scheme: Scheme
    uri: str
    repository: str
    """``org/name`` on the hub; empty for a claim."""
    claim_name: str
    """Empty for the hub."""
    path: str
    """In the claim, without leading or trailing slash; empty means its root."""
    revision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsCache:
    """A checked ``spec.cache``; fields that do not belong to the kind are empty."""

    kind: CacheKind
    claim_name: str = ""
    claim_is_shared: bool = False
    """True when several nodes may mount the claim for writing."""
    size: str = ""
    storage_class_name: str = ""
    host_path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineVariable:
    """A user's variable of the vLLM container; exactly one of value and secret is set."""

    name: str
    value: str | None
    secret: SecretKey | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """A question, and what its answer has to contain."""

    prompt: str
    expect: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSettings:
    """What the user says about pods."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    user_id: int
    group_id: int
    volume_group_id: int
    node_selector: Mapping[str, str]
    tolerations: tuple[Mapping[str, Any], ...]
    runtime_class_name: str
    priority_class_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedModel:
    """Everything the later stages need of a model."""

    key: ModelKey
    uid: str
    generation: int
    source: Source
    served_names: tuple[str, ...]
    token: SecretKey | None
    request: ServingRequest
    image: str
    """As the user set it; empty: the one that belongs to the planned engine version."""
    arguments: tuple[str, ...]
    variables: tuple[EngineVariable, ...]
    canary: Canary | None
    cpu: str
    """Quantity; empty: planned."""
    memory: str
    """Quantity; empty: planned."""
    resource_name: str
    pod: PodSettings
    replicas: int
    suspended: bool
    cache: WeightsCache
    service_port: int
    service_annotations: Mapping[str, str]
    api_key: SecretKey | None
    strategy: Strategy
    inputs: str
    """Hash of the part of the spec that decides the pods; replicas, Service and suspension do
    not."""

    @property
    def flags(self) -> str:
        """Hash of what vLLM is given beside the planned fields; the image is part of it."""
        variables = [[item.name, item.value] for item in self.variables]
        return content_hash([list(self.arguments), variables, self.image], 8)

    @property
    def commit_is_pinned(self) -> bool:
        """The revision is a commit already, so that nothing has to be resolved."""
        return len(self.source.revision) == _COMMIT_DIGITS and is_hexadecimal(self.source.revision)


def is_hexadecimal(text: str) -> bool:
    """Whether the text consists of lower-case hexadecimal digits only."""
    return bool(text) and all(character in "0123456789abcdef" for character in text)


def content_hash(value: Any, length: int = 16) -> str:  # noqa: ANN401 - any JSON value
    """The first hexadecimal digits of the sha256 of the value's canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:length]
