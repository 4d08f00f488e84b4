"""The command: up, down, build, load-image, preflight."""

import argparse
import sys
from collections.abc import Sequence

from qmo_cluster.building import ensure_programs
from qmo_cluster.cluster import Cluster
from qmo_cluster.errors import ClusterError
from qmo_cluster.images import image_names
from qmo_cluster.lifecycle import down, up
from qmo_cluster.preflight import install_missing_packages, problems
from qmo_cluster.programs import Profile
from qmo_cluster.progress import Progress


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m qmo_cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    profiles = [profile.value for profile in Profile]

    bring_up = commands.add_parser(
        "up", help="bring up a new cluster; prints its kubeconfig's path"
    )
    bring_up.add_argument("--audit", action=argparse.BooleanOptionalAction, default=None,
                          help="write DIR/audit.log (default: for control-plane)")  # fmt: skip
    bring_up.add_argument("--gpu-nodes", type=int, default=0, metavar="N",
                          help="fake GPU nodes to begin with (control plane profile)")  # fmt: skip
    take_down = commands.add_parser("down", help="end a cluster and remove its state")
    take_down.add_argument("--keep-images", action="store_true",
                           help="leave the imported images for the next `up`")  # fmt: skip
    build = commands.add_parser("build", help="build the programs only; prints their paths")
    load = commands.add_parser("load-image", help="import image archives; prints the node's images")
    load.add_argument("--name", help="the image's name, for archives that carry none")
    load.add_argument("archives", nargs="+", metavar="ARCHIVE")
    preflight = commands.add_parser("preflight", help="say what this machine lacks")
    preflight.add_argument("--with-vllm", action="store_true", help="also what a real vLLM needs")
    preflight.add_argument("--install", action="store_true",
                           help="install missing Debian packages first, as root")  # fmt: skip
    for command in (bring_up, build, preflight):
        command.add_argument("--profile", choices=profiles, required=True)
    for command in (bring_up, take_down, load):
        command.add_argument("--dir", required=True, metavar="DIR", help="the state folder")
    return parser


def _run(options: argparse.Namespace) -> int:
    match options.command:
        case "up":
            cluster = up(Profile(options.profile), options.dir,
                         audit=options.audit, gpu_nodes=options.gpu_nodes)  # fmt: skip
            print(cluster.kubeconfig)
        case "down":
            down(options.dir, keep_images=options.keep_images)
        case "build":
            for path in ensure_programs(Profile(options.profile), Progress()):
                print(path)
        case "load-image":
            cluster = Cluster.open(options.dir)
            cluster.load_image(*options.archives, index_name=options.name)
            for name in image_names(cluster.layout):
                print(name)
        case _:
            return _preflight(options)
    return 0


def _preflight(options: argparse.Namespace) -> int:
    profile = Profile(options.profile)
    if options.install:
        install_missing_packages(profile, Progress())
    found = problems(profile, with_vllm=options.with_vllm)
    for sentence in found:
        print(sentence)
    return 1 if found else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; errors become one line on standard error."""
    try:
        return _run(_parser().parse_args(arguments))
    except ClusterError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
