"""Image archives made without a container tool."""

import hashlib
import json
import tarfile
from pathlib import Path

from qmo_cluster.images import write_archive


def test_an_archive_holds_one_named_image(tmp_path: Path) -> None:
    """Name, entry point and the digest of the layer are what a container runtime expects."""
    (tmp_path / "otter").write_bytes(b"\x7fELF")
    archive = tmp_path / "otter.tar"

    write_archive(
        archive,
        name="localhost/otter:9",
        files={"otter": tmp_path / "otter"},
        entrypoint=["/otter"],
    )

    with tarfile.open(archive) as tar:
        content = {member.name: tar.extractfile(member) for member in tar.getmembers()}
        files = {name: handle.read() for name, handle in content.items() if handle}
    (manifest,) = json.loads(files["manifest.json"])
    config = json.loads(files[manifest["Config"]])
    layer = files[manifest["Layers"][0]]
    assert manifest["RepoTags"] == ["localhost/otter:9"]
    assert config["config"]["Entrypoint"] == ["/otter"]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]


def test_programs_in_an_image_can_be_run(tmp_path: Path) -> None:
    """Files keep their content and are executable for every user."""
    (tmp_path / "otter").write_bytes(b"\x7fELF")
    archive = tmp_path / "otter.tar"
    write_archive(archive, name="a:1", files={"otter": tmp_path / "otter"}, entrypoint=["/otter"])

    with tarfile.open(archive) as outer:
        layer = outer.extractfile("layer.tar")
        with tarfile.open(fileobj=layer) as inner:
            member = inner.getmember("otter")
            handle = inner.extractfile(member)
            assert handle is not None
            assert handle.read() == b"\x7fELF"

    assert member.mode == 0o755
