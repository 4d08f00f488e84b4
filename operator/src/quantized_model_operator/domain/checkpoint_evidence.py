"""Pure: what was read of a checkpoint, before anything is judged."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from quantized_model_operator.domain.checkpoint import CheckpointProblem


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was read of a checkpoint."""

    uri: str
    commit: str
    sizes: Mapping[str, int]
    """Every file, with its size in bytes."""
    documents: Mapping[str, bytes]
    """Content of those of ``checkpoint_files.DOCUMENTS`` that exist."""
    first_bytes: Mapping[str, bytes]
    """The beginning of each weight file that exists: at least its header, if it has one."""
    samples: Mapping[str, bytes] = field(default_factory=dict)
    """The first bytes of tensors, where ``data_samples`` asked for them."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """Digest of each file that serving needs; of a header where the file was not read whole."""
    integrity: str = "Unverified"
    warnings: tuple[str, ...] = ()
    problems: tuple[CheckpointProblem, ...] = ()
    """What the reading itself found, for example a wrong digest."""


def checkpoint_digest(sizes: Mapping[str, int], digests: Mapping[str, str]) -> str:
    """One digest for the whole: sha256 over the sorted lines ``name size digest``."""
    lines = [f"{name} {sizes[name]} {digest}\n" for name, digest in sorted(digests.items())]
    return "sha256:" + hashlib.sha256("".join(lines).encode("utf-8", "replace")).hexdigest()
