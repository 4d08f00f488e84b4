"""Builds the images with buildah, on machines without a container engine or a registry.

    python3 images/build.py base|operator|vllm-cpu [--tag TAG] [--archive FILE | --no-archive]
    python3 images/build.py operator|vllm-cpu --delete-archive

Prints the path of an uncompressed archive that `ctr --namespace k8s.io images import` and
`docker load` read. Nothing is built while Dockerfile, sources, requirements and base are as they
were. Standard library only. Needs root, buildah 1.28 or newer and, for the base, debootstrap.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
BASE = "localhost/quantized-model-base:bookworm"
CERTIFICATES = "/etc/ssl/certs"
BUILDAH = ("buildah", "--storage-driver", "overlay")
STARTED = time.monotonic()


class Recipe(NamedTuple):
    """An image: its reference, and what it is made from, relative to the repository.

    With `keeps_layers`, a change of late steps repeats only these, at the price of disk space.
    """

    reference: str
    dockerfile: str
    sources: tuple[str, ...]
    base: str = BASE
    keeps_layers: bool = False


class Built(NamedTuple):
    """What was made of a recipe: the digest of its inputs and the identifier of the image."""

    stamp: str
    image: str


def operator_version() -> str:
    """Reads the version of the operator's package."""
    project = tomllib.loads((ROOT / "operator/pyproject.toml").read_text())["project"]
    return str(project["version"])


def recipes() -> dict[str, Recipe]:
    """Lists the images by name."""
    requirements = "images/build-requirements.txt"
    operator = (
        "images/operator/finish_environment.py",
        "operator/pyproject.toml",
        "operator/README.md",
        "operator/requirements.txt",
        "operator/src",
    )
    engine = ("finish_environment.py", "requirements.txt", "stub_libraries.py")
    return {
        "base": Recipe(BASE, "images/base/Dockerfile", ("images/base/make_rootfs.sh",), base=""),
        "operator": Recipe(
            f"localhost/quantized-model-operator:{operator_version()}",
            "images/operator/Dockerfile",
            (requirements, *operator),
            keeps_layers=True,
        ),
        "vllm-cpu": Recipe(
            "localhost/vllm-cpu:0.32.0",
            "images/vllm-cpu/Dockerfile",
            (requirements, *(f"images/vllm-cpu/{name}" for name in engine)),
        ),
    }


def cache_folder() -> Path:
    """Returns the folder of stamps, logs and archives."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    own = os.environ.get("QMO_CACHE") or Path(cache, "quantized-model-operator")
    folder = Path(own, "images")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def tell(text: str) -> None:
    """Prints a line of progress with the seconds since the start."""
    sys.stderr.write(f"[{time.monotonic() - STARTED:4.0f} s] {text}\n")


def buildah(*arguments: str, log: Path | None = None) -> str:
    """Runs buildah; with a log, its output goes there and the end of it is shown on failure."""
    command = [*BUILDAH, *arguments]
    if log is None:
        result = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
        return result.stdout.strip()
    with log.open("w") as output:
        outcome = subprocess.run(command, stdout=output, stderr=output, check=False)  # noqa: S603
    if outcome.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-25:])
        sys.exit(f"{tail}\nbuildah failed with {outcome.returncode}; all of its output: {log}")
    return ""


def files_of(recipe: Recipe) -> list[Path]:
    """Lists the files an image is made from, in a fixed order."""
    paths = [ROOT / name for name in (recipe.dockerfile, *recipe.sources)]
    found = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*"))]
    return sorted(f for f in found if f.is_file() and "__pycache__" not in f.parts)


def stamp_of(recipe: Recipe, base_stamp: str) -> str:
    """Returns the digest of all inputs of an image."""
    digest = hashlib.sha256(base_stamp.encode())
    for file in files_of(recipe):
        digest.update(f"{file.relative_to(ROOT)}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def recorded(name: str) -> Built | None:
    """Returns what was built last, if the image is still there."""
    note = cache_folder() / f"{name}.json"
    built = Built(**json.loads(note.read_text())) if note.exists() else None
    known = buildah("images", "--quiet", "--no-trunc").split()
    return built if built and f"sha256:{built.image}" in known else None


def record(name: str, built: Built, replaced: Built | None) -> None:
    """Notes what was built and removes the image it replaces, unless a container uses that."""
    (cache_folder() / f"{name}.json").write_text(json.dumps(built._asdict()) + "\n")
    if replaced and replaced.image != built.image:
        command = [*BUILDAH, "rmi", replaced.image]
        subprocess.run(command, check=False, capture_output=True)  # noqa: S603


def cached_packages() -> list[str]:
    """Returns the options that lend this machine's package caches to a build."""
    options = []
    for name, variable in (("uv", "UV_CACHE_DIR"), ("pip", "PIP_CACHE_DIR")):
        folder = Path(os.environ.get(variable) or Path.home() / ".cache" / name)
        folder.mkdir(parents=True, exist_ok=True)
        options += ["--volume", f"{folder}:/root/.cache/{name}"]
    return options


def build(name: str, recipe: Recipe, context: Path) -> str:
    """Builds one image and returns its identifier."""
    with tempfile.NamedTemporaryFile(mode="r") as identifier:
        buildah(
            "build-using-dockerfile",
            *("--isolation", "chroot", "--format", "docker", "--iidfile", identifier.name),
            *(("--layers",) if recipe.keeps_layers else ()),
            *("--file", str(ROOT / recipe.dockerfile), "--tag", recipe.reference),
            *("--volume", f"{CERTIFICATES}:{CERTIFICATES}:ro", *cached_packages()),
            *(("--build-arg", f"BASE={recipe.base}") if recipe.base else ()),
            str(context),
            log=cache_folder() / f"{name}.log",
        )
        return identifier.read().strip().removeprefix("sha256:")


def build_base(recipe: Recipe) -> str:
    """Makes the root file system of the base and puts it into an image."""
    with tempfile.TemporaryDirectory(dir=cache_folder()) as folder:
        archive = Path(folder, "rootfs.tar")
        with (cache_folder() / "rootfs.log").open("w") as log:
            script = str(ROOT / "images/base/make_rootfs.sh")
            command = [script, str(archive)]
            subprocess.run(command, check=True, stdout=log, stderr=log)  # noqa: S603
        return build("base", recipe, Path(folder))


def current(name: str) -> Built:
    """Returns the image of this name, built now unless it is up to date."""
    recipe = recipes()[name]
    stamp = stamp_of(recipe, current("base").stamp if recipe.base else "")
    replaced = built = recorded(name)
    if built is None or built.stamp != stamp:
        tell(f"{name}: building {recipe.reference}")
        image = build_base(recipe) if name == "base" else build(name, recipe, ROOT)
        built = Built(stamp, image)
        record(name, built, replaced)
    size = json.loads(buildah("images", "--json", built.image))[0]["size"]
    tell(f"{name}: {recipe.reference} is up to date, {size}")
    return built


def write_archive(built: Built, reference: str, archive: Path) -> None:
    """Writes the image to an archive under its reference, whole or not at all."""
    partial = archive.with_name(f".{archive.name}.partial")
    partial.unlink(missing_ok=True)
    archive.parent.mkdir(parents=True, exist_ok=True)
    target = f"docker-archive:{partial}:{reference}"
    buildah("push", "--quiet", built.image, target, log=cache_folder() / "archive.log")
    partial.replace(archive)
    tell(f"{archive.name}: {archive.stat().st_size / 1e6:.0f} MB")


def archives_of(name: str) -> list[Path]:
    """Lists the archives of an image in the cache."""
    return sorted(cache_folder().glob(f"{name}-*.tar"))


def arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="Builds an image with buildah.")
    parser.add_argument("name", choices=sorted(recipes()))
    parser.add_argument("--tag", help="name it REPOSITORY:TAG, besides its own name")
    archive = parser.add_mutually_exclusive_group()
    archive.add_argument("--archive", type=Path, help="where to write it; default: in the cache")
    archive.add_argument("--no-archive", action="store_true", help="build the image only")
    archive.add_argument("--delete-archive", action="store_true", help="after an import")
    return parser.parse_args()


def main() -> int:
    """Builds what was asked for and prints the path of the archive."""
    asked = arguments()
    if asked.delete_archive:
        for archive in archives_of(asked.name):
            archive.unlink()
        return 0
    with (cache_folder() / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return provide(asked)


def provide(asked: argparse.Namespace) -> int:
    """Builds the image and writes the archive, as far as they are out of date."""
    built = current(asked.name)
    reference = asked.tag or recipes()[asked.name].reference
    if asked.tag:
        buildah("tag", built.image, asked.tag)
    if asked.no_archive:
        return 0
    # The name holds image and reference, so that an archive in the cache is never out of date.
    key = hashlib.sha256(f"{built.image} {reference}".encode()).hexdigest()[:16]
    archive = asked.archive or cache_folder() / f"{asked.name}-{key}.tar"
    if asked.archive or not archive.exists():
        for older in [] if asked.archive else archives_of(asked.name):
            older.unlink()
        write_archive(built, reference, archive)
    sys.stdout.write(f"{archive.resolve()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
