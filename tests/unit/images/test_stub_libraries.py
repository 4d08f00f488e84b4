"""The stubs of NVIDIA's libraries: they let torch's own libraries load where no GPU is."""

from __future__ import annotations

import ctypes
import platform
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[3] / "images/vllm-cpu/stub_libraries.py"
TOOLS = ("readelf", "as", "ld")
pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64" or not all(map(shutil.which, TOOLS)),
    reason="the stubs are for x86-64 and need the binutils",
)

CALLER = """
.section .note.GNU-stack,"",@progbits
.data
.quad cublasCreate_v2, ncclGetVersion, cudaGetDeviceCount
"""
DEFINITION = """
.section .note.GNU-stack,"",@progbits
.text
.globl {0}
.type {0},@function
{0}: ret
.size {0}, . - {0}
"""
DEFINITIONS = {
    "libcublas.so.13": "cublasCreate_v2",
    "libnccl.so.2": "ncclGetVersion",
    "libcudart.so.13": "cudaGetDeviceCount",
}


def run(*command: str | Path) -> None:
    """Runs a program that must succeed."""
    subprocess.run([*map(str, command)], check=True)  # noqa: S603 - fixed arguments


def library(target: Path, source: str, *options: str | Path) -> Path:
    """Links a shared library from assembly."""
    text, compiled = target.with_suffix(".s"), target.with_suffix(".o")
    text.write_text(source)
    run("as", "-o", compiled, text)
    run("ld", "-shared", "-soname", target.name, "-o", target, compiled, *options)
    return target


@pytest.fixture
def site_packages(tmp_path: Path) -> Path:
    """A torch whose CUDA library was linked against NVIDIA's, which are gone but the runtime."""
    folder = tmp_path / "site-packages/torch/lib"
    folder.mkdir(parents=True)
    nvidia = tmp_path / "nvidia"
    nvidia.mkdir()
    needed = []
    for soname, function in DEFINITIONS.items():
        script = tmp_path / "versions"
        script.write_text(f"{soname} {{ {function}; }};")
        options = [] if "nccl" in soname else [f"--version-script={script}"]
        needed.append(library(nvidia / soname, DEFINITION.format(function), *options))
    library(folder / "libtorch_cuda.so", CALLER, *needed, "-rpath", "$ORIGIN")
    (nvidia / "libcudart.so.13").rename(folder / "libcudart.so.13")
    for name in ("libtorch_cuda_linalg.so", "libcaffe2_nvrtc.so"):
        (folder / name).write_bytes(b"never loaded")
    return folder.parents[1]


def loaded(site_packages: Path) -> ctypes.CDLL:
    """Loads torch's CUDA library, all its symbols bound at once as the import of torch does."""
    return ctypes.CDLL(str(site_packages / "torch/lib/libtorch_cuda.so"))


def test_torch_loads_with_stubs_and_not_without(site_packages: Path) -> None:
    """A library that cannot be loaded for want of NVIDIA's libraries loads once stubs stand in."""
    with pytest.raises(OSError, match="cannot open shared object"):
        loaded(site_packages)
    run(sys.executable, PROGRAM, site_packages)
    loaded(site_packages)


def test_only_missing_libraries_are_stubbed(site_packages: Path) -> None:
    """The CUDA runtime stays as it is, and nothing is made that torch does not name."""
    folder = site_packages / "torch/lib"
    runtime = (folder / "libcudart.so.13").read_bytes()
    run(sys.executable, PROGRAM, site_packages)
    made = {file.name for file in folder.glob("*.so*")}
    assert made == {"libtorch_cuda.so", *DEFINITIONS}
    assert (folder / "libcudart.so.13").read_bytes() == runtime


def test_calling_a_stub_ends_the_process(site_packages: Path) -> None:
    """A call of a stub is loud: the process dies of an illegal instruction, it does not go on."""
    run(sys.executable, PROGRAM, site_packages)
    stub = site_packages / "torch/lib/libnccl.so.2"
    call = f"import ctypes; ctypes.CDLL({str(stub)!r}).ncclGetVersion()"
    ended = subprocess.run([sys.executable, "-c", call], check=False)  # noqa: S603 - own text
    assert ended.returncode == -signal.SIGILL
