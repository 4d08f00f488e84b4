"""I/O: the comparison of all known GPUs for people."""

from collections.abc import Iterator

from rich.text import Text

from quantized_model_operator.cli.checkpoint_source import ReadCheckpoint
from quantized_model_operator.cli.plan_answer import Comparison, GpuAnswer
from quantized_model_operator.cli.plan_table import checkpoint_rows, size_rows
from quantized_model_operator.cli.terminal import (
    Row,
    show_columns,
    show_rows,
    show_text,
    terminal,
)
from quantized_model_operator.domain.model_length import short_count
from quantized_model_operator.domain.serving_plan import ServingPlan, ServingRequest

TITLES = ("GPU", "Fits", "Kernel", "GPUs", "Length", "KV tokens: sure", "expected", "At once")
LEFT_COLUMNS = 3


def print_comparison(compared: Comparison, request: ServingRequest, read: ReadCheckpoint) -> None:
    """A line for each GPU: how it would serve the model, or why not in few words."""
    console = terminal()
    fitting = [row for row in compared.rows if row.answer.fits]
    show_text(console, _headline(compared, request, len(fitting)))
    console.print()
    show_rows(console, checkpoint_rows(read))
    show_rows(console, size_rows(compared.sizes))
    console.print()
    if fitting:
        show_columns(console, TITLES, [_columns(row) for row in fitting], left=LEFT_COLUMNS)
        console.print()
    show_rows(console, _refused(compared))
    if compared.hint:
        console.print()
        show_text(console, Text(compared.hint, "dim"))


def _headline(compared: Comparison, request: ServingRequest, fitting: int) -> Text:
    word, style = ("Fits", "bold green") if fitting else ("Does not fit", "bold red")
    where = f"{fitting} of {len(compared.rows)} known GPUs" if fitting else "any known GPU"
    return Text.assemble(
        (word, style),
        f" on {where}, with up to {compared.gpus_per_node} in a node, vLLM "
        f"{request.engine_version}.",
    )


def _columns(row: GpuAnswer) -> list[Text]:
    plan = row.answer.plan
    assert isinstance(plan, ServingPlan)  # noqa: S101 - of rows that fit
    figures = (
        str(plan.tensor_parallel_size),
        f"{plan.max_model_length:,}",
        short_count(plan.kv_cache_tokens),
        short_count(plan.expected_kv_cache_tokens),
        plan.max_concurrency,
    )
    return [
        Text(row.gpu.name, "bold"),
        Text("yes", "green"),
        Text(plan.kernel),
        *(Text(figure) for figure in figures),
    ]


def _refused(compared: Comparison) -> Iterator[Row]:
    """Each reason once, with the GPUs that it refuses."""
    names: dict[str, list[str]] = {}
    for row in compared.rows:
        if not row.answer.fits:
            names.setdefault(_reason(row), []).append(row.gpu.name)
    for number, (message, gpus) in enumerate(names.items()):
        label = "" if number else "Not on"
        yield label, Text.assemble((", ".join(gpus), "bold"), f": {message}")


def _reason(row: GpuAnswer) -> str:
    """The refusal without the GPU's own name; which others would do is what the table tells."""
    message, _, _ = row.answer.problems[0].message.partition(". Would fit: ")
    product = row.gpu.accelerator.product
    return message.removeprefix(f"{product} ").replace(product, "it")
