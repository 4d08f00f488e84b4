"""Pure: the names under which vLLM holds the linears of a checkpoint.

``dynamic`` rules of a checkpoint are looked up by these names, not by those in its files:

    ...self_attn.q_proj             ->  ...self_attn.qkv_proj
    ...mlp.experts.7.down_proj      ->  ...mlp.experts
    ...mlp.down_proj                ->  ...mlp.down_proj

Source: vLLM 0.33.0, quantization/utils/gptq_utils.py and ``packed_modules_mapping`` of its
models, checked 2026-11.
"""

FUSED: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("qkv_proj", ("q_proj", "k_proj", "v_proj")),
    ("gate_up_proj", ("gate_proj", "up_proj")),
    ("gate_up_proj", ("w1", "w3")),
)
"""Linears that vLLM loads as one, so that they must agree."""

FUSED_NAME = {part: whole for whole, parts in FUSED for part in parts}

_EXPERTS = ".experts."


def is_expert(name: str) -> bool:
    """Whether a module is (part of) a routed expert."""
    return _EXPERTS in f".{name}."


def engine_name(name: str) -> str:
    """The name of the module of vLLM that a linear becomes a part of."""
    parent, _, last = name.rpartition(".")
    if is_expert(name):
        before, _, _ = f".{name}.".partition(_EXPERTS)
        return f"{before}.experts".lstrip(".")
    return f"{parent}.{FUSED_NAME.get(last, last)}".lstrip(".")
