"""Pure: desired and applied objects as plain mappings; the stage is in the type."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from quantized_model_operator.domain.cluster_state import ObjectKey, Observed

Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredObjects:
    """What must exist, one field per rendered object; ``None`` is 'not wanted'.

    The order of the fields is the order of application.
    """

    inspection_record: Manifest | None
    """ConfigMap without owner, shared by the models of a namespace."""
    inspection_job: Manifest | None
    fetch_job: Manifest | None
    deployment: Manifest | None
    service: Manifest | None
    removals: tuple["Removal", ...] = ()
    """Objects of this model that have served their purpose; carried out last."""

    def manifests(self) -> Iterator[Manifest]:
        """The wanted objects in the order of application."""
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name != "removals" and value is not None:
                yield value


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """A child to delete, only if it still is this very object."""

    key: ObjectKey
    uid: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedObjects:
    """What the API server answered, or what the cache holds when nothing had to be written."""

    objects: Mapping[ObjectKey, Manifest]
    writes: int
    conflicts: Mapping[ObjectKey, str]
    """Names that somebody else owns, with the server's answer; nothing was written there."""
    refusals: Mapping[ObjectKey, str] = field(default_factory=dict)
    """What the API server did not take (validation, quota, admission), with its answer."""

    def has_newcomers(self, observed: Observed) -> bool:
        """Whether a child exists now that did not before, and nothing stood against any other."""
        return not (self.conflicts or self.refusals) and any(
            key.kind != "ConfigMap" and key not in observed.children for key in self.objects
        )


def key_of(manifest: Manifest) -> ObjectKey:
    """Kind and name of a manifest."""
    return ObjectKey(str(manifest["kind"]), str(manifest["metadata"]["name"]))
