"""`qm plan` as a command: its exit codes, and every way to use it wrongly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from quantized_model_operator.api.conditions import REASONS
from quantized_model_operator.domain.model_length import TIMES
from unit.cli.plan_runs import run_qm

PROGRAM = Path(sys.executable).with_name("qm")
Capsys = pytest.CaptureFixture[str]


@pytest.mark.usefixtures("otter")
def test_what_fits_ends_with_0(capsys: Capsys) -> None:
    """A plan is printed, and the exit code says that it fits."""
    run = run_qm(capsys, "plan", "otter", "--gpu", "L4")
    assert run.code == 0
    assert run.out.startswith(f"Fits on 1 {TIMES} L4: requests of up to 2,048 tokens")
    assert run.err == ""


@pytest.mark.usefixtures("badger")
def test_what_is_refused_ends_with_2(capsys: Capsys) -> None:
    """A refusal says why, what to try, and the exit code is its own."""
    run = run_qm(capsys, "plan", "badger", "--gpu", "L4")
    assert run.code == 2
    assert run.out.startswith("Does not fit: ")
    assert "Or            --gpu-count 4\n" in run.out
    assert run.err == ""


@pytest.mark.usefixtures("badger")
def test_what_is_suggested_works(capsys: Capsys) -> None:
    """The number of GPUs that a refusal suggests is planned."""
    run = run_qm(capsys, "plan", "badger", "--gpu", "L4", "--gpu-count", "4")
    assert run.code == 0
    assert run.out.startswith(f"Fits on 4 {TIMES} L4: ")


def test_a_damaged_checkpoint_is_refused(otter: Path, capsys: Capsys) -> None:
    """What the inspection in the cluster would refuse is refused here, with its reason."""
    weights = otter / "model.safetensors"
    with weights.open("r+b") as file:
        file.truncate(weights.stat().st_size - 8)
    run = run_qm(capsys, "plan", "otter", "--gpu", "L4", "--output", "json")
    assert run.code == 2
    assert not run.document["fits"]
    assert run.document["refusals"][0]["reason"] == "ShardTruncated"
    assert run_qm(capsys, "plan", "otter", "--gpu", "L4").out.startswith("Cannot be served: ")


@pytest.mark.usefixtures("otter")
def test_more_than_one_refusal_is_told_in_full(capsys: Capsys) -> None:
    """The headline counts further refusals, and each stands below with its sentence."""
    wrong = ("-tp", "2", "--kv-cache-dtype", "fp8")
    run = run_qm(capsys, "plan", "otter", "--device", "cpu", *wrong)
    assert run.code == 2
    assert "(and 1 more refusal)" in run.out.replace("\n", " ")
    assert run.out.count("Refused  ") == 2
    document = run_qm(capsys, "plan", "otter", "--device", "cpu", *wrong, "-o", "json").document
    assert len(document["refusals"]) == 2
    assert {item["reason"] for item in document["refusals"]} <= set(REASONS)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--gpu", "K80"], "K80 is no GPU that is known here"),
        (["--gpu", "A100"], "A100 may be A100-40GB or A100-80GB"),
        (["--gpu", "L4", "--all-gpus"], "--gpu and --all-gpus exclude each other"),
        (["--gpu", "L4", "--context", "zoo"], "leave out --context, --kubeconfig"),
        (["--all-gpus", "--kubeconfig", "f"], "leave out --context, --kubeconfig"),
        (["--gpu", "L4", "--device", "cpu"], "--gpu and --device cpu exclude each other"),
        (["--device", "cpu", "--gpu-count", "2"], "--gpu-count and --device cpu exclude"),
        (["--gpu", "L4", "--gpu-count", "0"], "0 is not in the range"),
        (["--gpu", "L4", "--max-model-len", "long"], "'long' is no number of tokens"),
        (["--gpu", "L4", "--max-model-len", "1.5K"], "'1.5K' is no whole number"),
        (["--gpu", "L4", "--max-num-seqs", "many"], "'many' is not a valid integer"),
        (["--gpu", "L4", "--dtype", "int8"], "'int8' is not one of"),
        (["--gpu", "L4", "--engine", "newest"], "'newest' is not a version of vLLM"),
        (["--device", "cpu", "--memory", "lots"], "lots"),
        (["--device", "cpu", "--memory", "0"], "0 is not above zero"),
        (["--gpu", "L4", "--output", "xml"], "'xml' is not one of"),
        (["--gpu", "L4", "--name", "otter"], "--name and --checkpoint go with a manifest"),
        (["--gpu", "L4", "--checkpoint", "otter"], "--name and --checkpoint go with a manifest"),
        (["--gpu", "L4", "--cpu-offload-gb", "4"], "No such option"),
        (["more"], "unexpected extra argument"),
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("otter")
def test_wrong_use_ends_with_1(arguments: list[str], sentence: str, capsys: Capsys) -> None:
    """Wrong use is told in a sentence on standard error, and is never taken for a refusal."""
    run = run_qm(capsys, "plan", "otter", *arguments)
    assert run.code == 1
    assert run.out == ""
    assert run.err.startswith("Usage: qm plan")
    assert sentence in run.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("weasel", "weasel is neither a file nor a folder here; a repository on the hub is"),
        (".", ". is no checkpoint: it has neither config.json nor safetensors files"),
        (
            "pvc://weights/otter",
            "pvc://weights/otter is a claim of a cluster, which cannot be",
        ),
        ("hf://otter", "hf://otter is no repository; it is written hf://organisation/name"),
    ],
)
@pytest.mark.usefixtures("here")
def test_what_cannot_be_read_ends_with_1(target: str, sentence: str, capsys: Capsys) -> None:
    """A source that is none is told in one sentence."""
    assert run_qm(capsys, "plan", target, "--gpu", "L4").error.startswith(sentence)


def test_a_cluster_that_was_named_must_answer(otter: Path, capsys: Capsys) -> None:
    """Where a kubeconfig is named and leads nowhere, nothing else is planned on instead."""
    file = otter / "kubeconfig"
    run = run_qm(capsys, "plan", "otter", "--kubeconfig", str(file))
    assert run.error.startswith(f"the kubeconfig {file} cannot be used")


@pytest.mark.usefixtures("otter")
def test_without_a_cluster_all_gpus_are_compared(capsys: Capsys) -> None:
    """Who names no GPU and has no cluster gets every known GPU, and is told why."""
    run = run_qm(capsys, "plan", "otter")
    assert run.code == 0
    assert run.out.splitlines()[0].startswith("Fits on 1")
    assert "no --gpu: all known GPUs are compared" in run.out.replace("\n", " ")
    asked = run_qm(capsys, "plan", "otter", "--all-gpus")
    assert "are compared" not in asked.out
    assert run.out.startswith(asked.out)


@pytest.mark.usefixtures("badger")
def test_all_gpus_may_all_refuse(capsys: Capsys) -> None:
    """When no known GPU will do, the comparison is a refusal."""
    run = run_qm(capsys, "plan", "badger", "--all-gpus", "--max-model-len", "1M", "-o", "json")
    assert run.code == 2
    assert run.document["fits"] is False
    assert all(row["refusals"] for row in run.document["gpus"])


@pytest.mark.usefixtures("badger")
def test_gpus_in_a_node_bound_the_comparison(capsys: Capsys) -> None:
    """With one GPU in a node only those that hold the model alone are left."""
    alone = run_qm(capsys, "plan", "badger", "--gpu-count", "1", "-o", "json").document
    assert alone["gpusPerNode"] == 1
    fitting = {row["gpu"] for row in alone["gpus"] if row["fits"]}
    assert "A100-80GB" in fitting
    assert "L4" not in fitting
    many = run_qm(capsys, "plan", "badger", "--all-gpus", "-o", "json").document
    sizes = {row["gpu"]: row.get("tensorParallelSize") for row in many["gpus"]}
    assert many["gpusPerNode"] == 8
    assert (sizes["A100-80GB"], sizes["L4"]) == (1, 4)


def test_engine_options_reach_the_plan(otter: Path, capsys: Capsys) -> None:
    """Each option under vLLM's name changes what is planned."""
    plain = run_qm(capsys, "plan", str(otter), "--gpu", "H100", "-o", "json").document
    for arguments, field in (
        (["--gpu-memory-utilization", "0.5"], "kvCacheTokens"),
        (["--max-model-len", "1k"], "maxModelLen"),
        (["--max-num-batched-tokens", "16k"], "expectedKvCacheTokens"),
        (["--max-num-seqs", "2048"], "expectedKvCacheTokens"),
        (["--kv-cache-dtype", "fp8", "--dtype", "bfloat16"], "kvCacheTokens"),
        (["--dtype", "bfloat16"], "dtype"),
        (["--enforce-eager"], "expectedKvCacheTokens"),
        (["--engine", "0.25.1"], "engineVersion"),
        (["-tp", "2"], "tensorParallelSize"),
    ):
        run = run_qm(capsys, "plan", str(otter), "--gpu", "H100", "-o", "json", *arguments)
        assert run.code == 0, arguments
        assert run.document[field] != plain[field], arguments


def test_device_and_memory_reach_the_plan(otter: Path, capsys: Capsys) -> None:
    """On CPU the memory decides over the KV cache."""
    small, large = (
        run_qm(
            capsys, "plan", str(otter), "--device", "CPU", "--memory", size, "-o", "json"
        ).document
        for size in ("3500Mi", "5Gi")
    )
    assert small["device"] == large["device"] == "CPU"
    assert small["kvCacheTokens"] < large["kvCacheTokens"]


def test_the_program_starts_without_what_it_does_not_need(otter: Path) -> None:
    """A plan of a folder for a named GPU imports no client of hub or cluster, and no API types."""
    script = (
        "import sys; from quantized_model_operator.cli.qm import run; "
        f"code = run(['plan', {str(otter)!r}, '--gpu', 'L4']); "
        "heavy = {'aiohttp', 'asyncio', 'huggingface_hub', 'httpx2', 'kopf', 'kubernetes', "
        "'pydantic', 'yaml'}; sys.stderr.write(' '.join(sorted(heavy & set(sys.modules)))); "
        "sys.exit(code)"
    )
    done = subprocess.run(  # noqa: S603 - a fixed program in this interpreter
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""


@pytest.mark.parametrize("program", ["qm", "kubectl-qm"])
def test_the_installed_programs(program: str, otter: Path) -> None:
    """The console scripts print plain JSON into a pipe, and end with the exit code."""
    command = [str(PROGRAM.with_name(program)), "plan", str(otter), "--gpu", "L4", "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0
    assert json.loads(done.stdout)["fits"] is True
    assert done.stderr == ""


@pytest.mark.usefixtures("here")
def test_a_closed_pipe_is_no_traceback(otter: Path) -> None:
    """`qm plan ... | head -1` ends quietly."""
    command = f"{PROGRAM} plan {otter} --all-gpus | head -1"
    done = subprocess.run(  # noqa: S602 - fixed words
        command, shell=True, capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr
