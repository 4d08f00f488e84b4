"""The operator's pod is restricted, and its environment is what the program reads."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from quantized_model_operator.settings import EngineSettings, Settings
from quantized_model_operator.shell.environment import log_level_from, settings_from
from unit.chart.rendering import CI_VALUES, environment, of_kind, operator_container, rendered

if TYPE_CHECKING:
    from pathlib import Path

EVERYTHING_ELSE = """
image: {registry: mirror.example, repository: otter, tag: "9", pullPolicy: Always}
imagePullSecrets: [{name: one}, {name: two}]
engines:
  pullPolicy: Never
  gpu: {image: "mirror.example/gpu:{version}", version: 9.9.1}
  cpu: {image: "mirror.example/cpu:{version}", version: 9.9.2}
hub: {endpoint: "https://hub.example", caConfigMap: hub-ca}
clusterDomain: otter.example
allowCustomImages: false
namespaces: [a, b]
leaderElection: {enabled: false, leaseName: otter}
httpPort: 9090
workers: 3
resyncSeconds: 77
logLevel: DEBUG
"""

NOT_IN_THE_CHART = {"http_host", "api_requests_per_second", "record_grace_seconds"}


def test_every_value_reaches_the_program() -> None:
    """Each value of the chart ends in the setting that it is about, as the program reads it."""
    assert settings_from(environment(rendered(EVERYTHING_ELSE))) == Settings(
        operator_image="mirror.example/otter:9",
        operator_image_pull_policy="Always",
        image_pull_secrets=("one", "two"),
        gpu_engine=EngineSettings(
            image="mirror.example/gpu:{version}", default_version="9.9.1", pull_policy="Never"
        ),
        cpu_engine=EngineSettings(
            image="mirror.example/cpu:{version}", default_version="9.9.2", pull_policy="Never"
        ),
        hub_endpoint="https://hub.example",
        hub_ca_config_map="hub-ca",
        cluster_domain="otter.example",
        allow_custom_images=False,
        namespaces=("a", "b"),
        pod_namespace="system",
        identity="operator-pod",
        leader_election=False,
        lease_name="otter",
        http_port=9090,
        workers=3,
        resync_seconds=77,
    )
    assert log_level_from(environment(rendered(EVERYTHING_ELSE))) == "DEBUG"


def test_no_setting_is_forgotten_by_the_chart() -> None:
    """Every setting of the program can be changed by a value, except those meant for tests."""
    plain = settings_from(environment(rendered()))
    changed = settings_from(environment(rendered(EVERYTHING_ELSE)))
    same = {
        item.name
        for item in fields(Settings)
        if getattr(plain, item.name) == getattr(changed, item.name)
    }
    # Both answers come from the downward API.
    assert same - {"pod_namespace", "identity"} == NOT_IN_THE_CHART


def test_the_chart_changes_no_default() -> None:
    """With the chart's own values the program has the settings it has without a chart."""
    found = settings_from(environment(rendered()))
    assert found == Settings(
        operator_image="quantized-model-operator:0.1.0",
        pod_namespace="system",
        identity="operator-pod",
        lease_name="release-quantized-model-operator",
    )


def test_a_digest_wins_over_the_tag() -> None:
    """A pinned image is used as pinned, also for the programs that the operator starts."""
    digest = "sha256:" + "a" * 64
    manifests = rendered(f"image: {{repository: otter, tag: '9', digest: '{digest}'}}")
    assert operator_container(manifests)["image"] == f"otter@{digest}"
    assert environment(manifests)["QMO_OPERATOR_IMAGE"] == f"otter@{digest}"


@pytest.mark.parametrize("values", CI_VALUES, ids=lambda path: path.stem)
def test_the_pod_is_restricted(values: Path) -> None:
    """The pod meets the restricted Pod Security Standard, and its root file system is read-only."""
    manifests = rendered(values.read_text(encoding="utf-8"))
    (deployment,) = of_kind(manifests, "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    security = operator_container(manifests)["securityContext"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 65532
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["readOnlyRootFilesystem"] is True
    assert [sorted(set(volume) - {"name"}) for volume in pod["volumes"]] == [["emptyDir"]]


def test_probes_and_port_agree() -> None:
    """Probes, Service and program use the same port, whatever it is."""
    manifests = rendered("httpPort: 9090")
    container = operator_container(manifests)
    (port,) = container["ports"]
    (service,) = of_kind(manifests, "Service")
    assert port["containerPort"] == service["spec"]["ports"][0]["port"] == 9090
    for probe in ("startupProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": "/livez", "port": port["name"]}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": port["name"]}
    assert container["args"] == ["run"]


def test_selectors_find_the_pod() -> None:
    """Service, disruption budget, network policy and monitor select exactly the operator's pods."""
    text = next(path for path in CI_VALUES if path.stem.startswith("everything"))
    manifests = rendered(text.read_text(encoding="utf-8"))
    (deployment,) = of_kind(manifests, "Deployment")
    (service,) = of_kind(manifests, "Service")
    (monitor,) = of_kind(manifests, "ServiceMonitor")
    wanted = deployment["spec"]["selector"]["matchLabels"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert wanted.items() <= labels.items()
    assert service["spec"]["selector"] == wanted
    (budget,) = of_kind(manifests, "PodDisruptionBudget")
    assert budget["spec"]["selector"]["matchLabels"] == wanted
    (policy,) = of_kind(manifests, "NetworkPolicy")
    assert policy["spec"]["podSelector"]["matchLabels"] == wanted
    monitored = monitor["spec"]["selector"]["matchLabels"]
    assert monitored.items() <= service["metadata"]["labels"].items()


def test_children_never_match_the_operators_selector() -> None:
    """Pods of models carry other values of the labels, so that no policy mixes them up."""
    (deployment,) = of_kind(rendered(), "Deployment")
    wanted = deployment["spec"]["selector"]["matchLabels"]
    assert wanted["app.kubernetes.io/component"] not in {"serving", "inspect", "fetch"}
