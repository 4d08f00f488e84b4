"""Pure: what one device of a plan holds, in parts that add up to its memory."""

from dataclasses import dataclass

from quantized_model_operator.cli.plan_answer import Answer


@dataclass(frozen=True, slots=True)
class MemoryPart:
    """One part of the memory of a GPU."""

    key: str
    """Its name in JSON."""
    label: str
    size_bytes: int


def memory_parts(answer: Answer) -> tuple[MemoryPart, ...]:
    """The parts of one GPU in the order of the memory model; none on CPU and without a plan."""
    if answer.plan is None or answer.fit is None:
        return ()
    total = answer.plan.gpu_memory_bytes
    memory = answer.fit.memory
    known = (
        MemoryPart("weightsBytes", "weights", memory.weights_bytes),
        MemoryPart("processBytes", "vLLM and CUDA", memory.process_bytes),
        MemoryPart("activationBytes", "activations at their peak", memory.activation_bytes),
        MemoryPart("graphBytes", "CUDA graphs", memory.graph_bytes),
        MemoryPart("kvCacheBytes", "KV cache, sure", memory.conservative_kv_bytes),
        MemoryPart(
            "furtherKvCacheBytes",
            "KV cache, expected beyond it",
            memory.expected_kv_bytes - memory.conservative_kv_bytes,
        ),
    )
    free_bytes = total - sum(part.size_bytes for part in known)
    return (*known, MemoryPart("unusedBytes", "left free", max(0, free_bytes)))
