"""Checkpoints that cannot be served: each is refused by a real inspection, and nothing starts."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from e2e.node.asking import ask
from e2e.node.conftest import GATED
from e2e.node.space import Fill, Space, facts, overwrite_tensors, restarts, uids
from e2e.node.test_hub import put_repository
from e2e.support import documents, watching
from e2e.support.world import Body
from faults import DROPPED_TENSOR, Fault, damage, declare, rewrite

pytestmark = [pytest.mark.node, pytest.mark.timeout(1200)]

NOT_A_NUMBER = b"\x00\x7e"
"""In float16, little-endian."""
SECOND_SHARD = "model-00002-of-00002.safetensors"


@dataclass(frozen=True)
class Refusal:
    """A source that cannot be served, and what has to be said about it."""

    reason: str
    names: str
    """What the message has to name."""
    fill: Callable[[Path, Path], object] | None = None
    """From the good checkpoint to the bad one, in the claim; without it, see ``uri``."""
    uri: str = ""
    model: Mapping[str, Any] = field(default_factory=dict)


def with_fault(fault: Fault) -> Callable[[Path, Path], object]:
    """Fills a folder with a damaged copy."""
    return lambda good, bad: damage(good, bad, fault)


def unquantised(good: Path, bad: Path) -> None:
    """No word of a quantisation."""
    damage(good, bad, Fault.NO_TOKENIZER)
    rewrite(bad / "config.json", lambda config: config.pop("quantization_config"))
    (bad / "quantize_config.json").unlink()


def odd_groups(good: Path, bad: Path) -> None:
    """Groups of a size that vLLM has no kernel for."""
    damage(good, bad, Fault.WRONG_GROUP_SIZE)
    declare(bad, group_size=96)


def second_shard_missing(good: Path, bad: Path) -> None:
    """An index that sends one tensor to a file that is not there."""
    damage(good, bad, Fault.MISSING_TENSOR)
    content = (good / "model.safetensors").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    header.pop("__metadata__", None)
    shards = {
        name: SECOND_SHARD if name == DROPPED_TENSOR else "model.safetensors" for name in header
    }
    index = {"metadata": {"total_size": 0}, "weight_map": shards}
    (bad / "model.safetensors.index.json").write_text(json.dumps(index))


def scales_without_numbers(good: Path, bad: Path) -> None:
    """Values that cannot be, behind a right header."""
    shutil.copytree(good, bad)
    overwrite_tensors(bad / "model.safetensors", ".scales", NOT_A_NUMBER)


def token(name: str) -> dict[str, Any]:
    """A reference to a Secret."""
    return {"tokenSecretRef": {"name": name, "key": "token"}}


REFUSALS = {
    "claim": Refusal("ClaimNotFound", "'nowhere'", uri="pvc://nowhere/tiny"),
    "path": Refusal("PathMissing", "burrow", uri="pvc://weights/burrow"),
    "config": Refusal("ConfigMissing", "config.json", with_fault(Fault.NO_CONFIG)),
    "plain": Refusal("NotGptq", "GPTQ", unquantised),
    "awq": Refusal("NotGptq", "foo", with_fault(Fault.UNKNOWN_METHOD)),
    "bits": Refusal("UnsupportedBits", "3", with_fault(Fault.THREE_BITS)),
    "symmetry": Refusal("UnsupportedSymmetry", "sym", with_fault(Fault.ASYMMETRIC)),
    "groups": Refusal("ShapesDisagree", "64", with_fault(Fault.WRONG_GROUP_SIZE)),
    "odd-groups": Refusal("UnsupportedGroupSize", "96", odd_groups),
    "truncated": Refusal(
        "ShardTruncated", "model.safetensors", with_fault(Fault.TRUNCATED_WEIGHTS)
    ),
    "shard": Refusal("ShardMissing", SECOND_SHARD, second_shard_missing),
    "tensor": Refusal("TensorMissing", DROPPED_TENSOR, with_fault(Fault.MISSING_TENSOR)),
    "weights": Refusal("WeightsMissing", "safetensors", with_fault(Fault.NO_WEIGHTS)),
    "header": Refusal("ShardDamaged", "model.safetensors", with_fault(Fault.OVERWRITTEN_HEADER)),
    "values": Refusal("ShardDamaged", "impossible values", scales_without_numbers),
    "tokenizer": Refusal("TokenizerMissing", "tokenizer", with_fault(Fault.NO_TOKENIZER)),
    "repository": Refusal("CheckpointNotFound", "zoo/nobody", uri="hf://zoo/nobody"),
    "revision": Refusal("RevisionNotFound", "v9", uri="hf://zoo/open", model={"revision": "v9"}),
    "no-token": Refusal("TokenRefused", GATED, uri=f"hf://{GATED}"),
    "secret": Refusal("TokenMissing", "tokenSecretRef", uri="hf://zoo/open", model=token("nobody")),
    "token": Refusal("TokenRefused", GATED, uri=f"hf://{GATED}", model=token("wrong")),
}


def test_what_cannot_be_served_is_refused_before_anything_runs(
    space: Space, healthy: Space
) -> None:
    """Each gets its reason and a message that names the thing; no vLLM starts, others go on."""
    before = healthy.pods("otter")
    put_repository(space, GATED)
    put_repository(space, "zoo/open")
    space.create("secrets", {"metadata": {"name": "wrong"}, "stringData": {"token": "stolen"}})
    space.claim_with("weights", {name: filled(space, one) for name, one in REFUSALS.items()})
    for name, refusal in REFUSALS.items():
        uri = refusal.uri or f"pvc://weights/{name}"
        space.model(name, space.spec(uri, model=dict(refusal.model)))

    models = watching.until(
        space.cluster,
        space.path("quantizedmodels"),
        lambda found: all(documents.condition(body, "Stalled") for body in found.values()),
        timeout_seconds=600,
        what="all models are stalled",
    )

    assert set(models) == set(REFUSALS)
    wrong = {name: facts(body) for name, body in models.items() if not fits(name, body)}
    assert not wrong, "\n".join(f"{name}: {text}" for name, text in wrong.items())
    assert space.count("deployments") == space.count("services") == 0
    assert documents.is_ready(healthy.the("quantizedmodels", "otter"))
    assert uids(healthy.pods("otter")) == uids(before)
    assert restarts(healthy.pods("otter")) == 0
    exchange = space.site.exchanges[0]
    assert ask(healthy.url("otter"), "otter", exchange.question) == exchange.answer


def filled(space: Space, refusal: Refusal) -> Fill:
    """Fills the folder of a refusal; nothing when it has none."""

    def fill(folder: Path) -> None:
        if refusal.fill:
            folder.parent.mkdir(parents=True, exist_ok=True)
            refusal.fill(space.site.tiny.folder, folder)

    return fill


def fits(name: str, body: Body) -> bool:
    """Ready and Stalled tell the expected reason, and the message names the thing."""
    refusal = REFUSALS[name]
    said = [documents.condition(body, type_) for type_ in ("Ready", "Stalled")]
    return all(
        item["reason"] == refusal.reason and refusal.names in item["message"] for item in said
    )
