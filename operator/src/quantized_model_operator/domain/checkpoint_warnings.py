"""Pure: what a user should know of a checkpoint that can be served all the same."""

from collections.abc import Iterator, Mapping

from quantized_model_operator.domain import checkpoint_files
from quantized_model_operator.domain.checkpoint_checks import Subject
from quantized_model_operator.domain.tensor_classes import tensor_bytes


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
    if seen.config.needs_remote_code:
        yield (
            "config.json names model code of the repository (auto_map): vLLM runs it only with "
            "--trust-remote-code in spec.engine.args"
        )
    index = documents.get(checkpoint_files.INDEX)
    stated = checkpoint_files.index_total_bytes(index) if index is not None else None
    actual = sum(
        tensor_bytes(tensor) for module in seen.modules.values() for tensor in module.values()
    )
    if stated is not None and stated != actual:
        yield (
            f"{checkpoint_files.INDEX} says total_size: {stated}, but the tensors have {actual} "
            "bytes; every tensor that it names is there"
        )
