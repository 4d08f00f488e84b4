"""Logs of real failures: the cause is found, and prefixes are gone."""

import pytest

from quantized_model_operator.domain.engine_log import (
    cause_line,
    cause_lines,
    excerpt,
    names_a_cause,
    plain_lines,
)


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        (
            "vllm: error: unrecognized arguments: --nope",
            "vllm: error: unrecognized arguments: --nope",
        ),
        (
            (
                "(EngineCore pid=9) torch.OutOfMemoryError: CUDA out of memory.\n"
                "(APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause"
            ),
            "torch.OutOfMemoryError: CUDA out of memory.",
        ),
        (
            (
                "(Worker pid=7) ERROR 01-02 03:04:05 [worker.py:1] AssertionError\n"
                "(APIServer pid=1) INFO 01-02 03:04:06 [launcher.py:2] bye"
            ),
            "AssertionError",
        ),
        ("Illegal instruction", "Illegal instruction"),
        ("", ""),
    ],
)
def test_cause_line(log: str, cause: str) -> None:
    """The last error that is no mere wrapper is the cause; without one, the last line is."""
    assert cause_line(log) == cause


def test_prefixes_and_empty_lines_go() -> None:
    """Process prefixes, levels and times are dropped, and so are empty lines."""
    log = "(EngineCore_DP0 pid=12) INFO 11-02 10:00:00 [core.py:1] hello\n\n  indented\n"
    assert plain_lines(log) == ["hello", "  indented"]


def test_excerpts_are_bounded() -> None:
    """An excerpt has at most forty lines and 6000 characters, the last ones."""
    text = excerpt("\n".join(f"line {number} {'x' * 300}" for number in range(200)))
    assert len(text) <= 6000
    assert text.splitlines()[-1].startswith("line 199")


def test_an_excerpt_shows_the_cause_wherever_it_is() -> None:
    """The lines before the cause, the cause, and the last lines, in at most 6000 characters."""
    log = "\n".join(
        [*(f"before {n}" for n in range(99)), "the cause", *("x" * 80 for _ in range(99))]
    )
    text = excerpt(f"{log}\nthe end", 99)
    lines = text.splitlines()
    assert "the cause" in lines
    assert "..." in lines
    assert lines[0] == "before 75"
    assert lines[-1] == "the end"
    assert len(excerpt("\n".join("y" * 900 for _ in range(200)), 99)) <= 6000


def test_lines_of_warnings_are_no_causes() -> None:
    """Only lines that vLLM does not call harmless may tell, with their place among all lines."""
    log = (
        "(APIServer pid=1) INFO 11-02 10:00:00 [a.py:1] one\n"
        "\n"
        "(EngineCore pid=2) WARNING 11-02 10:00:00 [a.py:1] two\n"
        "(EngineCore pid=2) ERROR 11-02 10:00:00 [a.py:1] three\n"
        "four\n"
    )
    assert cause_lines(log) == [(2, "three"), (3, "four")]
    assert plain_lines(log)[2] == "three"


@pytest.mark.parametrize(
    ("line", "is_cause"),
    [
        ("ValueError: no", True),
        ("vllm serve: error: no", True),
        ("vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue.", False),
        ("RuntimeError: Worker failed with error 'x', please check the stack trace", False),
        ("RuntimeError: Engine core initialization failed. See root cause above.", False),
        ("Killed", False),
    ],
)
def test_wrappers_name_no_cause(line: str, is_cause: bool) -> None:  # noqa: FBT001 - a parameter
    """Errors that only point to another one are no cause of their own."""
    assert names_a_cause(f"(APIServer pid=1) {line}") == is_cause
