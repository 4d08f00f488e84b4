"""Pure: the manifest of digests beside a checkpoint, and the list that sha256sum writes.

``fetch`` writes the manifest last, so that its presence says: everything is there and was
verified. A user may put either file into a claim, to have the weights verified there.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quantized_model_operator.domain.readable_text import readable_name

MANIFEST = "quantized-model-manifest.json"
CHECKSUMS = "SHA256SUMS"
MANIFEST_VERSION = 1
MANIFEST_LIMIT_BYTES = 8 * 2**20
"""Far more than the files of any checkpoint need; our choice."""

_CHECKSUM_LINE = re.compile(r"^([0-9a-fA-F]{64}) [ *](?:\./)?([^\0]+)$")


class InvalidManifestError(ValueError):
    """The text is no manifest that this version understands; it says what is wrong."""


@dataclass(frozen=True, slots=True)
class FileDigest:
    """What a file must be; the size is ``None`` where only the digest is known."""

    size: int | None
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """Digests of the files of a checkpoint, and where they came from."""

    uri: str
    commit: str
    files: Mapping[str, FileDigest]


def manifest_to_json(manifest: Manifest) -> str:
    """The manifest as JSON with a final newline, its files sorted by name."""
    document = {
        "version": MANIFEST_VERSION,
        "uri": manifest.uri,
        "commit": manifest.commit,
        "files": {
            name: {"size": digest.size, "sha256": digest.sha256}
            for name, digest in sorted(manifest.files.items())
        },
    }
    return json.dumps(document, indent=2) + "\n"


def manifest_from_json(text: str | bytes) -> Manifest:
    """The manifest in the text; ``InvalidManifestError`` when it is none."""
    try:
        document = json.loads(text)
        version = document["version"]
        files = {name: _file_digest(name, entry) for name, entry in document["files"].items()}
        uri, commit = str(document.get("uri", "")), str(document.get("commit", ""))
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError) as error:
        if isinstance(error, InvalidManifestError):
            raise
        raise InvalidManifestError("it is no JSON object with version and files") from error
    if version != MANIFEST_VERSION:
        raise InvalidManifestError(f"its version {readable_name(version, 20)} is unknown")
    return Manifest(uri, commit, files)


def manifest_from_checksums(text: str) -> Manifest:
    """The manifest in the output of sha256sum; ``InvalidManifestError`` when it is none."""
    files = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        match = _CHECKSUM_LINE.match(line)
        if match is None:
            raise InvalidManifestError(f"line {number} is no line of sha256sum")
        files[match[2]] = FileDigest(None, match[1].lower())
    if not files:
        raise InvalidManifestError("it names no file")
    return Manifest("", "", files)


def _file_digest(name: str, entry: Any) -> FileDigest:  # noqa: ANN401 - any JSON value
    size, sha256 = entry.get("size"), entry["sha256"]
    size_is_sound = size is None or (type(size) is int and size >= 0)
    if not size_is_sound or not re.fullmatch(r"[0-9a-f]{64}", str(sha256)):
        raise InvalidManifestError(f"its entry for {readable_name(name)} is no size and sha256")
    return FileDigest(size, sha256)
