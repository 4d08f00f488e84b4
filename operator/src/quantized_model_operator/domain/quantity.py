"""Pure: resource quantities as Kubernetes writes them, as exact numbers."""

import re
from decimal import Decimal
from types import MappingProxyType

GIB = 1 << 30
"""Bytes."""


class InvalidQuantityError(ValueError):
    """The text is no resource quantity."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} is not a quantity such as 500m, 4 or 12Gi")


_SUFFIXES = MappingProxyType(
    {
        "n": Decimal("1e-9"),
        "u": Decimal("1e-6"),
        "m": Decimal("0.001"),
        "k": Decimal(10**3),
        "M": Decimal(10**6),
        "G": Decimal(10**9),
        "T": Decimal(10**12),
        "P": Decimal(10**15),
        "E": Decimal(10**18),
        "Ki": Decimal(2**10),
        "Mi": Decimal(2**20),
        "Gi": Decimal(2**30),
        "Ti": Decimal(2**40),
        "Pi": Decimal(2**50),
        "Ei": Decimal(2**60),
    }
)
_QUANTITY = re.compile(
    r"(?P<number>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"(?P<suffix>n|u|m|k|[MGTPE]|[KMGTPE]i|)"
)


def parse_quantity(text: str | float) -> Decimal:
    """The number that a quantity stands for; ``InvalidQuantityError`` when it is none.

    Source: Kubernetes 1.37, apimachinery ``resource.Quantity``, checked 2026-11-24.
    """
    parts = _QUANTITY.fullmatch(str(text))
    if parts is None:
        raise InvalidQuantityError(str(text))
    return Decimal(parts["number"]) * _SUFFIXES.get(parts["suffix"], Decimal(1))


def gibibytes(size_bytes: int) -> str:
    """The size as a quantity in whole mebibytes, rounded up, for example ``5120Mi``."""
    return f"{-(-size_bytes // 2**20)}Mi"
