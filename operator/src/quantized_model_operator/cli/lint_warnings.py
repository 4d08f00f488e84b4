"""Things in a manifest that work, and may surprise: an ordered list of small named checks."""

import difflib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from quantized_model_operator.api.v1alpha1 import QuantizedModelSpec
from quantized_model_operator.domain.accelerators import KNOWN_ACCELERATORS, known_accelerator
from quantized_model_operator.domain.engine_version import parse_engine_version, version_warnings
from quantized_model_operator.domain.model import ResolvedModel

_SECRET = re.compile(r"(TOKEN|SECRET|PASSWORD|API_?KEY|CREDENTIAL)", re.IGNORECASE)
_CLOSE = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Considered:
    """What the checks look at."""

    spec: QuantizedModelSpec
    resolved: ResolvedModel
    claim_is_given: bool
    """Whether the claim of ``spec.cache`` is among the given manifests."""


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing to think over."""

    reason: str
    field: str
    message: str


def revision_moves(considered: Considered) -> Iterator[Advice]:
    """A branch serves other weights tomorrow, in each cluster from another day on."""
    source, resolved = considered.resolved.source, considered.resolved
    if source.repository and not resolved.commit_is_pinned:
        yield Advice(
            "MovingRevision",
            "spec.model.revision",
            f"spec.model.revision: {source.revision} may move; name a commit, so that every "
            "cluster serves the same weights",
        )


def claim_may_be_exclusive(considered: Considered) -> Iterator[Advice]:
    """Several replicas need a claim that several nodes may write to."""
    cache, replicas = considered.spec.cache, considered.spec.replicas
    if cache and cache.claim_name and replicas > 1 and not considered.claim_is_given:
        yield Advice(
            "ClaimUnknown",
            "spec.cache.claimName",
            f"spec.cache.claimName: {replicas} replicas need the claim {cache.claim_name} to be "
            "ReadWriteMany, and it is not among the given files; with ReadWriteOnce the model is "
            "refused",
        )


def every_replica_fetches(considered: Considered) -> Iterator[Advice]:
    """Without a cache each pod downloads the weights, while its GPU waits."""
    replicas = considered.spec.replicas
    if considered.resolved.source.repository and considered.spec.cache is None and replicas > 1:
        yield Advice(
            "NoCache",
            "spec.cache",
            f"spec.cache: each of {replicas} replicas downloads the weights anew whenever it "
            "starts; set spec.cache.claimName to a ReadWriteMany claim",
        )


def image_moves(considered: Considered) -> Iterator[Advice]:
    """An image without a version changes what runs when a pod starts."""
    image = considered.spec.engine.image or ""
    _, _, tag = image.rpartition("/")[2].partition(":")
    if image and "@" not in image and tag in {"", "latest"}:
        yield Advice(
            "MovingImage",
            "spec.engine.image",
            f"spec.engine.image: {image} may move; name a version or a digest, of the vLLM that "
            "spec.engine.version says",
        )


def secret_is_readable(considered: Considered) -> Iterator[Advice]:
    """A secret in a manifest is readable for everybody who may read the repository."""
    for index, variable in enumerate(considered.spec.engine.env or ()):
        if variable.value and _SECRET.search(variable.name):
            field = f"spec.engine.env[{index}].value"
            yield Advice(
                "ReadableSecret",
                field,
                f"{field}: {variable.name} looks like a secret in plain text; use secretKeyRef",
            )


def engine_is_unknown(considered: Considered) -> Iterator[Advice]:
    """Rules were read for some versions of vLLM only."""
    version = considered.spec.engine.version
    if version:
        for warning in version_warnings(parse_engine_version(version)):
            yield Advice("UnknownEngine", "spec.engine.version", f"spec.engine.version: {warning}")


def product_is_unknown(considered: Considered) -> Iterator[Advice]:
    """A product that nobody has heard of may be a misspelling, and no node has that label."""
    for index, product in enumerate(considered.spec.hardware.products or ()):
        if known_accelerator(product) is None:
            names = [accelerator.product for accelerator in KNOWN_ACCELERATORS]
            close = difflib.get_close_matches(product, names, n=1, cutoff=_CLOSE)
            meant = f"did you mean {close[0]}? " if close else ""
            field = f"spec.hardware.products[{index}]"
            yield Advice(
                "UnknownProduct",
                field,
                f"{field}: {product} is no GPU that is known here; {meant}The value must be that "
                "of the node label nvidia.com/gpu.product",
            )


CHECKS: tuple[Callable[[Considered], Iterator[Advice]], ...] = (
    revision_moves,
    claim_may_be_exclusive,
    every_replica_fetches,
    image_moves,
    secret_is_readable,
    engine_is_unknown,
    product_is_unknown,
)
