"""Checkpoints that were changed after their inspection: vLLM fails, and its own words are told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from e2e.node.asking import CALM_SECONDS, asking_all_the_time
from e2e.node.space import Space, facts, restarts, uids
from e2e.support import documents
from e2e.support.world import Body
from faults import CONFIG, DAMAGES, Fault, declare, rewrite

pytestmark = [pytest.mark.node, pytest.mark.timeout(1800)]

AT_ONCE = 3
"""Models that start together; more would only wait for each other on two cores."""
LENGTH = 2048


@dataclass(frozen=True)
class Change:
    """What happens to a good checkpoint behind the inspection's back, and how that ends."""

    damage: Callable[[Path], object]
    reason: str
    names: str
    """What the message has to name."""
    engine: Mapping[str, Any] = field(default_factory=dict)


def shorter(folder: Path) -> None:
    """The model takes half of the tokens that were asked for."""
    rewrite(folder / CONFIG, lambda config: config.update(max_position_embeddings=LENGTH // 2))


CHANGES = {
    "bits": Change(DAMAGES[Fault.WRONG_BITS], "UnsupportedOnCpu", "bits 4"),
    "groups": Change(DAMAGES[Fault.WRONG_GROUP_SIZE], "ShapesDisagree", "group_size"),
    "order": Change(
        lambda folder: declare(folder, desc_act=True), "UnsupportedActOrder", "desc_act"
    ),
    "cut": Change(DAMAGES[Fault.TRUNCATED_WEIGHTS], "ShardTruncated", "weight file"),
    "length": Change(shorter, "ModelLengthTooLong", str(LENGTH), {"maxModelLen": LENGTH}),
    "room": Change(
        lambda _: None,
        "ModelLengthTooLong",
        "spec.engine.maxModelLen",
        {"maxModelLen": LENGTH, "args": ["--num-gpu-blocks-override=3"]},
    ),
}


def test_what_changed_behind_the_inspection_is_told_in_a_sentence(
    space: Space, healthy: Space
) -> None:
    """Each failure has its own reason and no other model is disturbed."""
    before = healthy.pods("otter")
    space.claim_with("weights", dict.fromkeys(CHANGES, space.tiny_copy))
    for name, change in CHANGES.items():
        spec = space.spec(f"pvc://weights/{name}", engine=dict(change.engine), replicas=0)
        space.model(name, spec)
    for name, change in CHANGES.items():
        space.until_told(name, "Planned", "Planned")
        change.damage(space.volume("weights") / name)

    with asking_all_the_time(
        healthy.url("otter"), "otter", space.site.exchanges[0], pace_seconds=CALM_SECONDS
    ) as asked:
        names = list(CHANGES)
        for begin in range(0, len(names), AT_ONCE):
            told = fail_together(space, names[begin : begin + AT_ONCE])
            wrong = {name: facts(body) for name, body in told.items() if not fits(name, body)}
            assert not wrong, "\n".join(f"{name}: {text}" for name, text in wrong.items())

    assert asked.trouble == []
    assert asked.right > 0
    assert uids(healthy.pods("otter")) == uids(before)
    assert restarts(healthy.pods("otter")) == 0


def fail_together(space: Space, names: list[str]) -> dict[str, Body]:
    """One replica of each, until each says why it does not start; then none again."""
    for name in names:
        space.change(name, {"replicas": 1})
    told = {name: until_failed(space, name) for name in names}
    for name in names:
        space.change(name, {"replicas": 0})
    return told


def until_failed(space: Space, name: str) -> Body:
    """The model once a container of it has ended."""
    return space.until(
        "quantizedmodels",
        name,
        lambda body: "exitCode" in body.get("status", {}).get("failure", {}),
        timeout_seconds=600,
    )


def fits(name: str, body: Body) -> bool:
    """Ready and the failure tell the expected reason, and the sentence names the thing."""
    change = CHANGES[name]
    ready, failure = documents.condition(body, "Ready"), body["status"]["failure"]
    reasons = {ready["reason"], failure["reason"], documents.reason(body, "Stalled")}
    return reasons == {change.reason} and change.names in failure["message"]
