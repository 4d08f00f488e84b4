"""Images for the node: our own pause image, made without a container tool, and imports."""

import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

from qmo_cluster.commands import run
from qmo_cluster.node import PAUSE_IMAGE
from qmo_cluster.settings import Layout

_IMPORT_TIMEOUT_SECONDS = 1800


def load_images(
    layout: Layout, archives: Sequence[str | Path], *, index_name: str | None = None
) -> None:
    """Import OCI or docker archives into the node's containerd.

    Args:
        layout: the cluster.
        archives: files made by `buildah push` to `oci-archive:` or `docker-archive:`, for example.
        index_name: the image's name, for archives that carry none.

    Raises:
        ClusterError: a file is missing, or containerd refuses it.
    """
    naming = ["--index-name", index_name] if index_name else []
    for archive in archives:
        run(
            [*ctr(layout), "images", "import", *naming, Path(archive).resolve()],
            timeout_seconds=_IMPORT_TIMEOUT_SECONDS,
        )


def image_names(layout: Layout) -> list[str]:
    """The names of all images of the node; those without a name are left out."""
    words = run([*ctr(layout), "images", "list", "--quiet"]).stdout.split()
    return [word for word in words if not word.startswith("sha256:")]


def ctr(layout: Layout) -> list[str]:
    """The beginning of a containerd command in the namespace of Kubernetes."""
    program = str(layout.programs / "ctr")
    return [program, "--address", str(layout.runtime_socket), "--namespace", "k8s.io"]


def write_pause_archive(program: Path, archive: Path) -> None:
    """A docker archive whose only layer holds the static pause program."""
    write_archive(archive, name=PAUSE_IMAGE, files={"pause": program}, entrypoint=["/pause"])


def write_archive(
    archive: Path, *, name: str, files: dict[str, Path], entrypoint: Sequence[str]
) -> None:
    """A docker archive of one layer with static programs, for images from nothing."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for path, source in files.items():
            tar.addfile(*_member(path, source.read_bytes(), mode=0o755))
    content = layer.getvalue()
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": list(entrypoint), "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [_digest(content)]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tarfile.open(archive, "w") as tar:
        tar.addfile(*_member("layer.tar", content))
        tar.addfile(*_member("config.json", json.dumps(config).encode()))
        tar.addfile(*_member("manifest.json", json.dumps(manifest).encode()))


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _member(name: str, content: bytes, mode: int = 0o644) -> tuple[tarfile.TarInfo, io.BytesIO]:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), mode
    return info, io.BytesIO(content)
