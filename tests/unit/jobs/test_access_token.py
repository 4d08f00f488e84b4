"""The access token from an optional Secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from quantized_model_jobs.access_token import TokenMissingError, read_token

if TYPE_CHECKING:
    from pathlib import Path


def test_no_file_means_no_token() -> None:
    """A model that names no Secret is read without a token."""
    assert read_token(None) is None


def test_white_space_around_a_token_is_ignored(tmp_path: Path) -> None:
    """A Secret made from a file often ends with a newline."""
    path = tmp_path / "token"
    path.write_text(" otter \n")
    assert read_token(path) == "otter"


@pytest.mark.parametrize("content", [b"", b"\n", b"a\nb", b"\xff\xfe", "ü".encode()])
def test_an_unusable_token_counts_as_missing(content: bytes, tmp_path: Path) -> None:
    """A key without a token of printable characters is a problem of the reference."""
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(TokenMissingError) as caught:
        read_token(path)
    assert caught.value.problem.reason == "TokenMissing"
    assert caught.value.problem.field == "spec.model.tokenSecretRef"


def test_a_missing_secret_is_a_problem(tmp_path: Path) -> None:
    """Optional mounts leave no file behind."""
    with pytest.raises(TokenMissingError) as caught:
        read_token(tmp_path / "token")
    assert "does not exist" in caught.value.problem.message
