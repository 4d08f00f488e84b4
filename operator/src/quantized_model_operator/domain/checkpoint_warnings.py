"""Pure: what a user should know of a checkpoint that can be served all the same."""

import json
from collections.abc import Iterator, Mapping

from quantized_model_operator.domain import checkpoint_files
from quantized_model_operator.domain.checkpoint_subject import Subject
from quantized_model_operator.domain.decoder_linears import MOST_LINEARS, decoder_linears
from quantized_model_operator.domain.tensor_classes import bytes_by_class

_SAMPLING = ("temperature", "top_p", "top_k", "min_p")


def warnings_of(
    sizes: Mapping[str, int],
    documents: Mapping[str, bytes],
    seen: Subject,
    *,
    has_template: bool,
) -> Iterator[str]:
    """One sentence for each remark."""
    if not has_template:
        yield (
            "the checkpoint has no chat template: chat requests are refused, completions work; "
            "add chat_template.jinja from the original model"
        )
    if checkpoint_files.TOKENIZER_CONFIG not in sizes:
        yield "tokenizer_config.json is missing: special tokens may be wrong"
    yield from _about_architecture(seen)
    yield from _about_sampling(documents.get(checkpoint_files.GENERATION_CONFIG))
    yield from _about_total(documents.get(checkpoint_files.INDEX), seen)


def _about_architecture(seen: Subject) -> Iterator[str]:
    config = seen.config
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
    if len(decoder_linears(seen.layers, seen.settings, config.hidden_size)) == MOST_LINEARS:
        yield (
            f"the model has many kinds of linears: the {MOST_LINEARS} heaviest of them are planned"
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


def _about_total(index: bytes | None, seen: Subject) -> Iterator[str]:
    stated = checkpoint_files.index_total_bytes(index) if index is not None else None
    actual = bytes_by_class(seen.modules, seen.stack).total_bytes
    if stated is not None and stated != actual:
        yield (
            f"{checkpoint_files.INDEX} says total_size: {stated}, but the tensors have {actual} "
            "bytes; every tensor that it names is there"
        )
