"""Pure: what one device of a plan holds, in parts that add up to its memory."""

from dataclasses import dataclass

from quantized_model_operator.cli.plan_answer import Answer
from quantized_model_operator.domain.cpu_plan import CPU_PROCESS_BYTES
from quantized_model_operator.domain.gpu_memory import MemoryEstimate
from quantized_model_operator.domain.serving_plan import ServingPlan


@dataclass(frozen=True, slots=True)
class MemoryPart:
    """One part of a memory."""

    key: str
    """Its name in JSON."""
    label: str
    size_bytes: int


def memory_parts(answer: Answer) -> tuple[MemoryPart, ...]:
    """The parts of one GPU, on CPU those of the pod's main memory; none without a plan."""
    plan = answer.plan
    if plan is None:
        return ()
    if plan.device == "CPU":
        total, known = plan.memory_request_bytes, _of_a_pod(plan)
    elif answer.fit is not None:
        total, known = plan.gpu_memory_bytes, _of_a_gpu(answer.fit.memory)
    else:
        return ()
    free_bytes = total - sum(part.size_bytes for part in known)
    return (*known, MemoryPart("unusedBytes", "left free", max(0, free_bytes)))


def _of_a_gpu(memory: MemoryEstimate) -> tuple[MemoryPart, ...]:
    further_bytes = memory.expected_kv_bytes - memory.conservative_kv_bytes
    return (
        MemoryPart("weightsBytes", "weights", memory.weights_bytes),
        MemoryPart("processBytes", "vLLM and CUDA", memory.process_bytes),
        MemoryPart("activationBytes", "activations at their peak", memory.activation_bytes),
        MemoryPart("graphBytes", "CUDA graphs", memory.graph_bytes),
        MemoryPart("kvCacheBytes", "KV cache, sure", memory.conservative_kv_bytes),
        MemoryPart("furtherKvCacheBytes", "KV cache, expected beyond it", further_bytes),
    )


def _of_a_pod(plan: ServingPlan) -> tuple[MemoryPart, ...]:
    return (
        MemoryPart("weightsBytes", "weights", plan.weights_bytes_per_gpu),
        MemoryPart("processBytes", "vLLM itself", CPU_PROCESS_BYTES),
        MemoryPart("kvCacheBytes", "KV cache", plan.kv_cache_bytes_per_gpu),
    )
