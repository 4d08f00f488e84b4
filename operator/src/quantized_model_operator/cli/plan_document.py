"""Pure: answers as JSON or YAML, with the field names of ``status.plan`` and ``status.model``."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from quantized_model_operator.cli.checkpoint_source import ReadCheckpoint
from quantized_model_operator.cli.plan_answer import Answer, Comparison
from quantized_model_operator.cli.plan_hardware import Hardware, gpu_pools
from quantized_model_operator.cli.plan_memory import memory_parts
from quantized_model_operator.domain.batch_limits import BatchLimits
from quantized_model_operator.domain.outcome import Problem
from quantized_model_operator.domain.tensor_parallel import TensorParallelVerdict
from quantized_model_operator.report.details import checkpoint_details, plan_details

Document = dict[str, Any]


def answer_document(
    answer: Answer, read: ReadCheckpoint | None, hardware: Hardware | None
) -> Document:
    """The answer for one set of nodes."""
    return {
        **_verdict(answer),
        **({"hardware": _hardware(hardware)} if hardware else {}),
        **_checkpoint(read, answer.sizes),
    }


def comparison_document(compared: Comparison, read: ReadCheckpoint) -> Document:
    """The answers for all known GPUs."""
    rows = [
        {
            "gpu": row.gpu.name,
            "gpuMemoryBytes": row.gpu.accelerator.memory_bytes,
            **_verdict(row.answer),
        }
        for row in compared.rows
    ]
    return {
        "fits": compared.fits,
        "gpusPerNode": compared.gpus_per_node,
        "gpus": rows,
        **_checkpoint(read, compared.sizes),
    }


def refusals(problems: Iterable[Problem]) -> list[Document]:
    """Why there is no plan, with the rule of vLLM; a suggestion is a merge patch for ``spec``."""
    return [
        {
            "reason": problem.reason,
            "field": problem.field,
            "message": problem.message,
            **({"rule": problem.rule} if problem.rule else {}),
            **({"suggestion": dict(problem.suggestion)} if problem.suggestion else {}),
        }
        for problem in problems
    ]


def _verdict(answer: Answer) -> Document:
    plan: Mapping[str, Any] = plan_details(answer.plan) if answer.plan else {}
    return {
        "fits": answer.fits,
        **plan,
        **_batch(answer.batch),
        "alternatives": plan.get("alternatives", []),
        "warnings": list(answer.warnings),
        "refusals": refusals(answer.problems),
        **_memory(answer),
    }


def _batch(batch: BatchLimits | None) -> Document:
    if batch is None:
        return {}
    return {"maxNumSeqs": batch.max_num_seqs, "maxNumBatchedTokens": batch.max_num_batched_tokens}


def _memory(answer: Answer) -> Document:
    parts = memory_parts(answer) if answer.fit else ()
    return {"memoryPerGpu": {part.key: part.size_bytes for part in parts}} if parts else {}


def _hardware(hardware: Hardware) -> Document:
    gpus = [
        {
            "product": pool.product,
            "nodes": len(pool.gpus_by_node),
            "gpusPerNode": max(pool.gpus_by_node),
            **({} if pool.free_by_node is None else {"freeGpus": sum(pool.free_by_node)}),
        }
        for pool in gpu_pools(hardware)
    ]
    return {"origin": hardware.origin, "gpus": gpus}


def _checkpoint(read: ReadCheckpoint | None, sizes: Sequence[TensorParallelVerdict]) -> Document:
    if read is None:
        return {}
    facts = read.report.facts
    source: Document = {"uri": read.uri, "filesRead": read.files, "bytesRead": read.bytes_read}
    if facts is None:
        return {"source": source}
    details = {
        key: value for key, value in (checkpoint_details(facts) or {}).items() if value != ""
    }
    if not read.commit:  # of a folder only config and headers were read, and nothing is proved
        details = {k: v for k, v in details.items() if k not in {"digest", "integrity"}}
    return {
        "tensorParallelSizes": [_size(item) for item in sizes],
        "model": details,
        "source": source,
    }


def _size(verdict: TensorParallelVerdict) -> Document:
    message = {} if verdict.legal else {"message": verdict.message}
    return {"size": verdict.size, "legal": verdict.legal, **message}
