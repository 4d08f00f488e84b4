"""The damaged checkpoints: each differs from the good one in exactly what its name says."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from faults import DROPPED_TENSOR, Fault, damage, main
from unit.tiny_checkpoint import write_checkpoint

WEIGHTS = "model.safetensors"
QUANTIZATION_CHANGES = {
    Fault.WRONG_BITS: {"bits": 8},
    Fault.WRONG_GROUP_SIZE: {"group_size": 64},
    Fault.THREE_BITS: {"bits": 3},
    Fault.ASYMMETRIC: {"sym": False},
    Fault.ACT_ORDER: {"desc_act": True},
    Fault.UNKNOWN_METHOD: {"quant_method": "foo"},
}


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A sound checkpoint with all files that a quantiser writes."""
    folder = write_checkpoint(tmp_path / "good")
    settings = json.loads((folder / "config.json").read_text())["quantization_config"]
    (folder / "quantize_config.json").write_text(json.dumps(settings))
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    return folder


def digests(folder: Path) -> dict[str, str]:
    """The digest of each file by name."""
    return {file.name: sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


def header(weights: Path) -> dict[str, Any]:
    """The header of a safetensors file, after a check that it describes all of the data."""
    content = weights.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    described: dict[str, Any] = json.loads(content[8:start])
    described.pop("__metadata__", None)
    assert start + max(tensor["data_offsets"][1] for tensor in described.values()) == len(content)
    return described


def tensor(weights: Path, name: str) -> bytes:
    """The data of one tensor."""
    content = weights.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    begin, end = header(weights)[name]["data_offsets"]
    return content[start + begin : start + end]


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_changes_the_copy_and_only_the_copy(
    good: Path,
    tmp_path: Path,
    fault: Fault,
) -> None:
    """Each fault leaves the good checkpoint alone and the copy different from it."""
    before = digests(good)
    broken = damage(good, tmp_path / "broken", fault)
    assert digests(good) == before
    assert digests(broken) != before


@pytest.mark.parametrize("fault", [fault for fault in Fault if not fault.shows_in_headers])
def test_hidden_damage_keeps_headers_and_sizes(good: Path, tmp_path: Path, fault: Fault) -> None:
    """A fault that does not show in headers changes nothing but data of the weights."""
    broken = damage(good, tmp_path / "broken", fault)
    changed = {name for name, digest in digests(good).items() if digests(broken)[name] != digest}
    assert changed == {WEIGHTS}
    assert header(broken / WEIGHTS) == header(good / WEIGHTS)


def test_a_dropped_tensor_leaves_the_others_whole(good: Path, tmp_path: Path) -> None:
    """A file without one tensor is well-formed and holds the data of all others unchanged."""
    broken = damage(good, tmp_path / "broken", Fault.MISSING_TENSOR)
    kept = header(broken / WEIGHTS).keys()
    assert header(good / WEIGHTS).keys() - kept == {DROPPED_TENSOR}
    for name in ("model.layers.0.self_attn.q_proj.qweight", "lm_head.weight"):
        assert tensor(broken / WEIGHTS, name) == tensor(good / WEIGHTS, name)


def test_truncated_weights_are_half_as_long(good: Path, tmp_path: Path) -> None:
    """A truncated file is the first half of the good one."""
    broken = damage(good, tmp_path / "broken", Fault.TRUNCATED_WEIGHTS)
    whole = (good / WEIGHTS).read_bytes()
    assert (broken / WEIGHTS).read_bytes() == whole[: len(whole) // 2]


def test_an_overwritten_header_cannot_be_read(good: Path, tmp_path: Path) -> None:
    """The first bytes name a header longer than the file."""
    broken = damage(good, tmp_path / "broken", Fault.OVERWRITTEN_HEADER)
    content = (broken / WEIGHTS).read_bytes()
    assert int.from_bytes(content[:8], "little") > len(content)


@pytest.mark.parametrize(
    ("fault", "missing"),
    [
        (Fault.NO_CONFIG, {"config.json"}),
        (Fault.NO_WEIGHTS, {WEIGHTS}),
        (
            Fault.NO_TOKENIZER,
            {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja"},
        ),
    ],
)
def test_missing_files_are_the_named_ones(
    good: Path,
    tmp_path: Path,
    fault: Fault,
    missing: set[str],
) -> None:
    """A fault that removes files removes those and no others."""
    broken = damage(good, tmp_path / "broken", fault)
    assert digests(good).keys() - digests(broken).keys() == missing


@pytest.mark.parametrize(("fault", "changes"), QUANTIZATION_CHANGES.items())
def test_both_files_declare_the_same_wrong_thing(
    good: Path,
    tmp_path: Path,
    fault: Fault,
    changes: dict[str, object],
) -> None:
    """A wrong declaration stands in config.json and in quantize_config.json alike."""
    broken = damage(good, tmp_path / "broken", fault)
    right = json.loads((good / "quantize_config.json").read_text())
    declared = json.loads((broken / "config.json").read_text())["quantization_config"]
    assert declared == right | changes
    assert json.loads((broken / "quantize_config.json").read_text()) == declared


def test_the_other_bits_of_eight_are_four(good: Path, tmp_path: Path) -> None:
    """Wrong bits on an eight-bit checkpoint are four."""
    config = json.loads((good / "config.json").read_text())
    config["quantization_config"]["bits"] = 8
    (good / "config.json").write_text(json.dumps(config))
    broken = damage(good, tmp_path / "broken", Fault.WRONG_BITS)
    declared = json.loads((broken / "config.json").read_text())["quantization_config"]
    assert declared["bits"] == 4


def test_data_too_short_to_damage_is_refused(good: Path, tmp_path: Path) -> None:
    """Overwriting past the end is an error, so that no fault is ever without effect."""
    (good / WEIGHTS).write_bytes(b"short")
    with pytest.raises(ValueError, match="too few to overwrite"):
        damage(good, tmp_path / "broken", Fault.OVERWRITTEN_DATA)


def test_the_command_makes_a_damaged_copy(
    good: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The command line takes checkpoint, target and the name of a fault."""
    target = tmp_path / "broken"
    monkeypatch.setattr("sys.argv", ["faults.py", str(good), str(target), "empty-weights"])
    assert main() == 0
    assert (target / WEIGHTS).stat().st_size == 0
