"""Pure: the decision recorded on a Deployment, which sticks until its inputs change.

The annotation is versioned JSON with a hash of itself, below 4 KiB; anything else counts as
missing, and a missing decision never restarts a pod (``render.deployment``).
"""

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from quantized_model_operator.domain.checkpoint import (
    CheckpointFacts,
    facts_from_mapping,
    facts_to_mapping,
)
from quantized_model_operator.domain.model import content_hash
from quantized_model_operator.domain.serving_plan import (
    ServingPlan,
    plan_from_json,
    plan_to_json,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

DECISION_VERSION = 1
DECISION_LIMIT_BYTES = 4096
KEPT_TEMPLATE = "kept"
"""In place of a template hash: whatever the live template is, it stays until the inputs change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided for a model: its checkpoint, its plan and the image that serves it."""

    inputs: str
    """``ResolvedModel.inputs`` at the time."""
    source: str
    """``source_hash`` at the time."""
    image: str
    facts: CheckpointFacts
    plan: ServingPlan
    template: str
    """Hash of the pod template that was rendered, or ``KEPT_TEMPLATE``."""


def source_hash(uri: str, revision: str, claim_uid: str) -> str:
    """Identity of what a user pointed at; the commit is resolved anew when it changes."""
    return content_hash({"uri": uri, "revision": revision, "claim": claim_uid})


def record_name(uri: str, commit: str) -> str:
    """Name of the ConfigMap that keeps the facts of this checkpoint for the namespace."""
    return f"checkpoint-{content_hash({'uri': uri, 'commit': commit}, 32)}"


def decision_to_json(decision: Decision) -> str:
    """The annotation; warnings are dropped when it would exceed the limit."""
    text = _encode(decision)
    if len(text.encode()) <= DECISION_LIMIT_BYTES:
        return text
    slim = replace(
        decision,
        facts=replace(decision.facts, warnings=()),
        plan=replace(decision.plan, warnings=(), alternatives=()),
    )
    return _encode(slim)


def decision_from_json(text: str) -> Decision | None:
    """The decision in the annotation; ``None`` when it is damaged or of another version."""
    try:
        document = json.loads(text)
        check = document.pop("check")
        if document["version"] != DECISION_VERSION or check != content_hash(document):
            return None
        return Decision(
            inputs=document["inputs"],
            source=document["source"],
            image=document["image"],
            facts=facts_from_mapping(document["facts"]),
            plan=plan_from_json(json.dumps(document["plan"])),
            template=document["template"],
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _encode(decision: Decision) -> str:
    document: Mapping[str, Any] = {
        "version": DECISION_VERSION,
        "inputs": decision.inputs,
        "source": decision.source,
        "image": decision.image,
        "facts": facts_to_mapping(decision.facts),
        "plan": json.loads(plan_to_json(decision.plan)),
        "template": decision.template,
    }
    return json.dumps(
        {**document, "check": content_hash(document)}, sort_keys=True, separators=(",", ":")
    )
