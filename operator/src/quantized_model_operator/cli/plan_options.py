"""Pure: the options of `qm plan`; those of the engine have vLLM's own names and values."""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import click

from quantized_model_operator.cli.gpu_names import NamedGpu, UnknownGpuError, find_gpu
from quantized_model_operator.cli.vllm_values import ModelLength, TokenCount
from quantized_model_operator.domain.engine_version import (
    InvalidEngineVersionError,
    parse_engine_version,
)
from quantized_model_operator.domain.quantity import parse_quantity

MOST_GPUS = 64
"""Of one node, as an argument; a plan uses at most 16."""

Command = Callable[..., Any]


def plan_options(command: Command) -> Command:
    """The command with all options, in the order of its help."""
    return reduce(lambda decorated, option: option(decorated), reversed(_OPTIONS), command)


def _gpus(
    ctx: click.Context, param: click.Parameter, values: Sequence[str]
) -> tuple[NamedGpu, ...]:
    try:
        return tuple(find_gpu(text) for value in values for text in value.split(",") if text)
    except UnknownGpuError as error:
        raise click.BadParameter(str(error), ctx=ctx, param=param) from error


def _engine(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else str(parse_engine_version(value.removeprefix("v")))
    except InvalidEngineVersionError as error:
        raise click.BadParameter(str(error), ctx=ctx, param=param) from error


def _memory(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    try:
        size = None if value is None else int(parse_quantity(value))
    except ValueError as error:
        raise click.BadParameter(str(error), ctx=ctx, param=param) from error
    if size is not None and size <= 0:
        raise click.BadParameter(f"{value} is not above zero", ctx=ctx, param=param)
    return size


_OPTIONS = (
    click.option(
        "--gpu",
        "gpus",
        multiple=True,
        callback=_gpus,
        metavar="NAME",
        help="Plan on this GPU: L4, A100-80GB, h100, or a value of the node label "
        "nvidia.com/gpu.product. May be repeated.",
    ),
    click.option(
        "--gpu-count",
        type=click.IntRange(1, MOST_GPUS),
        metavar="N",
        help="GPUs in a node. Default: --tensor-parallel-size, else 1; with --all-gpus 8.",
    ),
    click.option("--all-gpus", is_flag=True, help="Compare all GPUs that are known."),
    click.option(
        "--device",
        type=click.Choice(["gpu", "cpu"], case_sensitive=False),
        help="Serve on GPUs or on CPU. Default: as the manifest says, else gpu.",
    ),
    click.option(
        "--memory",
        "memory_bytes",
        callback=_memory,
        metavar="QUANTITY",
        help="Main memory of a replica, such as 16Gi; what limits a plan on CPU.",
    ),
    click.option(
        "--engine",
        callback=_engine,
        metavar="VERSION",
        help="Version of vLLM. Default: the operator's, 0.33.0 on GPUs and 0.32.0 on CPU.",
    ),
    click.option(
        "-tp",
        "--tensor-parallel-size",
        type=click.IntRange(min=1),
        metavar="N",
        help="GPUs of a replica. Default: the smallest legal number that is enough.",
    ),
    click.option(
        "--gpu-memory-utilization",
        type=float,
        metavar="SHARE",
        help="Share of each GPU that vLLM may use. Default: vLLM's own, 0.92.",
    ),
    click.option(
        "--max-model-len",
        type=ModelLength(),
        help="Tokens of one request: 8192, 8k (8000), 8K (8192), or auto. Default: auto, the "
        "longest that fits.",
    ),
    click.option(
        "--max-num-batched-tokens",
        type=TokenCount(),
        help="Most tokens in one step. Default: vLLM's own for the GPU.",
    ),
    click.option(
        "--max-num-seqs",
        type=click.IntRange(min=1),
        metavar="N",
        help="Most requests at the same time. Default: vLLM's own for the GPU.",
    ),
    click.option("--kv-cache-dtype", metavar="DTYPE", help="auto, float16, bfloat16, fp8, ..."),
    click.option(
        "--dtype",
        type=click.Choice(["auto", "half", "float16", "bfloat16", "float", "float32"]),
        help="Data type of activations. Default: the checkpoint's own.",
    ),
    click.option("--enforce-eager", is_flag=True, help="No CUDA graphs."),
    click.option("--name", metavar="NAME", help="Which QuantizedModel of the file."),
    click.option(
        "--checkpoint",
        metavar="DIRECTORY|hf://...",
        help="Read config and headers from here instead of the manifest's own source.",
    ),
    click.option("--context", metavar="NAME", help="Plan on the nodes of this kubeconfig context."),
    click.option("--kubeconfig", metavar="FILE", help="Default: as kubectl finds it."),
    click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "json", "yaml"]),
        default="table",
        show_default=True,
    ),
)
