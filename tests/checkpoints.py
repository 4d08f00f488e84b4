"""Facts of the checkpoints that tests of all layers speak of."""

from dataclasses import replace
from typing import Any

from quantized_model_operator.domain.checkpoint import CheckpointFacts

TINY = CheckpointFacts(
    uri="hf://holt/otter-gptq",
    commit="a" * 40,
    digest="sha256:1f",
    integrity="Hub",
    architecture="Qwen2ForCausalLM",
    model_type="qwen2",
    dtype="float16",
    bits=4,
    group_size=128,
    symmetric=True,
    desc_act=False,
    quantized_lm_head=False,
    weights_bytes=5_480_000,
    files=1,
    parameters=4_460_800,
    layers=4,
    hidden_size=256,
    intermediate_size=512,
    heads=4,
    kv_heads=2,
    head_size=64,
    vocabulary=4096,
    max_model_length=2048,
    tied_embeddings=False,
    has_tokenizer=True,
    has_chat_template=True,
)
"""The Qwen2 of the demo, in 4 bits."""

SEVEN_BILLION: dict[str, Any] = {
    "parameters": 7_615_616_512,
    "layers": 28,
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "heads": 28,
    "kv_heads": 4,
    "head_size": 128,
    "vocabulary": 152_064,
    "max_model_length": 32_768,
}
"""The shape of Qwen2-7B."""


def seven_billion(**changed: Any) -> CheckpointFacts:  # noqa: ANN401 - of any fact
    """A checkpoint of that shape in 4 bits, under a name of its own."""
    named = replace(
        TINY, uri="hf://zoo/otter-7b-gptq-int4", commit="0" * 40, digest="sha256:" + "1" * 64
    )
    return replace(named, **{**SEVEN_BILLION, "files": 2, **changed})
