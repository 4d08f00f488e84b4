"""Compares the kernels that the operator plans with those that vLLM's own code chooses.

kernel_comparison.py SOURCE [COUNT]      SOURCE as for flag_tables.py, and the same packages

vLLM's selection runs on random shapes for a GPU that is made up; torch and all kernels are stubs.
Exit code 1 when one choice differs. Linears whose groups are not whole are left out: the operator
refuses them, while vLLM chooses a kernel that fails later or answers wrongly.
"""

from __future__ import annotations

import importlib
import inspect
import os
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
CAPABILITIES = ((7, 5), (8, 0), (8, 6), (8, 9), (9, 0), (10, 0), (12, 0))
BFLOAT16_SINCE = (8, 0)
ACT_ORDER_ENDS = 30
UNRELATED = (
    "vllm.model_executor.layers.attention",
    "vllm.model_executor.layers.fused_moe",
    "vllm.model_executor.layers.mamba",
    "vllm.model_executor.model_loader",
    "vllm.model_executor.models",
)


@dataclass(frozen=True)
class Question:
    """One linear on one rank, and the GPU."""

    capability: tuple[int, int]
    dtype: str
    bits: int
    group_size: int
    in_features: int
    out_features: int
    row_parallel: bool
    ranks: int
    act_order: bool


def question(chance: random.Random, minor: int) -> Question:
    """A linear with whole groups on a GPU that has the type."""
    capability = chance.choice(CAPABILITIES)
    dtypes = ["float16", "bfloat16"] if capability >= BFLOAT16_SINCE else ["float16"]
    group_size = chance.choice((-1, 32, 64, 128))
    return Question(
        capability=capability,
        dtype=chance.choice(dtypes),
        bits=chance.choice((4, 8)),
        group_size=group_size,
        in_features=chance.randint(1, 60) * max(group_size, 32),
        out_features=chance.randint(1, 40) * chance.choice((16, 32, 64, 128)),
        row_parallel=chance.random() < 0.5,
        ranks=chance.choice((1, 2, 4)),
        act_order=group_size > 0 and minor < ACT_ORDER_ENDS and chance.random() < 0.25,
    )


def selection(source: Path) -> Any:  # noqa: ANN401 - modules of vLLM
    """VLLM's module of linear kernels, with everything that it does not need as stubs."""
    tables = importlib.import_module("tools.flag_tables")
    stubs = importlib.import_module("tools.stub_modules")
    disabled = importlib.import_module("quantized_model_operator.domain.kernels").KERNELS_TO_DISABLE
    os.environ["VLLM_DISABLED_KERNELS"] = ",".join(disabled)
    tables.parser_of(source)
    stubs.StubModule.__file__ = "stub"
    sys.meta_path.insert(
        0, stubs.StubFinder(tables.REAL, (*tables.STUBBED, *UNRELATED), stubs.StubModule.fixed)
    )
    for name in [name for name in sys.modules if name.startswith(UNRELATED)]:
        del sys.modules[name]
    return importlib.import_module("vllm.model_executor.kernels.linear")


def on_gpu(capability: tuple[int, int]) -> None:
    """Makes vLLM believe in a GPU of this compute capability, with all packages installed."""
    interface = importlib.import_module("vllm.platforms.interface")
    number = capability[0] * 10 + capability[1]

    def as_number(asked: tuple[int, int] | int) -> int:
        return asked if isinstance(asked, int) else asked[0] * 10 + asked[1]

    members = {
        "_enum": interface.PlatformEnum.CUDA,
        "device_type": "cuda",
        "get_device_capability": lambda *_: interface.DeviceCapability(*capability),
        "has_device_capability": lambda _, asked, *__: number >= as_number(asked),
        "is_device_capability": lambda _, asked, *__: number == as_number(asked),
    }
    platform = type("Made", (interface.Platform,), members)()
    for name, module in list(sys.modules.items()):
        if name.startswith("vllm"):
            known = vars(module)
            known.update({"current_platform": platform} if "current_platform" in known else {})
            known.update({"has_humming": lambda: True} if "has_humming" in known else {})


def vllm_answer(linear: Any, asked: Question) -> str | None:  # noqa: ANN401 - as above
    """The kernel that vLLM takes, or ``None`` when it finds none."""
    torch, scalars = importlib.import_module("torch"), importlib.import_module("vllm.scalar_type")
    types = scalars.scalar_types
    dtype = getattr(torch, asked.dtype)
    type.__setattr__(dtype, "itemsize", 2)
    shape = (asked.in_features, asked.out_features)
    whole = (
        (shape[0] * asked.ranks, shape[1])
        if asked.row_parallel
        else (shape[0], shape[1] * asked.ranks)
    )
    values = {
        "full_weight_shape": whole,
        "partition_weight_shape": shape,
        "weight_type": types.uint4b8 if asked.bits == 4 else types.uint8b128,
        "act_type": dtype,
        "group_size": asked.group_size,
        "zero_points": False,
        "has_g_idx": asked.act_order,
    }
    config = linear.MPLinearLayerConfig
    known = inspect.signature(config).parameters
    try:
        chosen = linear.choose_mp_linear_kernel(
            config(**{name: value for name, value in values.items() if name in known})
        )
    except ValueError:
        return None
    return str(chosen.__name__).removesuffix("LinearKernel")


def our_answer(asked: Question, version: str) -> str | None:
    """The kernel that the operator plans."""
    kernels = importlib.import_module("quantized_model_operator.domain.kernels")
    layers = importlib.import_module("quantized_model_operator.domain.linear_layers")
    versions = importlib.import_module("quantized_model_operator.domain.engine_version")
    layer = layers.LinearLayer(
        name="linear",
        in_features=asked.in_features,
        out_features=asked.out_features,
        row_parallel=asked.row_parallel,
        bits=asked.bits,
        group_size=asked.group_size,
    )
    setup = kernels.KernelSetup(
        dtype=asked.dtype,
        compute_capability=asked.capability,
        engine_version=versions.parse_engine_version(version),
        act_order=asked.act_order,
        tensor_parallel_size=asked.ranks,
    )
    name: str | None = kernels.select_kernel(layer, setup)
    return name


def main(source: Path, count: int) -> int:
    """The exit code; prints what differs."""
    version = source.resolve().name.removeprefix("vllm-")
    linear = selection(source)
    linear._get_linear_backend = lambda *_, **__: "auto"  # noqa: SLF001 - no engine is configured
    chance = random.Random(0)  # noqa: S311 - a repeatable sample
    differing = 0
    for _ in range(count):
        asked = question(chance, int(version.split(".")[1]))
        on_gpu(asked.capability)
        theirs, ours = vllm_answer(linear, asked), our_answer(asked, version)
        if theirs != ours:
            differing += 1
            print(f"vLLM takes {theirs}, the operator plans {ours}: {asked}")
    print(f"vLLM {version}: {count} linears, {differing} with another kernel than planned")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.path[:0] = [str(REPOSITORY / "tests"), str(REPOSITORY / "operator" / "src")]
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 2000))
