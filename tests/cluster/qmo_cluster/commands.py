"""Running short helper programs (openssl, ip, nft, ctr, kubectl) to their end."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from qmo_cluster.errors import fail


def run(
    argv: Sequence[str | Path],
    *,
    check: bool = True,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    timeout_seconds: float = 120,
) -> subprocess.CompletedProcess[str]:
    """Run a program without a shell and return what it printed.

    Raises:
        ClusterError: the program is missing, ran too long or, with `check`, ended with an error.
    """
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(  # noqa: S603 - fixed programs, argument lists, no shell
            words,
            input=stdin,
            env=None if env is None else dict(env),
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )
    except FileNotFoundError:
        fail(f"The program {words[0]} is not installed.")
    except subprocess.TimeoutExpired:
        fail(f"`{' '.join(words)}` ran longer than {timeout_seconds:g} s.")
    if check and done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        fail(f"`{' '.join(words)}` failed with {done.returncode}: {said}")
    return done
