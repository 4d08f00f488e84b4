"""Plans of checkpoints on a hub: what is read, with which access, and what failures say."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from checkpoint_headers import header_set, model_tensors, write_header_set
from hub import Access, Hub, running_hub
from published_models import PUBLISHED
from quantized_model_operator.cli.checkpoint_source import read_checkpoint
from quantized_model_operator.cli.plan_hardware import gpu_node
from quantized_model_operator.cli.plan_manifest import resolved
from quantized_model_operator.cli.plan_subject import SETTINGS
from quantized_model_operator.domain.serving_plan import ServingPlan, plan_serving
from quantized_model_operator.plan.learning import setup_on
from unit.cli.plan_runs import run_qm
from unit.tiny_checkpoint import Recipe, write_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

Capsys = pytest.CaptureFixture[str]
PROGRAM = str(Path(sys.executable).with_name("qm"))
LARGE = "zoo/badger-72b"
TOKEN = "token-with-access"  # noqa: S105 - of the test hub


@pytest.fixture
def hub(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with an open, a large, a gated and a private repository."""
    root = here / "hub"
    write_checkpoint(root / "zoo/otter", shards=2)
    for name in ("zoo/gated", "zoo/private"):
        write_checkpoint(root / name, Recipe(layers=1))
    config = {**PUBLISHED["Qwen/Qwen2.5-72B-Instruct"].config, "intermediate_size": 29696}
    write_header_set(root / LARGE, header_set(config, model_tensors(config), shards=11))
    access = Access(gated={"zoo/gated": {TOKEN}}, private={"zoo/private": {TOKEN}})
    with running_hub(root, access) as running:
        for path in (root / LARGE).glob("*.safetensors"):
            running.repositories.assume(path, hashlib.sha256(path.name.encode()).hexdigest())
        monkeypatch.setenv("HF_ENDPOINT", running.endpoint)
        yield running
        assert running.leaked_tokens == 0


def test_only_headers_are_read(hub: Hub, capsys: Capsys) -> None:
    """Of 39 GB less than one MB leaves the hub, and the answer tells exactly how much."""
    run = run_qm(capsys, "plan", f"hf://{LARGE}", "--gpu", "A100-80GB", "-o", "json")
    assert run.code == 0
    source = run.document["source"]
    assert run.document["model"]["weightsBytes"] > 38 * 2**30
    assert source["bytesRead"] == sum(hub.bytes_sent.values()) < 10**6
    assert source["filesRead"] == len(hub.bytes_sent)
    # One request for each file, one for the list of files, and redirects to the large ones.
    assert hub.total_requests() <= 2 * source["filesRead"] + 1


def test_the_commit_is_told(hub: Hub, capsys: Capsys) -> None:
    """A moving revision is resolved, and a commit may be planned itself."""
    repository = hub.repositories.get("zoo/otter")
    assert repository is not None
    moving = run_qm(capsys, "plan", "hf://zoo/otter", "--gpu", "L4", "-o", "json").document
    assert moving["model"]["resolvedRevision"] == repository.commit
    assert moving["model"]["integrity"] == "Hub"
    pinned = run_qm(capsys, "plan", f"hf://zoo/otter@{repository.commit}", "--gpu", "L4")
    assert pinned.code == 0
    assert f"hf://zoo/otter at {repository.commit[:12]}" in pinned.out


@pytest.mark.usefixtures("hub")
def test_what_was_measured_in_the_cluster_is_used(here: Path, capsys: Capsys) -> None:
    """A manifest as the cluster has it is planned with what vLLM measured at its start."""
    manifest = {
        "apiVersion": "serving.quantizedmodel.dev/v1alpha1",
        "kind": "QuantizedModel",
        "metadata": {"name": "otter"},
        "spec": {"model": {"uri": "hf://zoo/otter"}},
    }
    model, request = resolved(manifest, SETTINGS)
    node = gpu_node("NVIDIA-L4", 1)
    facts = read_checkpoint("hf://zoo/otter").report.facts
    assert facts is not None
    planned = plan_serving(facts, request, [node])
    assert isinstance(planned, ServingPlan)
    _, setup = setup_on(node, facts, model, planned)
    assert setup
    engine = {
        "setup": setup,
        "gpuMemoryBytes": 22 * 2**30,
        "weightsBytesPerGpu": 2**21,
        "consumedBytesPerGpu": 2**30,
        "activationBytesPerGpu": 2**30,
    }
    (here / "otter.json").write_text(json.dumps({**manifest, "status": {"engine": engine}}))
    run = run_qm(capsys, "plan", "otter.json", "--gpu", "L4", "-o", "json")
    assert run.document["memoryPerGpu"]["activationBytes"] == 2**30
    assert run.document["expectedKvCacheTokens"] != planned.expected_kv_cache_tokens


@pytest.mark.parametrize("name", ["gated", "private"])
@pytest.mark.usefixtures("hub")
def test_a_token_opens(name: str, monkeypatch: pytest.MonkeyPatch, capsys: Capsys) -> None:
    """HF_TOKEN gives access; without it the remedy names HF_TOKEN and no field of a resource."""
    closed = run_qm(capsys, "plan", f"hf://zoo/{name}", "--gpu", "L4")
    assert "HF_TOKEN" in closed.error
    assert "spec." not in closed.err
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert run_qm(capsys, "plan", f"hf://zoo/{name}", "--gpu", "L4").code == 0


@pytest.mark.usefixtures("hub")
def test_the_token_of_a_login_opens(here: Path) -> None:
    """The token that `hf auth login` keeps is used as other tools use it."""
    (here / ".cache").mkdir()
    (here / ".cache/token").write_text(TOKEN)
    command = [PROGRAM, "plan", "hf://zoo/gated", "--gpu", "L4"]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - in our PATH
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("hub")
def test_a_token_without_access(monkeypatch: pytest.MonkeyPatch, capsys: Capsys) -> None:
    """A token that does not open the repository is told as such."""
    monkeypatch.setenv("HF_TOKEN", "another")
    run = run_qm(capsys, "plan", "hf://zoo/gated", "--gpu", "L4")
    assert "token" in run.error
    assert "spec." not in run.err


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("hf://zoo/weasel", "there is no zoo/weasel on {hub}, or it is private: check the name"),
        ("hf://zoo/otter@v9", "zoo/otter on {hub} has no revision v9; name a branch, a tag or a"),
    ],
)
def test_what_is_not_there(target: str, sentence: str, hub: Hub, capsys: Capsys) -> None:
    """Missing repositories and revisions are told in one sentence."""
    run = run_qm(capsys, "plan", target, "--gpu", "L4")
    assert run.error.startswith(sentence.format(hub=hub.endpoint))


@pytest.mark.usefixtures("here")
def test_no_network(monkeypatch: pytest.MonkeyPatch, capsys: Capsys) -> None:
    """Where no hub answers, the sentence names the endpoint and the ways out."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("quantized_model_jobs.hub_checkpoint._PAUSES_SECONDS", (0.01,) * 3)
    run = run_qm(capsys, "plan", "hf://zoo/otter", "--gpu", "L4")
    assert "zoo/otter on http://127.0.0.1:9 could not be reached" in run.error
    assert run.error.endswith("check the network and HF_ENDPOINT, or read a copy in a folder")


def test_short_trouble_is_waited_out(hub: Hub, capsys: Capsys) -> None:
    """A hub that is busy for a moment is asked again."""
    hub.faults.fail(2)
    assert run_qm(capsys, "plan", "hf://zoo/otter", "--gpu", "L4").code == 0
