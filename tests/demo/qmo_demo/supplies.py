"""What has to be made before anything can be installed: images and the tiny model."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from qmo_cluster.cluster import Cluster
from qmo_cluster.errors import fail
from qmo_cluster.progress import Progress

REPOSITORY = Path(__file__).resolve().parents[3]
OPERATOR_REPOSITORY = "localhost/quantized-model-operator"
ENGINE_REPOSITORY = "localhost/vllm-cpu"
ENGINE_VERSION = "0.32.0"


@dataclass(frozen=True)
class TinyModel:
    """The quantised model, and a question that it answers by heart."""

    folder: Path
    question: str
    answer: str


def operator_version() -> str:
    """As the operator's package says; the tag of its image."""
    text = (REPOSITORY / "operator/pyproject.toml").read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith("version = "))
    return line.split('"')[1]


def build_image(name: str) -> Path:
    """Build one image and return its archive; nothing is built when nothing changed."""
    return Path(_last_line("images/build.py", name))


def load_images(cluster: Cluster, progress: Progress) -> str:
    """Build what the node lacks and import it; the stamp of the operator's image."""
    stamp = ""
    for name in ("operator", "vllm-cpu"):
        progress.say(f"image {name}: build (minutes the first time, seconds from the cache)")
        archive = build_image(name)
        stamp = stamp or archive.stem
        imported = cluster.layout.directory / f"{name}.imported"
        if imported.exists() and imported.read_text(encoding="utf-8") == archive.name:
            continue
        progress.say(f"image {name}: import into the node")
        cluster.load_image(archive)
        imported.write_text(archive.name, encoding="utf-8")
    return stamp


def push_images(registry: str, progress: Progress) -> None:
    """Build the images and push them to a registry that the cluster pulls from."""
    for name, reference in (
        ("operator", f"{OPERATOR_REPOSITORY}:{operator_version()}"),
        ("vllm-cpu", f"{ENGINE_REPOSITORY}:{ENGINE_VERSION}"),
    ):
        progress.say(f"image {name}: build and push to {registry}")
        build_image(name)
        target = f"docker://{registry}/{reference.removeprefix('localhost/')}"
        _run(["buildah", "--storage-driver", "overlay", "push", reference, target])


def make_model(progress: Progress) -> TinyModel:
    """Train and quantise the tiny model, or take it from the cache."""
    progress.say("model: train and quantise (ten minutes the first time, then from the cache)")
    folder = Path(_last_line("tests/model/make.py"))
    answers = folder.with_name(f"{folder.name}.answers.json")
    exact = json.loads(answers.read_text(encoding="utf-8"))
    if not exact:
        fail("The tiny model answers no question by heart; delete it from the cache and retry.")
    return TinyModel(folder=folder, question=exact[0]["question"], answer=exact[0]["answer"])


def _last_line(script: str, *arguments: str) -> str:
    """Run a script of this repository; its progress goes to the terminal."""
    done = _run([sys.executable, str(REPOSITORY / script), *arguments])
    return done.stdout.strip().splitlines()[-1]


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(  # noqa: S603 - our own scripts and programs, no shell
        command, stdout=subprocess.PIPE, text=True, check=False, cwd=REPOSITORY
    )
    if done.returncode != 0:
        fail(f"`{' '.join(command)}` failed with {done.returncode}; its output is above.")
    return done
