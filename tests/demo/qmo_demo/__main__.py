"""`make demo`: a cluster, the operator, a really quantised model, and an answer from it.

python -m qmo_demo          on a Kubernetes node made here, in .state/demo
python -m qmo_demo --cluster current [--registry REGISTRY | --images-loaded]
python -m qmo_demo down     remove everything again
"""

import argparse
import sys

from qmo_cluster.cluster import Cluster
from qmo_cluster.errors import ClusterError, fail
from qmo_cluster.lifecycle import down, up
from qmo_cluster.preflight import install_missing_packages, problems
from qmo_cluster.programs import Profile
from qmo_cluster.progress import Progress
from qmo_demo import installation, supplies, talk
from qmo_demo.kubernetes import Kubernetes, of_cluster, of_current_context
from qmo_demo.story import tell
from qmo_demo.waiting import condition, wait_ready

_START_SECONDS = 900


def main(arguments: list[str]) -> int:
    """Run the demo or remove it; errors become one line."""
    options = _options(arguments)
    progress = Progress()
    try:
        if options.command == "down":
            _remove(options, progress)
        else:
            _run(options, progress)
    except ClusterError as error:
        sys.stderr.write(f"demo: {error}\n")
        return 1
    return 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", nargs="?", choices=("up", "down"), default="up")
    parser.add_argument("--cluster", choices=("own", "current"), default="own")
    parser.add_argument("--registry", default="", help="push the images there (current cluster)")
    parser.add_argument(
        "--images-loaded", action="store_true", help="the nodes have the images (current cluster)"
    )
    parser.add_argument("--dir", default=".state/demo", help="state of the own cluster")
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace, progress: Progress) -> None:
    own = options.cluster == "own"
    if not own and not (options.registry or options.images_loaded):
        fail(
            "CLUSTER=current needs REGISTRY=registry.example/you, where the images are pushed, or "
            "IMAGES=loaded when the nodes have them."
        )
    _check(progress)
    model = supplies.make_model(progress)
    if own:
        cluster = _own_cluster(options.dir, progress)
        kubernetes = of_cluster(cluster)
        stamp = supplies.load_images(cluster, progress)
    else:
        cluster, stamp = None, ""
        kubernetes = of_current_context(progress)
        if options.registry:
            supplies.push_images(options.registry, progress)
    progress.say("operator: install the chart with Helm")
    installation.install_chart(kubernetes, image_stamp=stamp, registry=options.registry)
    _serve(kubernetes, cluster, model, options.registry, progress)
    ready = wait_ready(
        kubernetes,
        installation.NAMESPACE,
        installation.MODEL,
        seconds=_START_SECONDS,
        progress=progress,
    )
    with talk.forwarded(kubernetes, installation.NAMESPACE, installation.MODEL) as url:
        progress.say("ask with curl and with the openai client")
        answers = (
            talk.ask_with_curl(url, installation.MODEL, model.question),
            talk.ask_with_openai(url, installation.MODEL, model.question),
        )
    tell(kubernetes, ready, model, answers)
    if set(answers) != {model.answer}:
        fail(f"The answer is wrong: {answers}; the model learned {model.answer!r}.")
    progress.say("done: the answer is right")


def _check(progress: Progress) -> None:
    progress.say("check this machine")
    install_missing_packages(Profile.NODE, progress)
    found = problems(Profile.NODE, with_vllm=True)
    if found:
        fail(" ".join(found))


def _own_cluster(directory: str, progress: Progress) -> Cluster:
    """The cluster of the last run if it still stands, else a new one."""
    try:
        cluster = Cluster.open(directory)
        if cluster.api.is_ready():
            progress.say(f"cluster: take the one in {directory}")
            return cluster
    except (ClusterError, OSError):
        pass
    progress.say("cluster: build Kubernetes from source (ten minutes the first time) and start it")
    return up(Profile.NODE, directory, progress=progress)


def _serve(
    kubernetes: Kubernetes,
    cluster: Cluster | None,
    model: supplies.TinyModel,
    registry: str,
    progress: Progress,
) -> None:
    kubernetes.apply(installation.namespace(installation.NAMESPACE))
    _forget_what_failed(kubernetes)
    progress.say("model: put the checkpoint into a claim and apply the QuantizedModel")
    if cluster:
        installation.claim_on_node(
            cluster,
            model.folder,
            namespace_name=installation.NAMESPACE,
            name=installation.CLAIM,
        )
        kubernetes.apply(installation.model_manifest("", model))
    else:
        image = f"{supplies.OPERATOR_REPOSITORY}:{supplies.operator_version()}"
        if registry:
            image = image.replace("localhost/", f"{registry}/", 1)
        installation.claim_by_copy(kubernetes, model.folder, image)
        kubernetes.apply(installation.model_manifest(f"/{installation.MODEL}", model))


def _forget_what_failed(kubernetes: Kubernetes) -> None:
    """A model that an earlier run left without success begins anew."""
    found = kubernetes.get("quantizedmodel", installation.MODEL, installation.NAMESPACE)
    if found and condition(found, "Ready").get("status") != "True":
        kubernetes.kubectl(
            "delete",
            "quantizedmodel",
            installation.MODEL,
            f"--namespace={installation.NAMESPACE}",
            "--cascade=foreground",
            "--wait=true",
        )


def _remove(options: argparse.Namespace, progress: Progress) -> None:
    if options.cluster == "own":
        down(options.dir, progress=progress)
        return
    kubernetes = of_current_context(progress)
    kubernetes.kubectl("delete", "namespace", installation.NAMESPACE, "--ignore-not-found")
    kubernetes.helm(
        "uninstall", "qm", f"--namespace={installation.OPERATOR_NAMESPACE}", "--ignore-not-found"
    )
    kubernetes.kubectl("delete", "namespace", installation.OPERATOR_NAMESPACE, "--ignore-not-found")
    kubernetes.kubectl(
        "delete", "crd", "quantizedmodels.serving.quantizedmodel.dev", "--ignore-not-found"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
