"""The hub of the tests, held to what the real client expects of a hub."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from hub import Access, Hub, running_hub
from unit.tiny_checkpoint import SINGLE, write_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OTTER, BADGER = "zoo/otter", "zoo/badger"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two repositories."""
    write_checkpoint(tmp_path / "hub" / OTTER)
    write_checkpoint(tmp_path / "hub" / BADGER)
    return tmp_path / "hub"


@pytest.fixture
def hub(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub on which one repository is gated."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    with running_hub(root, Access(gated={BADGER: {"opens"}}, known_tokens={"known"})) as running:
        yield running


@pytest.fixture
def client(hub: Hub) -> HfApi:
    """The real client, pointed at the hub."""
    return HfApi(endpoint=hub.endpoint, token=False)


def test_the_description_states_commit_sizes_and_digests(client: HfApi, root: Path) -> None:
    """Large files have a sha256, small ones the name of their git blob."""
    info = client.model_info(OTTER, files_metadata=True)
    assert info.sha is not None
    assert len(info.sha) == 40
    files = {entry.rfilename: entry for entry in info.siblings or ()}
    weights = (root / OTTER / SINGLE).read_bytes()
    large = files[SINGLE].lfs
    assert large is not None
    assert large.sha256 == hashlib.sha256(weights).hexdigest()
    content = (root / OTTER / "config.json").read_bytes()
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
    assert files["config.json"].lfs is None
    assert files["config.json"].blob_id == blob.hexdigest()


def test_the_tree_lists_the_same_files(client: HfApi) -> None:
    """Description and tree agree."""
    names = {entry.path for entry in client.list_repo_tree(OTTER, recursive=True)}
    assert names == set(client.list_repo_files(OTTER))


def test_the_client_downloads_byte_for_byte(
    hub: Hub, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client's own download works, its check of sizes included."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_PROGRESS_BARS", True)
    folder = snapshot_download(
        OTTER, endpoint=hub.endpoint, cache_dir=tmp_path / "cache", token=False
    )
    for path in (root / OTTER).iterdir():
        assert (tmp_path / "cache" / folder / path.name).read_bytes() == path.read_bytes()


def test_the_commit_follows_the_content(client: HfApi, root: Path) -> None:
    """A changed file makes a new commit, and the old one is gone."""
    before = client.model_info(OTTER).sha
    assert client.model_info(OTTER, revision=before).sha == before
    (root / OTTER / "config.json").write_text("{}")
    after = client.model_info(OTTER).sha
    assert after != before
    with pytest.raises(RevisionNotFoundError):
        client.model_info(OTTER, revision=before)


def test_refusals_have_the_forms_of_the_hub(client: HfApi) -> None:
    """The client recognises each refusal."""
    with pytest.raises(RepositoryNotFoundError):
        client.model_info("zoo/nobody")
    with pytest.raises(RevisionNotFoundError):
        client.model_info(OTTER, revision="v2")
    with pytest.raises(RemoteEntryNotFoundError):
        client.get_hf_file_metadata(url=f"{client.endpoint}/{OTTER}/resolve/main/none")
    gated = f"{client.endpoint}/{BADGER}/resolve/main/{SINGLE}"
    assert client.model_info(BADGER).sha
    for token in (False, "known"):
        with pytest.raises(GatedRepoError):
            client.get_hf_file_metadata(url=gated, token=token)
    assert client.get_hf_file_metadata(url=gated, token="opens").size  # noqa: S106


def test_paths_cannot_leave_the_root(hub: Hub, root: Path) -> None:
    """Neither a parent nor a deeper folder is a repository."""
    for name in ("../hub", "zoo/..", "zoo/otter/x", "zoo", ""):
        assert hub.repositories.get(name) is None
    assert root.exists()
