"""I/O: one repository of a hub: its files at a commit, and the bytes of a file from a position.

The only importer of huggingface_hub: importing it takes a third of a second, so programs that
read a claim must not.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Protocol

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.pop("HF_HUB_OFFLINE", None)  # meant for vLLM; these programs exist to go online

import httpx2
from huggingface_hub import HfApi, get_session, hf_hub_url, hf_raise_for_status
from huggingface_hub.errors import HFValidationError

from quantized_model_jobs.hub_errors import HubUnreachableError, refused, translated

DEFAULT_ENDPOINT = "https://huggingface.co"
REQUEST_TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file as the hub states it; at least one digest is known."""

    size: int
    sha256: str
    """Of the content, for files in the hub's large file storage; else empty."""
    blob_sha1: str
    """Of the git blob: the content of a small file, the pointer of a large one."""

    @property
    def digest(self) -> str:
        """The digest with its kind, for example ``sha256:...`` or ``git:...``."""
        return f"sha256:{self.sha256}" if self.sha256 else f"git:{self.blob_sha1}"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All files of a repository at a commit."""

    commit: str
    files: Mapping[str, HubFile]


class ByteStream(Protocol):
    """The answer to a download request."""

    begin: int
    """Position of the first byte: the one asked for, or 0 when the server ignores ranges."""

    def chunks(self) -> Iterator[bytes]:
        """The bytes as they arrive; raises what ``hub_errors.translated`` makes of a failure."""


class HubRepository:
    """Access to one repository; every failure is a refusal or ``HubUnreachableError``."""

    def __init__(self, name: str, token: str | None, endpoint: str | None = None) -> None:
        self._name = name
        self._token = token
        chosen = endpoint or os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT
        self._endpoint = chosen.rstrip("/")
        # False, not None: never take a token from the surroundings.
        self._api = HfApi(endpoint=self._endpoint, token=token or False)

    def snapshot(self, revision: str) -> Snapshot:
        """The commit that the revision stands for now, and its files."""
        with self._translation(revision):
            info = self._api.model_info(
                self._name,
                revision=revision,
                files_metadata=True,
                timeout=REQUEST_TIMEOUT_SECONDS,
            )
        files = {}
        for entry in info.siblings or ():
            size = entry.lfs.size if entry.lfs else entry.size
            if size is None:
                raise HubUnreachableError(
                    f"{self._endpoint} does not state the sizes of the files; it is no server "
                    "that speaks the hub's API"
                )
            sha256 = entry.lfs.sha256 if entry.lfs else ""
            if not sha256 and not entry.blob_id:
                raise HubUnreachableError(f"{self._endpoint} does not state the files' digests")
            files[entry.rfilename] = HubFile(size, sha256, entry.blob_id or "")
        if not info.sha:
            raise HubUnreachableError(f"{self._endpoint} does not state the commit")
        return Snapshot(info.sha, files)

    def first_bytes(self, commit: str, name: str, begin: int, end: int) -> bytes:
        """Bytes from begin to end (exclusive) of a file, and never more of the transfer."""
        parts: list[bytes] = []
        with self.stream(commit, name, begin, REQUEST_TIMEOUT_SECONDS, end=end) as answer:
            position = answer.begin
            for chunk in answer.chunks():
                parts.append(chunk[max(begin - position, 0) : end - position])
                position += len(chunk)
                if position >= end:
                    break
        return b"".join(parts)

    @contextmanager
    def stream(
        self, commit: str, name: str, begin: int, stall_seconds: float, end: int | None = None
    ) -> Iterator[ByteStream]:
        """The bytes of a file from a position on; silence of ``stall_seconds`` is a failure."""
        url = hf_hub_url(self._name, name, revision=commit, endpoint=self._endpoint)
        headers = {"Accept-Encoding": "identity"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if begin or end is not None:
            headers["Range"] = f"bytes={begin}-{'' if end is None else end - 1}"
        timeout = httpx2.Timeout(stall_seconds, connect=min(stall_seconds, REQUEST_TIMEOUT_SECONDS))
        with ExitStack() as stack:
            with self._translation(commit, name):
                response = stack.enter_context(
                    get_session().stream("GET", url, headers=headers, timeout=timeout)
                )
                hf_raise_for_status(response)
            # Outside the translation: what the caller's body raises is none of the hub's.
            yield _Stream(response, begin, lambda: self._translation(commit, name))

    @contextmanager
    def _translation(self, revision: str, file: str = "") -> Iterator[None]:
        try:
            yield
        except HFValidationError as error:
            message = f"{self._name} is no name of a repository; use hf://organisation/name"
            raise refused("CheckpointNotFound", message) from error
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            raise translated(
                error,
                where=f"{self._name} on {self._endpoint}",
                revision=revision,
                file=file,
                has_token=self._token is not None,
            ) from error


class _Stream:
    def __init__(
        self,
        response: httpx2.Response,
        asked: int,
        translation: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._response = response
        self._translation = translation
        self.begin = asked if response.status_code == httpx2.codes.PARTIAL_CONTENT else 0

    def chunks(self) -> Iterator[bytes]:
        with self._translation():
            yield from self._response.iter_raw()
