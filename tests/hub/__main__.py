"""The command: serve the repositories below a folder until interrupted."""

import argparse
import asyncio
import signal
from pathlib import Path

from hub.server import Access, Hub


async def serve(options: argparse.Namespace) -> None:
    """Serve until SIGINT or SIGTERM."""
    access = Access()
    for entry in options.gated:
        repository, _, token = entry.partition("=")
        access.gated.setdefault(repository, set()).add(token)
    hub = Hub(options.root, access)
    hub.faults.bytes_per_second = options.bytes_per_second
    endpoint = await hub.start(options.host, options.port)
    print(f"serving {options.root} at {endpoint}", flush=True)
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
    await hub.stop()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m hub", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder of organisation/name")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument(
        "--gated",
        action="append",
        default=[],
        metavar="ORGANISATION/NAME=TOKEN",
        help="a repository whose files need this token; may be repeated",
    )
    parser.add_argument("--bytes-per-second", type=float, help="speed limit of large files")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
