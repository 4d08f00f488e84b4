"""Pure: names and numbers of a checkpoint in a form that is safe and short in a sentence.

Names in a checkpoint are written by strangers: they may be long, or hold control characters.
"""

from collections.abc import Iterable

from quantized_model_operator.domain.quantity import GIB

NAME_LIMIT = 120
"""Characters of a name in a message: longer than any tensor name in use, our choice."""

_BYTES_PER_MIB = 2**20


def readable_name(name: object, limit: int = NAME_LIMIT) -> str:
    """The name in printable ASCII, others replaced by ``?``, cut in the middle to the limit."""
    text = "".join(
        character if " " <= character <= "~" else "?" for character in str(name)[: 4 * limit]
    )
    if len(text) <= limit:
        return text
    head = (limit - 3) // 2
    return f"{text[:head]}...{text[len(text) - (limit - 3 - head) :]}"


def readable_bytes(count: int) -> str:
    """The size with the unit that keeps it short: bytes below 1 MiB, then MiB, then GiB."""
    if count < _BYTES_PER_MIB:
        return f"{count:,} bytes"
    if count < GIB:
        return f"{count / _BYTES_PER_MIB:.1f} MiB"
    return f"{count / GIB:.1f} GiB"


def counted(count: int, noun: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def first_and_count(names: Iterable[str]) -> str:
    """The first name, and how many more there are: ``a`` or ``a (and 3 more)``."""
    ordered = sorted(names)
    first = readable_name(ordered[0])
    return first if len(ordered) == 1 else f"{first} (and {len(ordered) - 1} more)"
