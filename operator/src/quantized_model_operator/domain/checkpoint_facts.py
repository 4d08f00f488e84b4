"""Pure: the facts of a checkpoint that passed all checks."""

from dataclasses import replace

from quantized_model_operator.domain import checkpoint_files
from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.checkpoint_evidence import Evidence, checkpoint_digest
from quantized_model_operator.domain.checkpoint_subject import Subject
from quantized_model_operator.domain.checkpoint_warnings import warnings_of
from quantized_model_operator.domain.decoder_linears import decoder_linears
from quantized_model_operator.domain.expert_layers import mixture_of
from quantized_model_operator.domain.linear_layers import all_linears
from quantized_model_operator.domain.tensor_classes import bytes_by_class
from quantized_model_operator.domain.tensor_layout import is_quantized, parameters


def facts_of(evidence: Evidence, seen: Subject) -> CheckpointFacts:
    """All facts, the warnings among them."""
    facts = _with_linears(_numbers(evidence, seen), seen)
    return replace(facts, warnings=(*evidence.warnings, *warnings_of(evidence, seen.config, facts)))


def _numbers(evidence: Evidence, seen: Subject) -> CheckpointFacts:
    config, settings = seen.config, seen.settings
    tokenizer_config = evidence.documents.get(checkpoint_files.TOKENIZER_CONFIG)
    return CheckpointFacts(
        uri=evidence.uri,
        commit=evidence.commit,
        digest=checkpoint_digest(evidence.sizes, evidence.digests),
        integrity=evidence.integrity,
        architecture=config.architecture,
        model_type=config.model_type,
        dtype=config.dtype,
        bits=settings.bits,
        group_size=settings.group_size,
        symmetric=settings.symmetric,
        desc_act=settings.desc_act,
        quantized_lm_head=any(
            is_quantized(module)
            for name, module in seen.modules.items()
            if name.rpartition(".")[2] == "lm_head"
        ),
        weights_bytes=sum(evidence.sizes[name] for name in evidence.first_bytes),
        files=len(evidence.first_bytes),
        parameters=parameters(seen.modules),
        layers=config.layers,
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate_size,
        heads=config.heads,
        kv_heads=config.kv_heads,
        head_size=config.head_size,
        vocabulary=config.vocabulary,
        max_model_length=config.max_model_length,
        tied_embeddings=config.tied_embeddings,
        has_tokenizer=True,
        has_chat_template=checkpoint_files.has_chat_template(evidence.sizes, tokenizer_config),
        sliding_window=config.sliding_window,
        full_attention_layers=config.full_attention_layers,
        quantization_argument=settings.in_legacy_file,
        mixture=mixture_of(config, seen.layers),
        tensor_bytes=bytes_by_class(seen.modules, seen.stack),
    )


def _with_linears(facts: CheckpointFacts, seen: Subject) -> CheckpointFacts:
    """The facts with the linears that the tensors show, unless the numbers make the same."""
    shown = replace(facts, linears=decoder_linears(seen.layers, seen.settings, facts.hidden_size))
    alike = set(all_linears(shown)) == set(all_linears(facts))
    return facts if alike else shown
