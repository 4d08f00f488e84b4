"""What holds for the planner whatever it is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from golden.plan_questions import Question, answer_of
from quantized_model_operator.api.conditions import REASONS
from quantized_model_operator.domain.batch_limits import default_batch_limits
from quantized_model_operator.domain.plan_values import (
    ServingPlan,
    plan_from_json,
    plan_to_json,
)
from quantized_model_operator.domain.serving_plan import plan_serving
from unit.domain.model_shapes import gpu_node, gpu_request
from unit.domain.planner_values import GIB, checkpoints, questions

if TYPE_CHECKING:
    from quantized_model_operator.domain.checkpoint import CheckpointFacts
    from quantized_model_operator.domain.outcome import Problem

MANY = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
STEPS = 8
MIB_OF_GIB = 1024


def planned(question: Question) -> ServingPlan:
    """The plan; other questions are passed over."""
    answer = answer_of(question)
    assume(isinstance(answer, ServingPlan))
    assert isinstance(answer, ServingPlan)
    return answer


@MANY
@given(questions())
def test_every_question_has_an_answer(question: Question) -> None:
    """There is a plan, or there are refusals with a known reason, a field and a sentence."""
    answer = answer_of(question)
    if isinstance(answer, ServingPlan):
        return
    assert answer
    for problem in answer:
        assert problem.reason in REASONS
        assert problem.field.startswith("spec.")
        assert len(problem.message) > 20


@MANY
@given(questions())
def test_the_same_question_has_the_same_answer(question: Question) -> None:
    """Planning depends on nothing but what it is asked."""
    assert answer_of(question) == answer_of(question)


@MANY
@given(questions())
def test_a_plan_is_sound(question: Question) -> None:
    """A plan keeps to the request and the rules, fits the card, and survives its record."""
    plan = planned(question)
    assert question.report.facts is not None
    assert_keeps_to_the_request(plan, question)
    assert_keeps_the_rules(plan, question.report.facts)
    assert_fits_the_card(plan)
    assert_survives_its_record(plan)


def assert_keeps_to_the_request(plan: ServingPlan, question: Question) -> None:
    """Version, size, length, dtype and product are those that were asked for."""
    engine, hardware = question.spec["engine"], question.spec["hardware"]
    assert plan.engine_version == engine.get("version", plan.engine_version)
    assert plan.tensor_parallel_size == hardware.get("gpusPerReplica", plan.tensor_parallel_size)
    assert plan.max_model_length == engine.get("maxModelLen", plan.max_model_length)
    if engine.get("dtype", "auto") != "auto":
        assert plan.dtype == engine["dtype"]
    assert set(plan.products) <= set(hardware.get("products", plan.products))
    assert plan.device == hardware.get("device", "GPU")


def assert_keeps_the_rules(plan: ServingPlan, facts: CheckpointFacts) -> None:
    """It splits evenly, within the model's limit, with room for one request at least."""
    size = plan.tensor_parallel_size
    assert facts.heads % size == 0
    assert facts.kv_heads % size == 0 or size % facts.kv_heads == 0
    assert plan.max_model_length >= 1
    assert plan.max_model_length <= (facts.max_model_length or plan.max_model_length)
    assert float(plan.max_concurrency) >= 1
    assert 0 < plan.kv_cache_tokens <= plan.expected_kv_cache_tokens
    assert facts.bits in {4, 8}
    assert facts.symmetric


def assert_fits_the_card(plan: ServingPlan) -> None:
    """Weights and KV cache together do not exceed the share of the card that vLLM may use."""
    if plan.device == "GPU":
        used_bytes = plan.weights_bytes_per_gpu + plan.kv_cache_bytes_per_gpu
        assert used_bytes <= plan.gpu_memory_bytes * plan.gpu_memory_utilization
        assert plan.products


def assert_survives_its_record(plan: ServingPlan) -> None:
    """Read back from its annotation it is the same, but for texts that were too long."""
    read = plan_from_json(plan_to_json(plan))
    assert replace(read, warnings=(), alternatives=()) == replace(
        plan, warnings=(), alternatives=()
    )


@MANY
@given(checkpoints(usual=True), st.sampled_from([1, 2, 4, 8, 16]))
def test_no_rank_ends_inside_a_group(facts: CheckpointFacts, size: int) -> None:
    """No plan has rows of a row-parallel linear that are no whole groups, vLLM's late failure."""
    node = gpu_node("large", "NVIDIA-B200", 16)
    plan = plan_serving(facts, gpu_request(gpus_per_replica=size), (node,))
    if isinstance(plan, ServingPlan) and facts.group_size > 0:
        for inputs in (facts.heads * facts.head_size, facts.intermediate_size):
            assert inputs % size == 0
            assert (inputs // size) % facts.group_size == 0


@MANY
@given(questions())
def test_a_plan_can_be_asked_for(question: Question) -> None:
    """What a plan decided, written into the spec, is planned again just so."""
    plan = planned(question)
    settled: dict[str, Any] = {
        "engine": {"maxModelLen": plan.max_model_length, "dtype": plan.dtype},
    }
    if plan.device == "GPU":
        settled["hardware"] = {"gpusPerReplica": plan.tensor_parallel_size}
    again = answer_of(question.with_patch(settled))
    assert isinstance(again, ServingPlan), again
    assert (again.kernel, again.tensor_parallel_size) == (plan.kernel, plan.tensor_parallel_size)


@MANY
@given(questions())
def test_a_suggestion_mends_its_refusal(question: Question) -> None:
    """No refusal comes back after the patch that it suggests."""
    answer = answer_of(question)
    assume(not isinstance(answer, ServingPlan))
    for problem in answer if isinstance(answer, tuple) else ():
        if problem.suggestion:
            again = answer_of(question.with_patch(problem.suggestion))
            assert not isinstance(again, tuple) or not _repeats(problem, again), again


@MANY
@given(questions())
def test_suggestions_come_to_an_end(question: Question) -> None:
    """Who follows the suggestions has, after a few, a plan or a refusal that only he can mend."""
    current = question
    for _ in range(STEPS):
        answer = answer_of(current)
        patches = (
            [problem.suggestion for problem in answer if problem.suggestion]
            if isinstance(answer, tuple)
            else []
        )
        if not patches:
            return
        current = current.with_patch(patches[0])
    raise AssertionError(answer_of(current))


@MANY
@given(
    checkpoints(),
    st.sampled_from([(7, 5), (8, 0), (9, 0)]),
    st.integers(4, 200),
    st.integers(0, 100),
    st.fixed_dictionaries(
        {},
        optional={
            "max_model_length": st.sampled_from([512, 4096, 32_768]),
            "gpus_per_replica": st.sampled_from([1, 2, 4, 8]),
            "engine_version": st.sampled_from(["0.20.0", "0.25.1", "0.33.0"]),
        },
    ),
)
def test_more_memory_never_hurts(
    facts: CheckpointFacts,
    capability: tuple[int, int],
    gib: int,
    more: int,
    asked: dict[str, Any],
) -> None:
    """What fits on a card fits on a larger one with the same batch limits.

    Over as many GPUs it is not shorter, and more GPUs are taken only where it is not.
    """
    small, large = (
        plan_serving(
            facts,
            gpu_request(**asked),
            (
                gpu_node(
                    "otter",
                    "NVIDIA-Otter",
                    8,
                    memory_mib=size * MIB_OF_GIB,
                    compute_capability=capability,
                ),
            ),
        )
        for size in (gib, gib + more)
    )
    assume(_batch(gib) == _batch(gib + more))
    if isinstance(small, ServingPlan):
        assert isinstance(large, ServingPlan), large
        if small.tensor_parallel_size == large.tensor_parallel_size:
            assert large.max_model_length >= small.max_model_length
            assert large.kv_cache_tokens >= small.kv_cache_tokens
        else:
            fewer = large.tensor_parallel_size < small.tensor_parallel_size
            assert fewer or large.max_model_length >= small.max_model_length


def _batch(gib: int) -> object:
    """Batch limits of a card whose label says so much; the planner takes off a reserve."""
    return default_batch_limits("NVIDIA-Otter", gib * GIB - 9 * GIB // 10)


def _repeats(problem: Problem, again: tuple[Problem, ...]) -> bool:
    """Whether a refusal by the same rule is among others, whatever numbers its sentence has."""
    rules = {(item.rule, item.reason, item.field) for item in again}
    return (problem.rule, problem.reason, problem.field) in rules
