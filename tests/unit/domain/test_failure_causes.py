"""Every text that vLLM is known to fail with has one row, and is found in a whole log."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from quantized_model_operator.api.conditions import REASONS
from quantized_model_operator.api.v1alpha1 import QuantizedModelSpec
from quantized_model_operator.domain.engine_log import cause_line
from quantized_model_operator.domain.engine_rule_table import ENGINE_RULES
from quantized_model_operator.domain.failure_cause import FailureCause, Situation
from quantized_model_operator.domain.failure_causes import FAILURE_CAUSES, diagnose
from quantized_model_operator.domain.merge_patch import patched
from unit.domain.engine_logs import (
    SHAPES,
    configuration_refused,
    engine_failed,
    evidence,
    evidence_names,
    parser_refused,
    server_failed,
    worker_failed,
)
from unit.domain.engine_texts import TEXTS

SPEC: dict[str, Any] = {
    "model": {"uri": "pvc://weights/tiny", "revision": "main"},
    "hardware": {"memory": "6Gi", "gpusPerReplica": 4},
    "engine": {
        "args": ["--no-such-flag", "7", "--quantization=awq", "--load-format", "zzz"],
        "env": [{"name": "VLLM_PORT", "value": "tcp://x"}, {"name": "HOME", "value": "/"}],
        "image": "mirror.example/engine:1",
        "gpuMemoryUtilization": 0.8,
        "kvCacheDtype": "fp8",
    },
}
SITUATION = Situation(
    spec=SPEC,
    tensor_parallel_size=4,
    legal_sizes=(1, 2, 4, 8),
    memory="6Gi",
    startup_seconds=900,
)


def _rows_of(text: str) -> list[str]:
    return [
        cause.id
        for cause in FAILURE_CAUSES
        if any(cause.found_in(line) is not None for line in text.splitlines())
    ]


@pytest.mark.parametrize(("text", "row"), TEXTS)
def test_one_row_knows_a_text(text: str, row: str) -> None:
    """Each text of vLLM is matched by the row that is meant and by no other."""
    assert _rows_of(text) == [row]


def test_every_row_has_a_text() -> None:
    """No row is there without a text that it was made for."""
    assert {row for _, row in TEXTS} == {cause.id for cause in FAILURE_CAUSES}
    assert len({cause.id for cause in FAILURE_CAUSES}) == len(FAILURE_CAUSES)


@pytest.mark.parametrize("cause", FAILURE_CAUSES, ids=lambda cause: cause.id)
def test_rows_show_their_own_text(cause: FailureCause) -> None:
    """The text that the documentation shows is known by its row alone."""
    assert _rows_of(cause.text) == [cause.id]
    assert cause.reason in REASONS
    assert re.search(r"20\d\d-\d\d", cause.source)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
@pytest.mark.parametrize(("text", "row"), TEXTS)
def test_a_text_is_found_in_a_log(text: str, row: str, shape: Callable[[str], str]) -> None:
    """Prefixes, times, tracebacks and wrappers hide no text, whichever process it comes from."""
    if shape is configuration_refused and not text.startswith("ValueError: "):
        return  # pydantic words no other errors anew
    found = diagnose(shape(text), SITUATION)
    assert found is not None
    assert found.cause.id == row
    assert "{" not in found.sentence
    assert found.sentence.startswith("spec.")


def test_the_parser_is_understood() -> None:
    """What the parser of the arguments says is found without any traceback."""
    found = diagnose(parser_refused("vllm: error: unrecognized arguments: --x 7"), SITUATION)
    assert found is not None
    assert found.cause.id == "arguments-unknown"


@pytest.mark.parametrize(
    ("name", "row", "patch"),
    [
        (
            "0.25.1-h200-7b-int8-fp8-kv-FAILS",
            "fp8-cache-needs-bfloat16",
            {"engine": {"dtype": "bfloat16"}},
        ),
        (
            "0.25.1-h200-7b-int8-kv-too-small-FAILS",
            "request-does-not-fit",
            {"engine": {"maxModelLen": 16464}},
        ),
        (
            "0.33.0-h200-0.5b-int4-tp2-exllama-FAILS",
            "groups-split-exllama",
            {"hardware": {"gpusPerReplica": 2}},
        ),
    ],
)
def test_real_logs(name: str, row: str, patch: dict[str, Any]) -> None:
    """The logs of real failures on H200 are understood, whole and from their last 100 lines."""
    log = evidence(name)
    for text in (log, "\n".join(log.splitlines()[-100:])):
        found = diagnose(text, SITUATION)
        assert found is not None
        assert (found.cause.id, found.patch) == (row, patch)


GOOD_STARTS = sorted(
    name for name in evidence_names() if "FAILS" not in name and not name.endswith("tight")
)


@pytest.mark.parametrize("name", GOOD_STARTS)
def test_a_good_start_has_no_cause(name: str) -> None:
    """Nothing in the log of a start that went well is taken for a cause."""
    assert diagnose(evidence(name), SITUATION) is None


def test_good_starts_are_found() -> None:
    """There are logs of good starts to look at."""
    assert len(GOOD_STARTS) > 10


def test_the_earlier_text_wins() -> None:
    """Of two causes in one log the first is told: the later one came of it."""
    first = "torch.cuda: CUDA error"
    log = engine_failed("ValueError: No available memory for the cache blocks.")
    later = server_failed("OSError: [Errno 98] Address already in use")
    found = diagnose(first + "\n" + log + later, SITUATION)
    assert found is not None
    assert found.cause.id == "no-room-for-cache"


def test_symptoms_count_last() -> None:
    """What many causes bring along is told only when nothing else is found."""
    exhausted = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB."
    sampler = "RuntimeError: CUDA out of memory occurred when warming up sampler with 64 dummy"
    both = diagnose(worker_failed(exhausted) + engine_failed(sampler), SITUATION)
    alone = diagnose(worker_failed(exhausted), SITUATION)
    assert both is not None
    assert alone is not None
    assert (both.cause.id, alone.cause.id) == ("sampler-does-not-fit", "gpu-memory-exhausted")
    assert both.patch == {"engine": {"maxNumSeqs": 32}}


def test_warnings_are_no_causes() -> None:
    """A text that vLLM logs as information or as a warning explains no failure."""
    line = "WARNING 11-22 08:00:41 [x.py:7] No available memory for the cache blocks."
    assert diagnose(f"(EngineCore pid=5) {line}\nValueError: something new", SITUATION) is None


def test_unknown_texts_are_quoted() -> None:
    """A text that no row knows gives no diagnosis, and is the line to quote."""
    log = engine_failed("ValueError: the moon is full")
    assert diagnose(log, SITUATION) is None
    assert cause_line(log) == "ValueError: the moon is full"


@pytest.mark.parametrize(("text", "row"), TEXTS)
def test_patches_are_valid_specs(text: str, row: str) -> None:
    """Each patch gives a spec that the API takes, and that differs from the one before."""
    found = diagnose(server_failed(text), SITUATION)
    assert found is not None
    if found.patch is None:
        return
    mended = patched(SPEC, found.patch)
    assert mended != SPEC, row
    QuantizedModelSpec.model_validate(mended)
    json.dumps(found.patch)


def _rule_texts() -> list[tuple[str, str]]:
    return [
        (rule.id, text.replace("{}", "7"))
        for rule in ENGINE_RULES
        for text in rule.vllm_says.split(" | ")
    ]


NOT_TOLD = frozenset(
    {
        "",
        "AssertionError",
        "nothing, and wrong answers, for some shapes",
        "Input should be greater than 0",
        "Input should be less than or equal to 1",
        "invalid int value: 7",
        "expected one argument",
    }
)
"""Parts of texts, or none at all: they tell no cause on their own."""


@pytest.mark.parametrize(("rule", "text"), _rule_texts())
def test_rules_and_causes_agree(rule: str, text: str) -> None:
    """What a rule says that vLLM would say is understood when vLLM says it."""
    assert text in NOT_TOLD or len(_rows_of(text)) == 1, rule
