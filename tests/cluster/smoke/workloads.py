"""Objects for the smoke tests, and requests to them."""

import http.client
from typing import Any
from urllib.parse import quote

from qmo_cluster.cluster import Cluster
from qmo_cluster.waiting import wait_until

ECHO_IMAGE = "localhost/echo:1"
ECHO_PORT = 8080

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
JOBS = "/apis/batch/v1/namespaces/default/jobs"
PODS = "/api/v1/namespaces/default/pods"
SERVICES = "/api/v1/namespaces/default/services"


def deployment(
    name: str, *, replicas: int = 1, pod: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A Deployment of the echo program; `pod` adds to its pod's spec."""
    container = {
        "name": "echo",
        "image": ECHO_IMAGE,
        "imagePullPolicy": "Never",
        "readinessProbe": {"httpGet": {"path": "/", "port": ECHO_PORT}, "periodSeconds": 1},
    }
    spec: dict[str, Any] = {"terminationGracePeriodSeconds": 1, **(pod or {})}
    spec["containers"] = [container | spec.pop("container", {})]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": spec},
        },
    }


def service(name: str) -> dict[str, Any]:
    """A Service in front of a Deployment of the same name."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": ECHO_PORT}]},
    }


def serve_echo(cluster: Cluster, name: str, **options: Any) -> str:  # noqa: ANN401
    """Create the Deployment and its Service, wait for them, return the Service's address."""
    cluster.api.create(DEPLOYMENTS, deployment(name, **options))
    cluster.api.create(SERVICES, service(name))
    cluster.wait_for_condition(f"{DEPLOYMENTS}/{name}", "Available")
    address: str = cluster.api.get(f"{SERVICES}/{name}")["spec"]["clusterIP"]
    wait_until("the Service answers", lambda: _answers(address))
    return address


def get(address: str, path: str = "/", **query: str) -> tuple[int, str]:
    """(status, body) of a request to a Service."""
    words = "&".join(f"{key}={quote(value, safe='')}" for key, value in query.items())
    connection = http.client.HTTPConnection(address, 80, timeout=10)
    try:
        connection.request("GET", f"{path}?{words}" if words else path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode().strip()
    finally:
        connection.close()


def _answers(address: str) -> bool:
    try:
        return get(address)[0] == http.HTTPStatus.OK
    except OSError:
        return False
