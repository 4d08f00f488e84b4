"""What the planner would refuse of a model whatever its checkpoint is like."""

from quantized_model_operator.domain.accelerators import known_accelerator
from quantized_model_operator.domain.batch_limits import BatchLimits, batch_problem
from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.engine_version import parse_engine_version
from quantized_model_operator.domain.gpu_candidates import candidates
from quantized_model_operator.domain.gpu_fit import candidate_dtype
from quantized_model_operator.domain.model import ResolvedModel
from quantized_model_operator.domain.outcome import Problem
from quantized_model_operator.domain.plan_values import ServingRequest

_EASIEST = CheckpointFacts(
    uri="",
    commit="",
    digest="",
    integrity="",
    architecture="",
    model_type="",
    dtype="bfloat16",
    bits=4,
    group_size=128,
    symmetric=True,
    desc_act=False,
    quantized_lm_head=False,
    weights_bytes=0,
    files=1,
    parameters=0,
    layers=1,
    hidden_size=128,
    intermediate_size=128,
    heads=1,
    kv_heads=1,
    head_size=128,
    vocabulary=1,
    max_model_length=0,
    tied_embeddings=False,
    has_tokenizer=True,
    has_chat_template=True,
)
"""The checkpoint that is refused the least: what is refused with it is refused with any."""


def problems_of_any_checkpoint(model: ResolvedModel) -> tuple[Problem, ...]:
    """Batch limits that contradict each other, and GPUs none of which goes with the request."""
    request = model.request
    if request.max_num_seqs and request.max_num_batched_tokens:
        limits = BatchLimits(
            max_num_batched_tokens=request.max_num_batched_tokens,
            max_num_seqs=request.max_num_seqs,
        )
        if problem := batch_problem(limits):
            return (problem,)
    return _hardware_problems(request) if request.device == "GPU" else ()


def _hardware_problems(request: ServingRequest) -> tuple[Problem, ...]:
    """Why no named GPU will do; nothing where a name is unknown or none is given."""
    found = candidates(request, ())
    if isinstance(found, Problem):
        by_resource = found.field == "spec.hardware.resourceName"
        return (found,) if by_resource else ()
    if not all(known_accelerator(product) for product in request.products):
        return ()
    version = parse_engine_version(request.engine_version)
    answers = [candidate_dtype(_EASIEST, request, version, item) for item in found]
    problems = [answer for answer in answers if isinstance(answer, Problem)]
    return tuple(dict.fromkeys(problems)) if len(problems) == len(answers) else ()
