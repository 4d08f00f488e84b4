"""I/O: config and headers of a checkpoint in a folder here or on a hub; never its weights."""

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from quantized_model_jobs.deadline import DeadlineExceededError, deadline
from quantized_model_operator.domain.checkpoint import InspectionReport
from quantized_model_operator.domain.checkpoint_files import CONFIG
from quantized_model_operator.domain.checkpoint_inspection import Evidence, inspect_checkpoint

HUB_PREFIX = "hf://"
CLAIM_PREFIX = "pvc://"
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
READ_SECONDS = 120.0
"""Longest time for reading; a hub that answers takes a second or two."""


class UnreadableSourceError(Exception):
    """The checkpoint could not be read; the text is a sentence with the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCheckpoint:
    """What was read, and the verdict over it."""

    report: InspectionReport
    uri: str
    """``hf://organisation/name``, or the folder."""
    commit: str
    """Of the hub; empty for a folder."""
    files: int
    """Of which anything was read."""
    bytes_read: int


def read_checkpoint(source: str, revision: str = "main") -> ReadCheckpoint:
    """The checkpoint in a folder, or at ``hf://organisation/name[@revision]``."""
    try:
        with deadline(READ_SECONDS):
            evidence = _hub(source, revision) if is_on_hub(source) else _folder(source)
    except DeadlineExceededError as error:
        raise UnreadableSourceError(
            f"{source} could not be read within {READ_SECONDS:g} seconds: try again, or read a "
            "copy in a folder"
        ) from error
    contents = [*evidence.documents.values(), *evidence.first_bytes.values()]
    return ReadCheckpoint(
        report=inspect_checkpoint(evidence),
        uri=evidence.uri,
        commit=evidence.commit,
        files=len(contents),
        bytes_read=sum(len(content) for content in contents),
    )


def is_on_hub(source: str) -> bool:
    """Whether the text names a repository of the hub."""
    return source.startswith(HUB_PREFIX)


def _folder(source: str) -> Evidence:
    # Late: for a hub it is not needed.
    from quantized_model_jobs import mounted_checkpoint  # noqa: PLC0415

    folder = Path(source)
    if not folder.is_dir():
        raise UnreadableSourceError(
            f"{source} is no folder here; a repository on the hub is written "
            f"{HUB_PREFIX}organisation/name"
        )
    try:
        evidence = mounted_checkpoint.read_headers(source, "", folder)
    except mounted_checkpoint.UnreadableCheckpointError as error:
        raise UnreadableSourceError(f"{source} cannot be read: {error}") from error
    except OSError as error:
        raise UnreadableSourceError(f"{source} cannot be read: {error}") from error
    if CONFIG not in evidence.sizes and not evidence.first_bytes:
        raise UnreadableSourceError(
            f"{source} is no checkpoint: it has neither {CONFIG} nor safetensors files"
        )
    return evidence


def _hub(source: str, revision: str) -> Evidence:
    # Late: importing the hub's library takes longer than reading a folder.
    from quantized_model_jobs import hub_checkpoint  # noqa: PLC0415
    from quantized_model_jobs.hub_errors import (  # noqa: PLC0415
        HubRefusalError,
        HubUnreachableError,
    )
    from quantized_model_jobs.hub_repository import HubRepository  # noqa: PLC0415

    name, _, named_revision = source.removeprefix(HUB_PREFIX).partition("@")
    if not _REPOSITORY.fullmatch(name):
        raise UnreadableSourceError(
            f"{source} is no repository; it is written {HUB_PREFIX}organisation/name"
        )
    token = _hub_token()
    try:
        repository = HubRepository(name, token)
        return hub_checkpoint.gather(f"{HUB_PREFIX}{name}", named_revision or revision, repository)
    except HubRefusalError as error:
        raise UnreadableSourceError(_refusal(error.problem.reason, str(error), token)) from error
    except HubUnreachableError as error:
        raise UnreadableSourceError(
            f"{error}; check the network and HF_ENDPOINT, or read a copy in a folder"
        ) from error


def _refusal(reason: str, message: str, token: str | None) -> str:
    """The hub's answer, with what mends it here and not in a cluster."""
    what, _, _ = message.partition(";")
    if reason == "TokenRefused":
        missing = "set HF_TOKEN to a token of an account that may read it"
        given = "the token in use (HF_TOKEN or `hf auth login`) is of an account without access"
        return f"{what}: {given if token else missing}"
    if reason == "CheckpointNotFound" and " or " in what:
        return f"{what}: check the name, or set HF_TOKEN to a token that may read it"
    return message


def _hub_token() -> str | None:
    """The token that the user's own tools would use: ``HF_TOKEN``, or of ``hf auth login``."""
    from huggingface_hub import get_token  # noqa: PLC0415

    with suppress(OSError):  # a file that may not be read is no token
        return get_token()
    return None
