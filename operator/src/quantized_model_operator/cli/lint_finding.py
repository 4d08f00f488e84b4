"""Something to tell about a manifest, with the place where it stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from enum import StrEnum
from typing import Any

from quantized_model_operator.cli.manifests import Place


class Severity(StrEnum):
    """How bad it is."""

    ERROR = "error"
    """The API server or the operator would refuse it."""
    WARNING = "warning"
    """It works, and may surprise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One mistake, or one thing to think over."""

    severity: Severity
    reason: str
    """CamelCase; a reason of the operator where it would give one."""
    file: str
    place: Place
    model: str
    """``namespace/name``, or the name alone; empty for a file that could not be read."""
    field: str
    """Path in the QuantizedModel; empty when no field is at fault."""
    message: str
    """A sentence that names the field; that of the API server or the operator where it has one."""
    remedy: str = ""
    """What to do about it; empty when the message says it."""
    suggestion: Mapping[str, Any] | None = dataclass_field(default=None, hash=False)
    """A merge patch for ``spec`` that mends it, where one does."""
