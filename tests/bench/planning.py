"""`make bench-planning`: what a plan costs, as a command and inside the operator.

planning.py [--check]     --check: compare with the budgets only, write nothing

The command is measured as users run it, process included: CPU seconds of the best of some runs,
since other load only adds. The table goes to planning.md beside this file.
"""

import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from checkpoint_headers import as_evidence, header_set, model_tensors, write_header_set
from published_models import PUBLISHED
from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.checkpoint_inspection import inspect_checkpoint
from quantized_model_operator.domain.cluster_state import ObservedNode
from quantized_model_operator.domain.plan_values import ServingRequest
from quantized_model_operator.domain.serving_plan import ServingPlan, plan_serving

COMMAND_BUDGET_MILLISECONDS = 300
PLAN_BUDGET_MICROSECONDS = 2000
RUNS = 11
QM = Path(sys.executable).with_name("qm")
LARGE = "72B Int4, 80 layers, 11 files"
MODELS: Mapping[str, tuple[str, dict[str, Any], int]] = {
    "7B Int4, 28 layers, 2 files": ("Qwen/Qwen2-7B-Instruct", {}, 2),
    LARGE: ("Qwen/Qwen2.5-72B-Instruct", {"intermediate_size": 29696}, 11),
    "30B-A3B Int4, 48 layers of 128 experts, 4 files": ("Qwen/Qwen3-30B-A3B", {}, 4),
}
UNBOUNDED = {"30B-A3B Int4, 48 layers of 128 experts, 4 files"}
"""Its headers of 74,000 tensors are thirty times those of the 72B; no budget is set for them."""

FORMS = {
    "table": ["--gpu", "H100"],
    "json": ["--gpu", "H100", "--output", "json"],
    "all GPUs": ["--all-gpus"],
}
CLUSTERS = (1, 8, 100, 1000)
PRODUCTS = ("NVIDIA-L4", "NVIDIA-A100-SXM4-80GB", "NVIDIA-H100-80GB-HBM3", "Tesla-T4")


@dataclass(frozen=True)
class Row:
    """One measurement and its budget, in the same unit."""

    what: str
    best: float
    median: float
    unit: str
    budget: float | None

    @property
    def is_good(self) -> bool:
        """Whether the best run is within the budget."""
        return self.budget is None or self.best < self.budget


def main(arguments: list[str]) -> int:
    """Measure, write the table, and say whether all budgets are kept."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [*_commands(Path(folder)), *_plans()]
    text = table(rows)
    if "--check" not in arguments:
        (Path(__file__).parent / "planning.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return 0 if all(row.is_good for row in rows) else 1


def _commands(folder: Path) -> list[Row]:
    """`qm plan` on folders, in its forms, with and without compiled modules."""
    without = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    compiled = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    compiled.pop("PYTHONDONTWRITEBYTECODE", None)
    rows = []
    for label, (repository, changes, shards) in MODELS.items():
        config = {**PUBLISHED[repository].config, **changes}
        made = header_set(config, model_tensors(config), shards=shards)
        target = write_header_set(folder / repository.rpartition("/")[2], made)
        for form, how in FORMS.items() if label == LARGE else (("table", FORMS["table"]),):
            budget = None if label in UNBOUNDED else COMMAND_BUDGET_MILLISECONDS
            for state, environment in (("", compiled), (", nothing compiled", without)):
                best, median = _best(partial(_cpu_seconds, target, how, environment))
                what = f"`qm plan`, {form}{state}: {label}"
                rows.append(Row(what, best * 1e3, median * 1e3, "ms", budget))
    return rows


def _cpu_seconds(target: Path, options: list[str], environment: dict[str, str]) -> float:
    """User and system time of one command, start of Python included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [str(QM), "plan", str(target), *options]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, env=environment, check=False)  # noqa: S603
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, command
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _plans() -> list[Row]:
    """The planner alone, as the operator calls it, in clusters of several sizes."""
    rows = []
    request = ServingRequest(device="GPU", engine_version="0.33.0")
    for label, (repository, changes, shards) in MODELS.items():
        config = {**PUBLISHED[repository].config, **changes}
        made = header_set(config, model_tensors(config), shards=shards)
        facts = inspect_checkpoint(as_evidence(made)).facts
        assert facts is not None, label
        for count in CLUSTERS if label == LARGE else (8,):
            nodes = [_node(number) for number in range(count)]
            assert isinstance(plan_serving(facts, request, nodes), ServingPlan)
            best, median = _best(partial(_plan_seconds, facts, request, nodes))
            what = f"planning in the operator, {count} nodes: {label}"
            rows.append(Row(what, best * 1e6, median * 1e6, "µs", PLAN_BUDGET_MICROSECONDS))
    return rows


def _node(number: int) -> ObservedNode:
    product = PRODUCTS[1 + number % 3]
    return ObservedNode(
        name=f"node-{number}",
        labels={"nvidia.com/gpu.product": product},
        allocatable={"cpu": "32", "memory": "256Gi", "nvidia.com/gpu": "8"},
        schedulable=True,
    )


def _plan_seconds(
    facts: CheckpointFacts, request: ServingRequest, nodes: list[ObservedNode]
) -> float:
    """CPU time of one plan, from twenty in a row."""
    began = time.process_time()
    for _ in range(20):
        plan_serving(facts, request, nodes)
    return (time.process_time() - began) / 20


def _best(measured: Callable[[], float]) -> tuple[float, float]:
    """The least and the middle of some runs; the first, which fills caches, does not count."""
    measured()
    found = sorted(measured() for _ in range(RUNS))
    return found[0], found[len(found) // 2]


def table(rows: list[Row]) -> str:
    """The page with the results."""
    load = os.getloadavg()[0]
    today = time.strftime("%Y-%m-%d", time.gmtime())
    measured = (
        f"{today}, Python {platform.python_version()}, load average {load:.1f} on "
        f"{os.cpu_count()} cores, best and median of {RUNS} runs. All is CPU time, of commands "
        "with Python's start; modules are compiled, as pip does it when it installs them, but "
        "where it says otherwise. `make bench-planning` writes this file."
    )
    lines = [
        "# Benchmark: what a plan costs",
        "",
        measured,
        "",
        "| what | best | median | budget |",
        "|---|--:|--:|--:|",
        *(_line(row) for row in rows),
    ]
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    figures = [f"{row.best:.0f} {row.unit}", f"{row.median:.0f} {row.unit}"]
    figures.append(f"{row.budget:.0f} {row.unit}" if row.budget else "none")
    return f"| {row.what} | {' | '.join(figures)} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
