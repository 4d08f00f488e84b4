"""The one error of this package that is meant to be read by a person."""

from typing import NoReturn


class ClusterError(Exception):
    """A sentence that says what is wrong and, where possible, what to do about it."""


def fail(sentence: str) -> NoReturn:
    """Raise `ClusterError` with this sentence, without the error that led to it."""
    raise ClusterError(sentence) from None
