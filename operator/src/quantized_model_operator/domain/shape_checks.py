"""Pure: checks that the shapes and types of tensors are those that config.json makes."""

from collections.abc import Iterator, Mapping

from quantized_model_operator.domain.checkpoint import CheckpointProblem
from quantized_model_operator.domain.checkpoint_config import ModelConfig
from quantized_model_operator.domain.checkpoint_subject import Subject
from quantized_model_operator.domain.engine_names import engine_name, is_expert
from quantized_model_operator.domain.family_layers import FAMILIES, UNIFORM_WINDOWS
from quantized_model_operator.domain.readable_text import first_and_count
from quantized_model_operator.domain.rule_lookup import disagreement, unlike_parts
from quantized_model_operator.domain.tensor_layout import (
    OPTIONAL_PART,
    derive,
    is_complete,
    quantized_modules,
)

DTYPES: Mapping[str, tuple[str, ...]] = {
    "qweight": ("I32",),
    "qzeros": ("I32",),
    "scales": ("F16", "BF16"),
    OPTIONAL_PART: ("I32", "I64"),
}


def known_dtypes(seen: Subject) -> Iterator[CheckpointProblem]:
    """Tensors of quantised linears have the types of the GPTQ layout."""
    wrong = {
        f"{name}.{part}": module[part].dtype
        for name, module in quantized_modules(seen.modules)
        for part, legal in DTYPES.items()
        if part in module and module[part].dtype not in legal
    }
    if wrong:
        first = min(wrong)
        part = first.rpartition(".")[2]
        yield CheckpointProblem(
            reason="ShapesDisagree",
            message=f"{first_and_count(wrong)} has type {wrong[first]}, where GPTQ has "
            f"{' or '.join(DTYPES[part])}; export the checkpoint in the format gptq",
        )


def declared_shapes(seen: Subject) -> Iterator[CheckpointProblem]:
    """Bits and group size made by the shapes are those that config.json declares."""
    grouped: dict[str, list[str]] = {}
    unlike = unlike_parts(seen)  # told by fused_linears: the rules are not to blame
    for name, module in quantized_modules(seen.modules):
        if is_complete(module):
            looked_up = name if name in unlike else engine_name(name)
            text = disagreement(name, looked_up, module, seen.settings)
            if text:
                grouped.setdefault(text, []).append(name)
    for text, names in grouped.items():
        yield CheckpointProblem(
            reason="ShapesDisagree", message=text.replace("{name}", first_and_count(names))
        )


def config_shapes(seen: Subject) -> Iterator[CheckpointProblem]:
    """Linears and embedding of known families have the sizes that config.json makes."""
    if seen.config.model_type not in FAMILIES:
        return
    grouped: dict[str, list[str]] = {}
    for name, actual, wanted in sorted(_sizes(seen)):
        if actual != wanted:
            text = (
                f"is {actual[0]} x {actual[1]}, but config.json makes it {wanted[0]} x {wanted[1]}"
            )
            grouped.setdefault(text, []).append(name)
    for text, names in grouped.items():
        yield CheckpointProblem(
            reason="ShapesDisagree",
            message=f"{first_and_count(names)} {text}; config.json or the weights belong to "
            "another model: restore the right pair",
        )


def served_windows(seen: Subject) -> Iterator[CheckpointProblem]:
    """A family whose attention is windowed in all layers or none does not mix them."""
    config = seen.config
    if config.full_attention_layers and config.model_type in UNIFORM_WINDOWS:
        yield CheckpointProblem(
            reason="ConfigInvalid",
            message=f"config.json gives {config.layers - config.full_attention_layers} of "
            f"{config.layers} layers an attention window, which vLLM does not serve in models of "
            f"type {config.model_type}; set use_sliding_window to false",
        )


def declared_experts(seen: Subject) -> Iterator[CheckpointProblem]:
    """Layers have experts exactly where config.json says so."""
    dense = seen.config.dense_layers
    if dense is None:
        return
    wrong = [
        f"{layer.stack}.{number}"
        for number, layer in seen.layers.items()
        if any(map(is_expert, layer.modules)) is (number in dense)
    ]
    if wrong:
        yield CheckpointProblem(
            reason="ShapesDisagree",
            message=f"{first_and_count(wrong)} has experts where config.json declares none, or "
            "none where it declares some (decoder_sparse_step, mlp_only_layers); restore the right "
            "config.json",
        )


def _sizes(seen: Subject) -> Iterator[tuple[str, tuple[int, ...], tuple[int, int]]]:
    """Name, actual and expected size of everything whose size follows from the config."""
    name = seen.beside("embed_tokens")
    embedding = seen.modules.get(name, {}).get("weight")
    if embedding is not None:
        expected = (seen.config.vocabulary, seen.config.hidden_size)
        yield f"{name}.weight", (*embedding.shape, 0, 0)[:2], expected
    linears = _expected_sizes(seen.config)
    for number, layer in seen.layers.items():
        for inner, module in layer.modules.items():
            wanted = linears.get(_kind_of(inner))
            derived = derive(module) if wanted and is_complete(module) else None
            if derived and wanted:
                full = f"{layer.stack}.{number}.{inner}"
                yield full, (derived.inputs, derived.outputs), wanted


def _kind_of(name: str) -> str:
    """The last two parts of the name, for experts without their number."""
    parts = name.split(".")
    return f"experts.{parts[-1]}" if is_expert(name) else ".".join(parts[-2:])


def _expected_sizes(config: ModelConfig) -> Mapping[str, tuple[int, int]]:
    hidden, attention = config.hidden_size, config.heads * config.head_size
    kv = config.kv_heads * config.head_size
    expert, shared = config.expert_intermediate_size, config.shared_intermediate_size
    sizes = {
        "self_attn.q_proj": (hidden, attention),
        "self_attn.k_proj": (hidden, kv),
        "self_attn.v_proj": (hidden, kv),
        "self_attn.qkv_proj": (hidden, attention + 2 * kv),
        "self_attn.o_proj": (attention, hidden),
        **_feed_forward("mlp", hidden, config.intermediate_size),
        **_feed_forward("experts", hidden, expert),
        "experts.w1": (hidden, expert),
        "experts.w3": (hidden, expert),
        "experts.w2": (expert, hidden),
        **_feed_forward("shared_expert", hidden, shared),
    }
    return {name: size for name, size in sizes.items() if 0 not in size}


def _feed_forward(parent: str, hidden: int, inner: int) -> dict[str, tuple[int, int]]:
    return {
        f"{parent}.gate_proj": (hidden, inner),
        f"{parent}.up_proj": (hidden, inner),
        f"{parent}.gate_up_proj": (hidden, 2 * inner),
        f"{parent}.down_proj": (inner, hidden),
    }
