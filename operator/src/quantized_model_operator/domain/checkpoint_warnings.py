"""Pure: what a user should know of a checkpoint that can be served all the same."""

import json
from collections.abc import Iterator

from quantized_model_operator.domain import checkpoint_files
from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.checkpoint_config import ModelConfig
from quantized_model_operator.domain.checkpoint_evidence import Evidence
from quantized_model_operator.domain.decoder_linears import MOST_LINEARS

_SAMPLING = ("temperature", "top_p", "top_k", "min_p")


def warnings_of(evidence: Evidence, config: ModelConfig, facts: CheckpointFacts) -> Iterator[str]:
    """One sentence for each remark; ``facts`` are complete but for these."""
    if not facts.has_chat_template:
        yield (
            "the checkpoint has no chat template: chat requests are refused, completions work; "
            "add chat_template.jinja from the original model"
        )
    if checkpoint_files.TOKENIZER_CONFIG not in evidence.sizes:
        yield "tokenizer_config.json is missing: special tokens may be wrong"
    yield from _about_architecture(config)
    if len(facts.linears) == MOST_LINEARS:
        yield (
            f"the model has many kinds of linears: the {MOST_LINEARS} heaviest of them are planned"
        )
    yield from _about_sampling(evidence.documents.get(checkpoint_files.GENERATION_CONFIG))
    yield from _about_total(evidence.documents.get(checkpoint_files.INDEX), facts)


def _about_architecture(config: ModelConfig) -> Iterator[str]:
    if not config.known_architecture:
        yield (
            f"the operator does not know the architecture {config.architecture}: it is planned "
            "from the shapes of its tensors, and vLLM alone tells whether it serves it"
        )
    if config.needs_remote_code:
        yield (
            "config.json names model code of the repository (auto_map): vLLM runs it only with "
            "--trust-remote-code in spec.engine.args"
        )
    if config.has_latent_attention:
        yield (
            "keys and values of this model are kept compressed: it needs less KV cache than is "
            "planned"
        )
    if config.has_linear_attention:
        yield (
            "some layers of this model keep a state instead of keys and values: it is planned as "
            "if all kept keys and values"
        )


def _about_sampling(content: bytes | None) -> Iterator[str]:
    """A trace of quantisation: tools that write ``do_sample`` do not know how to sample."""
    try:
        document = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        document = {}
    samples = isinstance(document, dict) and document.get("do_sample") is True
    if samples and not any(key in document for key in _SAMPLING):
        yield (
            "generation_config.json says do_sample: true and not how, as quantising tools leave "
            "it: answers differ from call to call; copy the file from the original model"
        )


def _about_total(index: bytes | None, facts: CheckpointFacts) -> Iterator[str]:
    stated = checkpoint_files.index_total_bytes(index) if index is not None else None
    actual = facts.tensor_bytes.total_bytes if facts.tensor_bytes else None
    if stated is not None and stated != actual:
        yield (
            f"{checkpoint_files.INDEX} says total_size: {stated}, but the tensors have {actual} "
            "bytes; every tensor that it names is there"
        )
