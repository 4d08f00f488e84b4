"""Makes the tiny quantised model of demo and end-to-end tests, once per change of its inputs.

    python3 tests/model/make.py [--bits 8 | --unquantized]

The only line on standard output is the folder of the checkpoint; beside it lies
`<folder>.answers.json`, the exchanges that this checkpoint answers to the letter. Progress goes
to standard error. Standard library only; the heavy packages get an environment of their own.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
QUESTIONS = HERE / "questions.jsonl"
REQUIREMENTS = HERE / "requirements.txt"
STUB_LIBRARIES = HERE.parent.parent / "images/vllm-cpu/stub_libraries.py"
FEWEST_KNOWN_PERCENT = 80
"""Share of questions to be answered exactly; all of them on the machines it was measured on."""

SETTINGS = {
    "CUDA_VISIBLE_DEVICES": "",
    "GPTQMODEL_CPU_WORKERS": "2",  # the quantiser refuses to start with fewer
    "HF_HUB_OFFLINE": "1",
    "ONEDNN_MAX_CPU_ISA": "AVX512_CORE",  # hypervisors forbid AMX that the CPU lists
}
STARTED = time.monotonic()


class Artefact(NamedTuple):
    """A checkpoint and the exchanges it knows, both named by the digest of their inputs."""

    folder: Path

    @property
    def answers(self) -> Path:
        """The JSON list of exchanges that a test may rely on."""
        return self.folder.with_name(f"{self.folder.name}.answers.json")

    @property
    def exists(self) -> bool:
        """The answers are written last: with them, the checkpoint is whole."""
        return self.answers.exists()


def tell(text: str) -> None:
    """Prints a line of progress with the seconds since the start."""
    sys.stderr.write(f"[{time.monotonic() - STARTED:4.0f} s] tiny model: {text}\n")


def cache_folder(name: str) -> Path:
    """Returns a folder of the cache, made if need be."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    own = os.environ.get("QMO_CACHE") or Path(cache, "quantized-model-operator")
    folder = Path(own, name)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def digest_of(*files: Path) -> str:
    """Returns a short digest over the names and contents of some inputs."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


@contextmanager
def one_at_a_time(name: str) -> Iterator[None]:
    """Holds a lock of the cache, so that parallel runs make a thing once."""
    with (cache_folder("models") / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run_logged(name: str, command: list[str]) -> None:
    """Runs a program with its output in a log, and shows the end of that if it fails."""
    log = cache_folder("models") / f"{name}.log"
    # GPTQModel leaves a folder of logs where it is started.
    with log.open("w") as output, tempfile.TemporaryDirectory() as scratch:
        result = subprocess.run(  # noqa: S603
            command,
            cwd=scratch,
            stdout=output,
            stderr=output,
            env=os.environ | SETTINGS,
            check=False,
        )
    if result.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-25:])
        sys.exit(f"{tail}\n{name} ended with {result.returncode}; all of its output: {log}")


def uv() -> str:
    """Finds the installer on the path or where the project's own set-up puts it."""
    found = shutil.which("uv") or shutil.which(str(cache_folder("uv") / "bin/uv"))
    return found or sys.exit("install uv, or run `make setup` first")


def environment() -> Path:
    """Returns the interpreter of the environment, made anew when its requirements change."""
    folder = cache_folder("venvs") / "quantizer"
    python, stamp = folder / "bin/python", folder / "requirements.digest"
    wanted = digest_of(REQUIREMENTS, STUB_LIBRARIES)
    with one_at_a_time("environment"):
        if not (python.exists() and stamp.exists() and stamp.read_text() == wanted):
            tell("installing torch, Transformers and GPTQModel")
            install(folder, python)
            stamp.write_text(wanted)
    return python


def install(folder: Path, python: Path) -> None:
    """Makes the environment anew, with stubs in place of NVIDIA's libraries."""
    create = [uv(), "venv", "--clear", "--python", sys.executable, str(folder)]
    packages = [uv(), "pip", "install", "--python", str(python), "--require-hashes", "--no-deps"]
    run_logged("venv", create)
    run_logged("install", [*packages, "--requirement", str(REQUIREMENTS)])
    site_packages = next(folder.glob("lib/python3.*/site-packages"))
    run_logged("stubs", [sys.executable, str(STUB_LIBRARIES), str(site_packages)])


def complete(artefact: Artefact, program: str, *arguments: str) -> Artefact:
    """Makes an artefact with a program, checks it by its questions and puts it in place."""
    python = str(environment())
    if artefact.folder.exists():
        shutil.rmtree(artefact.folder)
    with tempfile.TemporaryDirectory(dir=artefact.folder.parent) as parent:
        made, answers = Path(parent, "checkpoint"), Path(parent, "answers.json")
        run_logged(program, [python, str(HERE / f"{program}.py"), *arguments, str(made)])
        tell("asking all questions")
        check = [python, str(HERE / "check_tiny_model.py"), str(made), str(answers)]
        run_logged("check_tiny_model", check)
        require_enough(answers)
        for file in made.iterdir():
            file.chmod(0o644)
        made.chmod(0o755)
        made.rename(artefact.folder)
        answers.rename(artefact.answers)
    return artefact


def require_enough(answers: Path) -> None:
    """Ends the run if the model did not learn its answers."""
    known = len(json.loads(answers.read_text()))
    total = len(QUESTIONS.read_text().splitlines())
    tell(f"{known} of {total} questions answered to the letter")
    if 100 * known < FEWEST_KNOWN_PERCENT * total:
        sys.exit("too few answers are exact: the model did not learn them")


def trained() -> Artefact:
    """Returns the unquantised model."""
    programs = (HERE / "make_tiny_model.py", HERE / "tiny_model_texts.py")
    digest = digest_of(QUESTIONS, REQUIREMENTS, *programs)
    artefact = Artefact(cache_folder("models") / f"tiny-qwen2-{digest}")
    with one_at_a_time(artefact.folder.name):
        if artefact.exists:
            return artefact
        tell("training for two to seven minutes")
        return complete(artefact, "make_tiny_model")


def quantized(bits: int) -> Artefact:
    """Returns the model with 4 or 8 bits."""
    source = trained()
    inputs = f"{source.folder.name}-{digest_of(HERE / 'quantize_tiny_model.py')}"
    digest = hashlib.sha256(inputs.encode()).hexdigest()[:12]
    artefact = Artefact(cache_folder("models") / f"tiny-qwen2-int{bits}-{digest}")
    with one_at_a_time(artefact.folder.name):
        if artefact.exists:
            return artefact
        tell(f"quantising to {bits} bits")
        return complete(artefact, "quantize_tiny_model", "--bits", str(bits), str(source.folder))


def main() -> int:
    """Prints the folder of the checkpoint that was asked for."""
    parser = argparse.ArgumentParser(description="Makes the tiny model of the tests.")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--bits", type=int, choices=(4, 8), default=4)
    kind.add_argument("--unquantized", action="store_true")
    asked = parser.parse_args()
    artefact = trained() if asked.unquantized else quantized(asked.bits)
    sys.stdout.write(f"{artefact.folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
