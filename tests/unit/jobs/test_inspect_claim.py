"""The inspect program on a mounted claim: every fault that a checkpoint can have."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from quantized_model_jobs import mounted_checkpoint
from quantized_model_operator.domain.weights_manifest import (
    FileDigest,
    Manifest,
    manifest_to_json,
)
from unit.jobs.program_runs import (
    VERDICT,
    inspect_claim,
    read_report,
    the_problem,
)
from unit.tiny_checkpoint import (
    INDEX,
    SINGLE,
    Recipe,
    safetensors,
    shard_names,
    tensors,
    write_checkpoint,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound checkpoint."""
    return write_checkpoint(tmp_path / "otter")


def edit_config(folder: Path, **changes: Any) -> None:  # noqa: ANN401 - any JSON value
    """Change keys of config.json; those of the quantisation are found there."""
    document = json.loads((folder / "config.json").read_text())
    for key, value in changes.items():
        place = (
            document["quantization_config"] if key in document["quantization_config"] else document
        )
        place[key] = value
    (folder / "config.json").write_text(json.dumps(document))


def overwrite(path: Path, position: int, count: int) -> None:
    """Put other bytes into a file."""
    with path.open("r+b") as file:
        file.seek(position)
        file.write(b"\xa5" * count)


def drop_tensor(folder: Path) -> None:
    """Lose one qweight, as a broken export does."""
    contents = tensors()
    del contents["model.layers.1.mlp.down_proj.qweight"]
    (folder / SINGLE).write_bytes(safetensors(contents))


def remove_tokenizer(folder: Path) -> None:
    """Lose all files of the tokenizer."""
    for path in folder.glob("tokenizer*"):
        path.unlink()


def truncate(folder: Path) -> None:
    """Lose the second half of the weights."""
    os.truncate(folder / SINGLE, (folder / SINGLE).stat().st_size // 2)


def leave_zeros(folder: Path) -> None:
    """End a copy early in a file whose size was reserved."""
    size = (folder / SINGLE).stat().st_size
    os.truncate(folder / SINGLE, size // 2)
    os.truncate(folder / SINGLE, size)


FAULTS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "half of the file": (truncate, "ShardTruncated", SINGLE),
    "header overwritten": (
        lambda folder: overwrite(folder / SINGLE, 0, 4096),
        "ShardDamaged",
        SINGLE,
    ),
    "data overwritten": (
        lambda folder: overwrite(folder / SINGLE, 1_000_000, 200_000),
        "ShardDamaged",
        "impossible values",
    ),
    "end of a copy missing": (leave_zeros, "ShardDamaged", "impossible values"),
    "empty file": (lambda folder: os.truncate(folder / SINGLE, 0), "ShardTruncated", SINGLE),
    "tensor missing": (drop_tensor, "TensorMissing", "model.layers.1.mlp.down_proj.qweight"),
    "no tokenizer": (remove_tokenizer, "TokenizerMissing", "tokenizer.json"),
    "no config": (
        lambda folder: (folder / "config.json").unlink(),
        "ConfigMissing",
        "config.json",
    ),
    "no weights": (lambda folder: (folder / SINGLE).unlink(), "WeightsMissing", "safetensors"),
    "bits 8 on int4 data": (
        lambda folder: edit_config(folder, bits=8),
        "ShapesDisagree",
        "holds 4-bit weights",
    ),
    "group size 64": (
        lambda folder: edit_config(folder, group_size=64),
        "ShapesDisagree",
        "group_size 128",
    ),
    "bits 3": (lambda folder: edit_config(folder, bits=3), "UnsupportedBits", "bits: 3"),
    "sym false": (
        lambda folder: edit_config(folder, sym=False),
        "UnsupportedSymmetry",
        "sym: false",
    ),
    "quant_method foo": (
        lambda folder: edit_config(folder, quant_method="foo"),
        "NotGptq",
        "foo",
    ),
    "model_type foo": (
        lambda folder: edit_config(folder, model_type="foo"),
        "ConfigInvalid",
        "model_type: foo",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_its_verdict(fault: str, folder: Path, report_path: Path) -> None:
    """A damaged checkpoint is refused with a reason and the place, and never tried again."""
    damage, reason, text = FAULTS[fault]
    damage(folder)
    code, report = inspect_claim(folder, report_path)
    assert code == VERDICT
    assert not report.transient
    assert report.problems[0].reason == reason
    assert text in report.problems[0].message


def test_int8_data_declared_as_4_bits_is_refused(tmp_path: Path, report_path: Path) -> None:
    """The other direction of wrong bits is found too."""
    folder = write_checkpoint(tmp_path / "o", Recipe(bits=8, quantization={"bits": 4}))
    code, report = inspect_claim(folder, report_path)
    assert code == VERDICT
    reason, message = the_problem(report)
    assert reason == "ShapesDisagree"
    assert "holds 8-bit weights" in message


def test_overwritten_data_is_invisible_without_digests(folder: Path, report_path: Path) -> None:
    """Neither headers nor samples prove data, and the report says so."""
    overwrite(folder / SINGLE, 100_000, 1000)  # in the embedding
    code, report = inspect_claim(folder, report_path)
    assert code == VERDICT
    assert report.facts is not None
    assert report.facts.integrity == "Unverified"


def test_a_sound_checkpoint_gives_facts(folder: Path, report_path: Path) -> None:
    """The uid of the claim stands in for the commit."""
    code, report = inspect_claim(folder, report_path)
    assert code == VERDICT
    assert report.facts is not None
    assert report.facts.uri == "pvc://shelf/otter"
    assert report.facts.commit == "uid-1"
    assert report.facts.weights_bytes == (folder / SINGLE).stat().st_size


def write_manifest(folder: Path) -> None:
    """Write what a fetch would have written."""
    digests = {
        path.name: FileDigest(path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in folder.iterdir()
    }
    text = manifest_to_json(Manifest("hf://zoo/otter", "0" * 40, digests))
    (folder / "quantized-model-manifest.json").write_text(text)


def write_checksums(folder: Path) -> None:
    """Write what a user would write with sha256sum."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in folder.iterdir()
    ]
    (folder / "SHA256SUMS").write_text("".join(lines))


@pytest.mark.parametrize("write", [write_manifest, write_checksums])
def test_a_manifest_proves_the_weights(
    write: Callable[[Path], None], folder: Path, report_path: Path
) -> None:
    """With digests the same overwritten data is found, and sound data is called verified."""
    write(folder)
    _, report = inspect_claim(folder, report_path)
    assert report.facts is not None
    assert report.facts.integrity == "Manifest"
    overwrite(folder / SINGLE, 1_000_000, 200_000)
    code, report = inspect_claim(folder, report_path)
    assert code == VERDICT
    reason, message = the_problem(report)
    assert reason == "DigestMismatch"
    assert SINGLE in message


def test_a_manifest_of_something_else_proves_nothing(folder: Path, report_path: Path) -> None:
    """A manifest without the weights, or a broken one, leaves a warning."""
    (folder / "SHA256SUMS").write_text("0" * 64 + "  other\n")
    _, report = inspect_claim(folder, report_path)
    assert report.facts is not None
    assert report.facts.integrity == "Unverified"
    assert SINGLE in report.facts.warnings[0]
    (folder / "quantized-model-manifest.json").write_text("{}")
    _, report = inspect_claim(folder, report_path)
    assert report.facts is not None
    assert "is not used" in report.facts.warnings[0]


def test_digests_that_need_too_long_are_left_out(folder: Path) -> None:
    """When the time for digests is over the verdict still comes, with a warning."""
    write_manifest(folder)
    evidence = mounted_checkpoint.gather("pvc://shelf/otter", "uid-1", folder, -1.0)
    assert evidence.integrity == "Unverified"
    assert "no time" in evidence.warnings[0]


def test_shards_without_an_index_are_read(tmp_path: Path, report_path: Path) -> None:
    """Several files need no index, and their numbers tell when one is missing."""
    folder = write_checkpoint(tmp_path / "o", shards=3)
    (folder / INDEX).unlink()
    _, report = inspect_claim(folder, report_path)
    assert report.facts is not None
    assert report.facts.files == 3
    (folder / shard_names(3)[1]).unlink()
    _, report = inspect_claim(folder, report_path)
    reason, message = the_problem(report)
    assert reason == "ShardMissing"
    assert shard_names(3)[1] in message


def test_links_as_in_a_cache_of_the_hub_are_followed(tmp_path: Path, report_path: Path) -> None:
    """A folder of links to blobs is a checkpoint; a link to nothing is a missing file."""
    blobs = write_checkpoint(tmp_path / "blobs")
    folder = tmp_path / "snapshot"
    folder.mkdir()
    for path in blobs.iterdir():
        (folder / path.name).symlink_to(path)
    _, report = inspect_claim(folder, report_path)
    assert report.facts is not None
    (blobs / SINGLE).unlink()
    _, report = inspect_claim(folder, report_path)
    assert the_problem(report)[0] == "WeightsMissing"


@pytest.mark.parametrize("name", ["nowhere", "otter/config.json"])
def test_a_missing_folder_is_a_verdict(
    name: str, folder: Path, tmp_path: Path, report_path: Path
) -> None:
    """A path that is no folder is refused, so that the user corrects the uri."""
    assert folder.exists()
    code, report = inspect_claim(tmp_path / name, report_path)
    assert code == VERDICT
    assert the_problem(report)[0] == "PathMissing"


def test_it_starts_fast_and_without_the_hubs_library(folder: Path, report_path: Path) -> None:
    """Reading a claim never imports the hub's client."""
    program = (
        "import sys; from quantized_model_jobs import inspect; code = inspect.main(sys.argv[1:]);"
        "assert 'huggingface_hub' not in sys.modules; sys.exit(code)"
    )
    arguments = ["--uri", "pvc://shelf/otter", "--path", str(folder), "--report", str(report_path)]
    ended = subprocess.run([sys.executable, "-c", program, *arguments], check=False)  # noqa: S603 - our own program
    assert ended.returncode == VERDICT
    assert read_report(report_path).facts is not None
