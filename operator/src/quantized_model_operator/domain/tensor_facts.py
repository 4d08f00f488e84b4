"""Pure: facts of a checkpoint that are more than one number: bytes by class, experts, linears.

All have a short form as JSON objects or rows, since they travel in a termination message.
"""

from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from typing import Any, Literal

Split = Literal["column", "row", "whole"]
"""How tensor parallel ranks share a linear: along ``N``, along ``K``, or not at all."""

LinearKind = Literal["dense", "expert"]
"""``expert``: one of the routed experts, which vLLM computes with a kernel of its own."""

UNQUANTIZED_BITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorBytes:
    """Bytes on disk of the data of all tensors, by what a rank holds of them.

    The first seven add up to all data; a rank of ``n`` holds an ``n``-th of the first five.
    """

    embedding_bytes: int
    head_bytes: int
    """0 when there is none; not loaded where embeddings are tied."""
    linear_bytes: int
    """Quantised linears of the decoder but for experts, all their tensors."""
    expert_bytes: int
    """Routed experts, quantised or not."""
    dense_bytes: int
    """Linears of the decoder that are not quantised."""
    whole_bytes: int
    """What every rank holds whole: norms, routers, biases behind row-parallel linears."""
    outside_bytes: int
    """Everything beside the language model, as a vision tower; vLLM may split it or not."""
    zeros_bytes: int
    """``qzeros`` in linears and head: on disk, not read by the kernels that are planned."""
    index_bytes: int
    """``g_idx`` in linears and head: on disk, dropped by vLLM."""
    expert_zeros_bytes: int
    expert_index_bytes: int

    @property
    def total_bytes(self) -> int:
        """All data; the files have their headers besides."""
        return (
            self.embedding_bytes
            + self.head_bytes
            + self.linear_bytes
            + self.expert_bytes
            + self.dense_bytes
            + self.whole_bytes
            + self.outside_bytes
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MixtureOfExperts:
    """The routed and the shared experts of a decoder."""

    experts: int
    """Routed experts of one layer."""
    experts_per_token: int
    expert_intermediate_size: int
    shared_intermediate_size: int
    """Of all shared experts of a layer together; 0 when there are none."""
    sparse_layers: int
    """Layers with experts; the others have a dense feed-forward of ``intermediate_size``."""


@dataclass(frozen=True, slots=True)
class LinearShape:
    """One kind of linear as the tensors show it, fused as vLLM fuses it."""

    name: str
    inputs: int
    outputs: int
    split: Split
    kind: LinearKind
    count: int
    """How many of them the model has, over all layers and experts."""
    bits: int
    """16 where it is not quantised."""
    group_size: int


def shapes_to_rows(shapes: tuple[LinearShape, ...]) -> list[list[Any]]:
    """One short JSON array for each, its values in the order of the fields."""
    return [list(astuple(shape)) for shape in shapes]


def shapes_from_rows(rows: object) -> tuple[LinearShape, ...]:
    """The linears in those arrays; ``TypeError`` when one has too few values."""
    if not isinstance(rows, list | tuple):
        raise TypeError("linears is no list")
    return tuple(LinearShape(*row[: len(fields(LinearShape))]) for row in rows)


def bytes_from_mapping(document: Mapping[str, Any] | None) -> TensorBytes | None:
    """Bytes by class from their JSON object; keys of later versions are ignored."""
    return None if document is None else TensorBytes(**_known(TensorBytes, document))


def mixture_from_mapping(document: Mapping[str, Any] | None) -> MixtureOfExperts | None:
    """Experts from their JSON object; keys of later versions are ignored."""
    return None if document is None else MixtureOfExperts(**_known(MixtureOfExperts, document))


def _known(
    kind: type[TensorBytes | MixtureOfExperts], document: Mapping[str, Any]
) -> dict[str, Any]:
    names = {item.name for item in fields(kind)}
    return {key: value for key, value in document.items() if key in names}
