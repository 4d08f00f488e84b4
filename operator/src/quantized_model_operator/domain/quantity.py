"""Pure: resource quantities as Kubernetes writes them, as exact numbers."""

from decimal import Decimal, InvalidOperation
from types import MappingProxyType


class InvalidQuantityError(ValueError):
    """The text is no resource quantity."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} is not a quantity such as 500m, 4 or 12Gi")


_SUFFIXES = MappingProxyType(
    {
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


def parse_quantity(text: str | float) -> Decimal:
    """The number that a quantity stands for; ``InvalidQuantityError`` when it is none.

    Source: Kubernetes 1.37, apimachinery ``resource.Quantity``, checked 2026-11-24.
    """
    value = str(text)
    suffix = next((item for item in (value[-2:], value[-1:]) if item in _SUFFIXES), "")
    number = value[: len(value) - len(suffix)] if suffix else value
    try:
        return Decimal(number) * _SUFFIXES.get(suffix, Decimal(1))
    except InvalidOperation as error:
        raise InvalidQuantityError(value) from error


def gibibytes(size_bytes: int) -> str:
    """The size as a quantity in whole mebibytes, rounded up, for example ``5120Mi``."""
    return f"{-(-size_bytes // 2**20)}Mi"
