"""Logs of real failures: the cause is found, and prefixes are gone."""

import pytest

from quantized_model_operator.domain.engine_log import cause_line, excerpt, plain_lines


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
