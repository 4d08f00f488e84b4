"""The manifest of digests: written, read, and refused when it is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantized_model_operator.domain.weights_manifest import (
    FileDigest,
    InvalidManifestError,
    Manifest,
    manifest_from_checksums,
    manifest_from_json,
    manifest_to_json,
)

DIGESTS = st.builds(
    FileDigest, st.integers(0, 2**50), st.binary(min_size=32, max_size=32).map(bytes.hex)
)


@given(st.text(), st.text(), st.dictionaries(st.text(), DIGESTS, max_size=5))
def test_a_manifest_reads_as_it_was_written(
    uri: str, commit: str, files: dict[str, FileDigest]
) -> None:
    """Nothing is lost between writing and reading."""
    manifest = Manifest(uri, commit, files)
    assert manifest_from_json(manifest_to_json(manifest)) == manifest


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"version": 2, "files": {}}',
        '{"version": 1, "files": []}',
        '{"version": 1, "files": {"a": 1}}',
        '{"version": 1, "files": {"a": {"size": -1, "sha256": "' + "0" * 64 + '"}}}',
        '{"version": 1, "files": {"a": {"size": 1, "sha256": "xyz"}}}',
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    """A text that is no manifest of this version proves nothing."""
    with pytest.raises(InvalidManifestError):
        manifest_from_json(text)


def test_the_output_of_sha256sum_is_a_manifest() -> None:
    """Text and binary mode, and a leading ./, are understood."""
    digest = "AB" * 32
    manifest = manifest_from_checksums(f"{digest}  a b\n{digest} *./c\n\n")
    assert manifest.files == {
        "a b": FileDigest(None, digest.lower()),
        "c": FileDigest(None, digest.lower()),
    }


@pytest.mark.parametrize("text", ["", "\n", "nonsense", "0" * 63 + "  a"])
def test_other_lists_are_refused(text: str) -> None:
    """A list with one wrong line proves nothing."""
    with pytest.raises(InvalidManifestError):
        manifest_from_checksums(text)
