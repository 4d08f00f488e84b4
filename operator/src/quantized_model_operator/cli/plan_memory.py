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
    budget = int(total * answer.plan.gpu_memory_utilization)
    used = memory.weights_bytes + memory.expected_kv_bytes
    return (
        MemoryPart("weightsBytes", "weights", memory.weights_bytes),
        MemoryPart("otherBytes", "vLLM itself", max(0, budget - used)),
        MemoryPart("kvCacheBytes", "KV cache, sure", memory.conservative_kv_bytes),
        MemoryPart(
            "expectedFurtherKvCacheBytes",
            "KV cache, expected beyond it",
            memory.expected_kv_bytes - memory.conservative_kv_bytes,
        ),
        MemoryPart("unusedBytes", "left free", total - budget),
    )
