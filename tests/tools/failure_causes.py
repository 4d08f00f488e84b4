"""The page of failure causes, from the table that the operator reads logs with."""

from itertools import groupby
from textwrap import dedent, shorten

from quantized_model_operator.domain.failure_cause import FailureCause, Situation, told
from quantized_model_operator.domain.failure_causes import FAILURE_CAUSES
from quantized_model_operator.domain.merge_patch import suggestion

_HEAD = """\
    <!-- Generated; to change it: make generate -->
    # Failure causes

    What vLLM writes when it ends, what the operator makes of it, and the patch that it suggests.
    How to read `status.failure` and how to apply a patch: [Why does it not
    start?](why-does-it-not-start.md).

    A cause is told by the earliest line of the log that one of these rows knows; what follows it
    only repeats it, or points to it. A text that no row knows is quoted, with reason
    `EngineFailed`. Rows marked with a star count only when the log has nothing else.

    The sentences and patches below are those for one example: a replica with four GPUs, 6 GiB of
    memory and 900 s to start. Texts are shortened where they are long.
    """
_ARGUMENTS = {
    "method-contradicted": ["--enable-auto-tool-choice", "--quantization=awq"],
    "too-few-numa-nodes": ["--enable-auto-tool-choice", "-tp", "2"],
    "arguments-unknown": ["--enable-auto-tool-choice", "--no-such-flag"],
    "argument-value-refused": ["--enable-auto-tool-choice", "--block-size", "17"],
    "load-format-unknown": ["--enable-auto-tool-choice", "--load-format", "zzz"],
}
"""``spec.engine.args`` of the examples that are about them."""
_VARIABLES = {
    "port-variable-is-a-uri": [{"name": "VLLM_PORT", "value": "tcp://10.96.0.9:8000"}],
    "home-not-writable": [{"name": "HOME", "value": "/"}],
}
_MOST_CHARACTERS = 160


def document() -> str:
    """The finished Markdown."""
    parts = [dedent(_HEAD)]
    for area, causes in groupby(FAILURE_CAUSES, key=lambda cause: cause.area):
        parts.append(f"\n## {area}\n\n")
        parts.append("| vLLM writes | reason | the operator says | it suggests | source |\n")
        parts.append("|---|---|---|---|---|\n")
        parts.extend(_row(cause) for cause in causes)
    return "".join(parts)


def _situation(cause: FailureCause) -> Situation:
    engine = {
        "kvCacheDtype": "bfloat16",
        "args": _ARGUMENTS.get(cause.id),
        "env": _VARIABLES.get(cause.id),
    }
    return Situation(
        spec={"engine": engine},
        tensor_parallel_size=4,
        legal_sizes=(1, 2, 4, 8),
        memory="6Gi",
        startup_seconds=900,
    )


def _row(cause: FailureCause) -> str:
    found = cause.found_in(cause.text)
    if found is None:
        raise ValueError(f"{cause.id} does not know its own text")
    diagnosis = told(cause, found, _situation(cause))
    text = shorten(cause.text, _MOST_CHARACTERS, placeholder=" …")
    patch = suggestion(diagnosis.patch)
    star = " \\*" if cause.is_symptom else ""
    cells = (
        f"``{_cell(text)} ``{star}",
        f"`{cause.reason}`",
        _cell(diagnosis.sentence),
        f"`{_cell(patch)}`" if patch else "none",
        _cell(cause.source),
    )
    return f"| {' | '.join(cells)} |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").strip()
