"""Makes the virtual environment of the operator's image small and ready for a read-only root.

    python3 finish_environment.py ENVIRONMENT

Removes test folders, type stubs and an unused client, compiles the rest to bytecode.
"""

from __future__ import annotations

import compileall
import shutil
import sys
from pathlib import Path
from py_compile import PycInvalidationMode

SECOND_CLIENT = "kubernetes/aio"
"""The asyncio twin of the client, 68 MB that nothing here imports."""


def prune(site_packages: Path) -> None:
    """Removes the packages' own tests, sources of compiled modules, stubs and an unused client."""
    shutil.rmtree(site_packages / SECOND_CLIENT)
    for name in ("test", "tests"):
        for path in [path for path in site_packages.rglob(name) if path.is_dir()]:
            shutil.rmtree(path)
    for suffix in (".pyi", ".pyx", ".pxd", ".c", ".h"):
        for path in list(site_packages.rglob(f"*{suffix}")):
            path.unlink()


def main() -> int:
    """Finishes the environment named as the only argument."""
    site_packages = next(Path(sys.argv[1]).glob("lib/python3.*/site-packages"))
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
