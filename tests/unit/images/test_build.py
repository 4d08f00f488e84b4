"""The image builder, driven as a command with a stand-in for buildah that notes its calls."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]

BUILDAH = (
    f"#!{sys.executable} -IS"
    """
import os, sys, uuid
from pathlib import Path

home = Path(os.environ["FAKE_BUILDAH"])
arguments = sys.argv[3:]
command, rest = arguments[0], arguments[1:]
with (home / "calls").open("a") as calls:
    calls.write(" ".join([command, *rest]) + "\\n")
images = home / "images"
images.mkdir(exist_ok=True)
if command == "build-using-dockerfile":
    if (home / "broken").exists():
        sys.exit("no space left on otter")
    identifier = uuid.uuid4().hex
    (images / identifier).touch()
    Path(rest[rest.index("--iidfile") + 1]).write_text(f"sha256:{identifier}")
elif command == "images" and "--json" in rest:
    print('[{"size": "7 MB"}]')
elif command == "images":
    print("\\n".join(f"sha256:{image.name}" for image in images.iterdir()))
elif command == "rmi":
    (images / rest[0]).unlink()
elif command == "push":
    transport, path, *reference = rest[-1].split(":")
    Path(path).write_text(f"{rest[-2]} {':'.join(reference)}")
"""
)


class Builder:
    """A copy of what the images are made from, with stand-ins for the programs of the host."""

    def __init__(self, folder: Path) -> None:
        self.repository = folder / "repository"
        self.home = folder / "buildah"
        self.cache = folder / "cache"
        programs = folder / "bin"
        for path in (programs, self.home, self.repository / "operator/src"):
            path.mkdir(parents=True)
        shutil.copytree(REPOSITORY / "images", self.repository / "images")
        for name in ("pyproject.toml", "README.md", "requirements.txt"):
            shutil.copy(REPOSITORY / "operator" / name, self.repository / "operator" / name)
        self.write("operator/src/otter.py", "")
        self.write("images/base/make_rootfs.sh", '#!/bin/sh\necho root > "$1"\n').chmod(0o755)
        (programs / "buildah").write_text(BUILDAH)
        (programs / "buildah").chmod(0o755)
        self.environment = os.environ | {
            "FAKE_BUILDAH": str(self.home),
            "HOME": str(folder),
            "PATH": f"{programs}:{os.environ['PATH']}",
            "QMO_CACHE": str(self.cache),
        }

    def write(self, name: str, text: str) -> Path:
        """Writes a file of the repository."""
        path = self.repository / name
        path.write_text(text)
        return path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs the builder."""
        command = [sys.executable, str(self.repository / "images/build.py"), *arguments]
        return subprocess.run(  # noqa: S603 - fixed arguments
            command,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def archive(self, *arguments: str) -> Path:
        """Runs the builder, which must succeed, and returns the archive it names."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return Path(done.stdout.strip())

    def calls(self, command: str) -> list[str]:
        """The calls of one of buildah's commands."""
        lines = (self.home / "calls").read_text().splitlines()
        return [line for line in lines if line.startswith(f"{command} ")]


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    """A builder with an empty cache."""
    return Builder(tmp_path)


def test_an_image_is_built_on_its_base_and_archived(builder: Builder) -> None:
    """The first run builds base and image and names an archive under the image's reference."""
    archive = builder.archive("vllm-cpu")
    base, image = builder.calls("build-using-dockerfile")
    assert "localhost/quantized-model-base:bookworm" in base
    assert "--build-arg BASE=localhost/quantized-model-base:bookworm" in image
    assert archive.read_text().endswith("localhost/vllm-cpu:0.32.0")


def test_nothing_is_built_twice(builder: Builder) -> None:
    """A second run without a change names the same archive and builds and writes nothing."""
    assert builder.archive("operator") == builder.archive("operator")
    assert len(builder.calls("build-using-dockerfile")) == 2
    assert len(builder.calls("push")) == 1


@pytest.mark.parametrize(
    ("changed", "builds"),
    [
        ("operator/src/otter.py", 1),
        ("operator/requirements.txt", 1),
        ("images/operator/Dockerfile", 1),
        ("images/base/Dockerfile", 2),
        ("images/vllm-cpu/Dockerfile", 0),
    ],
)
def test_a_change_rebuilds_what_depends_on_it(
    builder: Builder,
    changed: str,
    builds: int,
) -> None:
    """A changed source rebuilds the image, a changed base both, and a foreign file nothing."""
    builder.run("operator")
    before = len(builder.calls("build-using-dockerfile"))
    with (builder.repository / changed).open("a") as file:
        file.write("\n# otter\n")
    builder.run("operator")
    assert len(builder.calls("build-using-dockerfile")) - before == builds


def test_an_archive_of_an_older_image_goes_away(builder: Builder) -> None:
    """The cache holds one archive and the store one image of each name."""
    old = builder.archive("operator")
    builder.write("operator/src/otter.py", "fresh = 1\n")
    new = builder.archive("operator")
    assert new.exists()
    assert not old.exists()
    assert len(builder.calls("rmi")) == 1


def test_an_archive_can_be_deleted_and_comes_back_without_a_build(builder: Builder) -> None:
    """After an import the archive may go; asking again writes it from the same image."""
    archive = builder.archive("operator")
    assert builder.run("operator", "--delete-archive").returncode == 0
    assert not archive.exists()
    assert builder.archive("operator") == archive
    assert len(builder.calls("build-using-dockerfile")) == 2


def test_an_image_that_vanished_is_built_again(builder: Builder) -> None:
    """A record without its image is not believed."""
    builder.run("operator")
    shutil.rmtree(builder.home / "images")
    builder.run("operator")
    assert len(builder.calls("build-using-dockerfile")) == 4


def test_another_tag_and_place_are_honoured(builder: Builder, tmp_path: Path) -> None:
    """An archive asked for by name and tag is written there under that tag."""
    target = tmp_path / "out/otter.tar"
    arguments = ("--tag", "mirror.example/otter:9", "--archive", str(target))
    assert builder.archive("operator", *arguments) == target
    assert target.read_text().endswith("mirror.example/otter:9")
    assert builder.calls("tag")[0].endswith("mirror.example/otter:9")


def test_without_an_archive_only_the_image_is_made(builder: Builder) -> None:
    """With --no-archive nothing is written and nothing printed on standard output."""
    done = builder.run("operator", "--no-archive")
    assert (done.returncode, done.stdout) == (0, "")
    assert builder.calls("push") == []


def test_a_failed_build_shows_why_and_is_not_remembered(builder: Builder) -> None:
    """A build that fails ends with buildah's last lines, and the next run builds anew."""
    (builder.home / "broken").touch()
    failed = builder.run("operator")
    assert failed.returncode != 0
    assert "no space left on otter" in failed.stderr
    (builder.home / "broken").unlink()
    assert builder.archive("operator").exists()
