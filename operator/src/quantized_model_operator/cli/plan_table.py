"""I/O: an answer for people, in a terminal of 80 columns or more, with and without colour."""

from collections.abc import Iterable, Iterator, Sequence
from types import MappingProxyType

from rich.console import Console
from rich.text import Text

from quantized_model_operator.cli.checkpoint_source import ReadCheckpoint
from quantized_model_operator.cli.gpu_names import short_name
from quantized_model_operator.cli.plan_answer import Answer
from quantized_model_operator.cli.plan_hardware import GpuPool, Hardware, gpu_pools
from quantized_model_operator.cli.plan_memory import memory_parts
from quantized_model_operator.cli.plan_remedy import remedy
from quantized_model_operator.cli.terminal import (
    Row,
    lines,
    show_rows,
    show_text,
    terminal,
    text_width,
)
from quantized_model_operator.domain.accelerators import known_accelerator
from quantized_model_operator.domain.batch_limits import BatchLimits
from quantized_model_operator.domain.cluster_state import ModelKey
from quantized_model_operator.domain.model_length import TIMES
from quantized_model_operator.domain.quantity import GIB
from quantized_model_operator.domain.quantization import dotted
from quantized_model_operator.domain.readable_text import counted, readable_bytes
from quantized_model_operator.domain.serving_plan import ServingPlan
from quantized_model_operator.domain.tensor_parallel import TensorParallelVerdict

SHOWN_SIZES = 8
"""Tensor parallel sizes that a table tells about; larger ones are in JSON."""

FILLS = MappingProxyType(
    {
        "weightsBytes": ("█", "blue"),
        "processBytes": ("▓", "magenta"),
        "activationBytes": ("▒", "cyan"),
        "graphBytes": ("░", "yellow"),
        "kvCacheBytes": ("=", "green"),
        "furtherKvCacheBytes": ("-", "green"),
        "unusedBytes": ("·", "dim"),
    }
)
"""Of the parts of a memory bar, to be told apart without colour."""
LEAST_BYTES = GIB // 200
"""Below it a part would be listed with 0.00 GiB."""


def print_answer(
    answer: Answer,
    read: ReadCheckpoint | None,
    hardware: Hardware | None,
    model: ModelKey | None,
) -> None:
    """The answer for one set of nodes; ``model`` is what a manifest describes."""
    console = terminal()
    show_text(console, _headline(answer))
    console.print()
    show_rows(console, _refusal_rows(answer, model))
    show_rows(console, checkpoint_rows(read))
    if hardware is not None:
        show_rows(console, [("Hardware", _hardware(hardware))])
    if answer.plan is not None:
        show_rows(console, _plan_rows(answer.plan))
        show_rows(console, _batch_rows(answer.batch))
        show_rows(console, _memory_rows(answer, console))
    if answer.sizes and hardware is not None and gpu_pools(hardware):
        show_rows(console, size_rows(answer.sizes))
    show_rows(console, _list_rows("Warnings", answer.warnings, "yellow"))
    show_rows(console, _list_rows("Also fits", answer.plan.alternatives if answer.plan else ()))


def checkpoint_rows(read: ReadCheckpoint | None) -> Iterator[Row]:
    """What the checkpoint is, and how little of it was read."""
    if read is None:
        return
    facts = read.report.facts
    what = [f"{read.uri} at {read.commit[:12]}" if read.commit else read.uri]
    size = ""
    if facts is not None:
        groups = "no groups" if facts.group_size == -1 else f"groups of {facts.group_size}"
        experts = f", {facts.mixture.experts} experts" if facts.mixture else ""
        kind = f"{facts.architecture}, {parameter_count(facts.parameters)} parameters{experts}"
        what.append(f"{kind}, {facts.bits} bit, {groups}")
        size = f"{readable_bytes(facts.weights_bytes)} in {counted(facts.files, 'file')}; "
    files = counted(read.files, "file")
    what.append(f"{size}read: config and headers, {_short_size(read.bytes_read)} of {files}")
    yield "Checkpoint", lines(*what)


def size_rows(sizes: Sequence[TensorParallelVerdict]) -> Iterator[Row]:
    """The numbers of GPUs that the model can be split over, and why not over others."""
    verdicts = sizes[:SHOWN_SIZES]
    legal = ", ".join(str(item.size) for item in verdicts if item.legal) or "none"
    refused = [item for item in verdicts if not item.legal]
    grouped = [Text(text, "dim") for text in _grouped(refused)]
    yield "Split over", lines(f"{legal} GPUs (of up to {SHOWN_SIZES})", *grouped)


def gpus_of(plan: ServingPlan) -> str:
    """The GPUs of a replica: their number and their short names."""
    names = dict.fromkeys(short_name(product) for product in plan.products)
    return f"{plan.tensor_parallel_size} {TIMES} {' or '.join(names)}"


def parameter_count(parameters: int) -> str:
    """The number as models are called by it: ``72.7B``, ``494.0M``."""
    billions = parameters / 10**9
    return f"{billions:.1f}B" if billions >= 1 else f"{parameters / 10**6:.1f}M"


def _headline(answer: Answer) -> Text:
    """The verdict in one sentence."""
    plan = answer.plan
    if plan is None:
        first, *others = answer.problems
        word = "Cannot be served" if first.field.startswith("spec.model") else "Does not fit"
        more = f" (and {counted(len(others), 'more refusal')})" if others else ""
        return Text.assemble((word, "bold red"), f": {first.message}{more}")
    where = "on CPU" if plan.device == "CPU" else f"on {gpus_of(plan)}"
    return Text.assemble(
        ("Fits", "bold green"),
        f" {where}: requests of up to {plan.max_model_length:,} tokens, KV cache for "
        f"{plan.max_concurrency} of them.",
    )


def _plan_rows(plan: ServingPlan) -> Iterator[Row]:
    yield "Engine", Text(f"vLLM {plan.engine_version}, kernel {plan.kernel}, {plan.dtype}")
    if plan.device == "GPU":
        size = f"tensor parallel size {plan.tensor_parallel_size}"
        yield "Replica", Text(f"{gpus_of(plan)}, {size}")
    else:
        memory = readable_bytes(plan.memory_request_bytes)
        yield "Replica", Text(f"{memory} of main memory, CPU request {plan.cpu_request}")
    tokens, expected = plan.kv_cache_tokens, plan.expected_kv_cache_tokens
    beyond = f", {expected:,} expected" if expected != tokens else ""
    kind = "" if plan.kv_cache_dtype == "auto" else f", in {plan.kv_cache_dtype}"
    yield "KV cache", Text(f"{tokens:,} tokens are sure{beyond}{kind}")


def _batch_rows(batch: BatchLimits | None) -> Iterator[Row]:
    if batch is not None:
        requests, tokens = batch.max_num_seqs, batch.max_num_batched_tokens
        yield "Batch", Text(f"at most {requests:,} requests at a time, {tokens:,} tokens in a step")


def _memory_rows(answer: Answer, console: Console) -> Iterator[Row]:
    """A bar and what its parts are."""
    parts = memory_parts(answer)
    total = sum(part.size_bytes for part in parts)
    if answer.plan is None or not total:
        return
    bar, end, filled = Text(), 0, 0
    legend: list[Text] = []
    for part in parts:
        fill, colour = FILLS[part.key]
        end += part.size_bytes
        cells = round(end * text_width(console) / total) - filled
        filled += cells
        bar.append(fill * cells, colour)
        if part.size_bytes >= LEAST_BYTES:
            size = f"{part.size_bytes / GIB:6.2f} GiB  {part.label}"
            legend.append(Text.assemble((fill, colour), f" {size}"))
    each = " of each GPU" if answer.plan.tensor_parallel_size > 1 else ""
    yield "Memory", lines(f"{total / GIB:.2f} GiB{each}", bar, *legend)


def _grouped(refused: Sequence[TensorParallelVerdict]) -> Iterator[str]:
    """The reasons, each once with all sizes that it forbids."""
    groups: dict[str, list[TensorParallelVerdict]] = {}
    for item in refused:
        groups.setdefault(item.message.removesuffix(f" {item.size}"), []).append(item)
    for stem, items in groups.items():
        sizes = ", ".join(str(item.size) for item in items)
        said = items[0].message
        yield f"not {sizes}: {said if len(items) == 1 or stem == said else f'{stem} these'}"


def _refusal_rows(answer: Answer, model: ModelKey | None) -> Iterator[Row]:
    """Each refusal with its remedy; the sentence of a single one is the headline already."""
    for problem in answer.problems:
        said = [problem.message] if len(answer.problems) > 1 else []
        yield "Refused", lines(f"{problem.reason} ({problem.field})", *said)
        if problem.rule:
            yield "Rule", Text(problem.rule)
        if problem.suggestion:
            yield "Try", lines(*remedy(problem.suggestion, model))
    if answer.gpus_that_fit:
        suggested = any(problem.suggestion for problem in answer.problems)
        yield "Or" if suggested else "Try", Text(f"--gpu-count {answer.gpus_that_fit}")


def _list_rows(label: str, texts: Iterable[str], style: str = "") -> Iterator[Row]:
    for number, text in enumerate(texts):
        yield "" if number else label, Text(text, style)


def _hardware(hardware: Hardware) -> Text:
    pools = gpu_pools(hardware)
    return lines(*map(_pool, pools), Text(f"from {hardware.origin}", "dim"))


def _pool(pool: GpuPool) -> str:
    nodes = counted(len(pool.gpus_by_node), "node")
    gpus = " or ".join(str(count) for count in sorted(set(pool.gpus_by_node), reverse=True))
    count = None if pool.free_by_node is None else sum(pool.free_by_node)
    free = "" if count is None else f", {counted(count, 'GPU')} free now"
    known = known_accelerator(pool.product)
    figures = (
        f" ({readable_bytes(known.memory_bytes)}, compute capability "
        f"{dotted(known.compute_capability)})"
        if known
        else ""
    )
    return f"{nodes} with {gpus} {TIMES} {pool.product}{free}{figures}"


def _short_size(size_bytes: int) -> str:
    """A size as networks count it."""
    if size_bytes < 10**7:
        return f"{max(1, round(size_bytes / 10**3)):,} kB"
    return f"{round(size_bytes / 10**6):,} MB"
