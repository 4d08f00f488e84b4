"""Pure: which matrix kernel vLLM selects for the quantised linears of a plan.

Shapes are per rank: ``K`` in-features, ``N`` out-features, ``g`` group size. vLLM tries its
kernels in a fixed order and takes the first that accepts. A plan looks at those it may end on;
the others are disabled in the pod's environment, so that a wrong plan fails instead of answering
wrongly.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.engine_version import OLDEST_KNOWN_VERSION, EngineVersion
from quantized_model_operator.domain.expert_kernels import expert_kernel
from quantized_model_operator.domain.linear_layers import LinearLayer, rank_layers
from quantized_model_operator.domain.quantization import ComputeCapability

CPU_KERNEL = "CPUWNA16"
"""Source: log of vLLM 0.32.0 on CPU, our measurement, 2026-11."""

HOPPER: ComputeCapability = (9, 0)

KERNELS_TO_DISABLE = ("ExllamaLinearKernel", "ConchLinearKernel", "TritonW4A16LinearKernel")
"""Kernels no plan ends on: a value for ``VLLM_DISABLED_KERNELS`` that turns a wrong plan into a
loud failure instead of wrong answers. Exllama answers garbage for some checkpoints in float16.
Source: vLLM 0.20.2 to 0.33.0 kernels/linear, 2026-11; vLLM issues 9618, 10656 and 14126."""

MARLIN_PADS_SINCE = EngineVersion(0, 24)
"""From when on Marlin takes shapes that do not fill its tiles. Source: as its row below."""

HUMMING_TO_DISABLE = "HummingLinearKernel"
"""Disabled too where it is not what a plan mainly runs on: Marlin takes what Machete does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelRow:
    """When one CUDA kernel accepts a linear; ``None`` means no rule."""

    name: str
    bits: tuple[int, ...] = (4, 8)
    minimum_compute_capability: ComputeCapability
    maximum_compute_capability: ComputeCapability | None = None
    minimum_bfloat16_compute_capability: ComputeCapability
    group_sizes: tuple[int, ...] | None
    in_multiple: int = 1
    out_multiple: int = 1
    act_order: bool = False
    """Whether it takes linears in act-order."""
    act_order_parts: bool = False
    """Whether it takes them when ranks share their in-features."""
    since: EngineVersion = OLDEST_KNOWN_VERSION
    until: EngineVersion | None = None
    """The last minor version it was tried in at this place."""
    source: str


KERNELS = (
    KernelRow(
        name="Machete",
        minimum_compute_capability=HOPPER,
        maximum_compute_capability=HOPPER,
        minimum_bfloat16_compute_capability=HOPPER,
        group_sizes=(-1, 64, 128),
        in_multiple=64,
        out_multiple=128,
        act_order=True,
        source="vLLM 0.20.2 to 0.33.0 mixed_precision/machete.py; log on H200 (0.25.1 and "
        "0.33.0), 2026-11",
    ),
    KernelRow(
        name="Humming",
        minimum_compute_capability=HOPPER,
        maximum_compute_capability=HOPPER,
        minimum_bfloat16_compute_capability=HOPPER,
        group_sizes=None,
        since=EngineVersion(0, 32),
        source="vLLM 0.32.0 and 0.33.0 utils/humming/priority.py: directly before Marlin on 9.0; "
        "no shape check; log on H200 with group size 32 (0.33.0), 2026-11",
    ),
    KernelRow(
        name="AllSpark",
        bits=(8,),
        minimum_compute_capability=(8, 0),
        maximum_compute_capability=(8, 9),
        minimum_bfloat16_compute_capability=(8, 0),
        group_sizes=(-1,),
        in_multiple=16,
        out_multiple=16,
        until=EngineVersion(0, 30),
        source="vLLM 0.20.2 to 0.30.0 utils/allspark_utils.py, gone in 0.31.0, 2026-11",
    ),
    KernelRow(
        name="Marlin",
        minimum_compute_capability=(7, 5),
        minimum_bfloat16_compute_capability=(8, 0),
        group_sizes=(-1, 32, 64, 128),
        in_multiple=128,
        out_multiple=64,
        act_order=True,
        act_order_parts=True,
        until=EngineVersion(0, 29),
        source="vLLM 0.20.2 to 0.29.0 utils/marlin_utils.py (min_thread_k and _n), 2026-11",
    ),
    KernelRow(
        name="Marlin",
        minimum_compute_capability=(7, 5),
        minimum_bfloat16_compute_capability=(8, 0),
        group_sizes=(-1, 32, 64, 128),
        since=MARLIN_PADS_SINCE,
        source="vLLM 0.24.0 to 0.33.0 mixed_precision/marlin.py: misaligned tiles are "
        "zero-padded, not in act-order, 2026-11",
    ),
    KernelRow(
        name="Humming",
        minimum_compute_capability=(7, 5),
        minimum_bfloat16_compute_capability=(7, 5),
        group_sizes=None,
        since=EngineVersion(0, 23),
        source="vLLM 0.23.0 to 0.33.0 mixed_precision/humming.py: last of all; no shape check, "
        "2026-11",
    ),
)
"""In vLLM's order of trial; before them only CutlassW4A8, which takes fp8 activations."""


NAMED_BACKENDS = frozenset({"machete", "marlin", "humming", "cutlass"})
"""Values of ``--linear-backend`` that leave one kernel for dense linears; cutlass has none for
them, and all others mean vLLM's own choice. Source: vLLM 0.33.0 kernels/linear
(``_LINEAR_BACKEND_KERNEL_MAP``), 2026-11; up to 0.26 others end with an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelChoice:
    """The kernel of each linear, and the one that does most of the work."""

    main: str
    by_layer: tuple[tuple[str, str], ...]
    """(name of the linear, name of the kernel), in the order of the layer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelSetup:
    """Everything but the linear that decides about its kernel."""

    dtype: str
    compute_capability: ComputeCapability
    engine_version: EngineVersion
    act_order: bool = False
    """Whether rows are in act-order, with groups."""
    tensor_parallel_size: int = 1
    linear_backend: str = ""


@lru_cache(maxsize=256)  # asked for each linear of each size, a third of the time of a plan
def kernel_order(
    compute_capability: ComputeCapability, engine_version: EngineVersion
) -> tuple[KernelRow, ...]:
    """The CUDA kernels of this version that this GPU can run, in vLLM's order of trial."""
    release = engine_version.release
    return tuple(
        row
        for row in KERNELS
        if row.since <= release
        and (row.until is None or release <= row.until)
        and row.minimum_compute_capability <= compute_capability
        and (
            row.maximum_compute_capability is None
            or compute_capability <= row.maximum_compute_capability
        )
    )


def select_kernel(
    layer: LinearLayer, setup: KernelSetup, without: Iterable[str] = ()
) -> str | None:
    """Name of the kernel for one linear of one rank; ``None`` when none may be planned."""
    straddles = layer.group_size != -1 and layer.in_features % layer.group_size != 0
    if straddles:
        return None
    rows = kernel_order(setup.compute_capability, setup.engine_version)
    if setup.linear_backend in NAMED_BACKENDS:
        rows = tuple(row for row in rows if row.name.lower() == setup.linear_backend)
    return next(
        (row.name for row in rows if row.name not in without and _accepts(row, layer, setup)), None
    )


def gpu_kernels(
    facts: CheckpointFacts,
    tensor_parallel_size: int,
    dtype: str,
    compute_capability: ComputeCapability,
    engine_version: EngineVersion,
    *,
    linear_backend: str = "",
) -> KernelChoice | None:
    """The kernels of all linears of one rank; ``None`` when one of them has none.

    A backend that the user names is the only kernel, if it is one for dense linears at all;
    ``argument_rules`` refuses those that are disabled. Humming stays enabled in the pod only where
    it is what the dense linears mainly run on.
    """
    setup = KernelSetup(
        dtype=dtype,
        compute_capability=compute_capability,
        engine_version=engine_version,
        act_order=facts.desc_act and facts.group_size != -1,
        tensor_parallel_size=tensor_parallel_size,
        linear_backend=linear_backend,
    )
    natural = _kernels(facts, setup, without=())
    if natural is not None:
        used = {name for _, name in natural.by_layer}
        if natural.main == "Humming" or "Humming" not in used:
            return natural
    return _kernels(facts, setup, without=("Humming",))


def disabled_kernels(main: str) -> tuple[str, ...]:
    """What ``VLLM_DISABLED_KERNELS`` holds in a pod whose plan names this kernel.

    It has no say over experts, whose kernels vLLM selects apart.
    """
    return KERNELS_TO_DISABLE if main == "Humming" else (*KERNELS_TO_DISABLE, HUMMING_TO_DISABLE)


def kernel_in_pod(main: str, planned: str) -> str:
    """What a GPU runs on in a pod whose plan names another GPU's kernel.

    Its own, unless that is Humming, which such a pod disables: Marlin comes next.
    """
    return "Marlin" if main == "Humming" and planned != "Humming" else main


def _kernels(
    facts: CheckpointFacts, setup: KernelSetup, without: tuple[str, ...]
) -> KernelChoice | None:
    weights: Counter[str] = Counter()
    by_layer: list[tuple[str, str]] = []
    for layer in rank_layers(facts, setup.tensor_parallel_size):
        name = (
            expert_kernel(layer, facts.hidden_size, setup.compute_capability, setup.engine_version)
            if layer.kind == "expert"
            else select_kernel(layer, setup, without)
        )
        if name is None:
            return None
        weights[name] += layer.in_features * layer.out_features * max(1, layer.count)
        by_layer.append((layer.name, name))
    return KernelChoice(main=weights.most_common(1)[0][0], by_layer=tuple(by_layer))


def _accepts(row: KernelRow, layer: LinearLayer, setup: KernelSetup) -> bool:
    if setup.act_order:
        parts = layer.row_parallel and not layer.whole and setup.tensor_parallel_size > 1
        if not (row.act_order_parts if parts else row.act_order):
            return False
    bfloat16 = setup.dtype == "bfloat16"
    return (
        layer.bits in row.bits
        and not (bfloat16 and setup.compute_capability < row.minimum_bfloat16_compute_capability)
        and (row.group_sizes is None or layer.group_size in row.group_sizes)
        and layer.in_features % row.in_multiple == 0
        and layer.out_features % row.out_multiple == 0
    )
