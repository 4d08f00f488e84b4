"""Settings from environment variables."""

import dataclasses

import pytest

from quantized_model_operator.settings import EngineSettings, Settings
from quantized_model_operator.shell.environment import (
    SettingError,
    log_format_from,
    log_level_from,
    settings_from,
)

IMAGE = {"QMO_OPERATOR_IMAGE": "mirror.example/operator:7"}


def test_only_the_image_is_required() -> None:
    """With nothing but the operator's image, every setting has its default."""
    assert settings_from(IMAGE) == Settings(operator_image="mirror.example/operator:7")


def test_every_variable_reaches_its_setting() -> None:
    """Each variable sets its own field, and no other one."""
    settings = settings_from(
        {
            "QMO_OPERATOR_IMAGE": "mirror.example/operator:7",
            "QMO_OPERATOR_IMAGE_PULL_POLICY": "always",
            "QMO_IMAGE_PULL_SECRETS": "one, two,,one",
            "QMO_GPU_ENGINE_IMAGE": "mirror.example/gpu:{version}",
            "QMO_GPU_ENGINE_VERSION": "0.40.1",
            "QMO_CPU_ENGINE_IMAGE": "mirror.example/cpu@sha256:abc",
            "QMO_CPU_ENGINE_VERSION": "0.39.0",
            "QMO_ENGINE_PULL_POLICY": "Never",
            "QMO_HUB_ENDPOINT": "http://hub.example:8080/base/",
            "QMO_HUB_CA_CONFIG_MAP": "hub-ca",
            "QMO_CLUSTER_DOMAIN": "corp.example",
            "QMO_ALLOW_CUSTOM_IMAGES": "no",
            "QMO_NAMESPACES": "otters,badgers",
            "QMO_LEADER_ELECTION": "FALSE",
            "QMO_LEASE_NAME": "other-lease",
            "QMO_HTTP_HOST": "127.0.0.1",
            "QMO_HTTP_PORT": "9090",
            "QMO_WORKERS": "3",
            "QMO_RESYNC_SECONDS": "45.5",
            "POD_NAME": "operator-0",
            "POD_NAMESPACE": "system",
        }
    )
    assert settings == Settings(
        operator_image="mirror.example/operator:7",
        operator_image_pull_policy="Always",
        image_pull_secrets=("one", "two"),
        gpu_engine=EngineSettings(
            image="mirror.example/gpu:{version}", default_version="0.40.1", pull_policy="Never"
        ),
        cpu_engine=EngineSettings(
            image="mirror.example/cpu@sha256:abc", default_version="0.39.0", pull_policy="Never"
        ),
        hub_endpoint="http://hub.example:8080/base",
        hub_ca_config_map="hub-ca",
        cluster_domain="corp.example",
        allow_custom_images=False,
        namespaces=("otters", "badgers"),
        pod_namespace="system",
        identity="operator-0",
        leader_election=False,
        lease_name="other-lease",
        http_host="127.0.0.1",
        http_port=9090,
        workers=3,
        resync_seconds=45.5,
    )


def test_an_empty_variable_means_the_default() -> None:
    """A variable that a chart renders as empty is the same as one that is not set."""
    names = ("QMO_NAMESPACES", "QMO_HTTP_PORT", "QMO_GPU_ENGINE_IMAGE", "POD_NAMESPACE")
    assert settings_from(IMAGE | dict.fromkeys(names, " ")) == settings_from(IMAGE)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("QMO_OPERATOR_IMAGE_PULL_POLICY", "Sometimes", "one of Always, IfNotPresent, Never"),
        ("QMO_IMAGE_PULL_SECRETS", "ok,Not_Ok", "names of Secrets separated by commas"),
        ("QMO_GPU_ENGINE_IMAGE", "engine:{tag}", "{version} in the place of the engine version"),
        ("QMO_GPU_ENGINE_VERSION", "latest", "a vLLM version such as 0.33.0"),
        ("QMO_CPU_ENGINE_IMAGE", "two words", "an image"),
        ("QMO_CPU_ENGINE_VERSION", "v0.33.0", "a vLLM version such as 0.33.0"),
        ("QMO_ENGINE_PULL_POLICY", "x", "one of Always, IfNotPresent, Never"),
        ("QMO_HUB_ENDPOINT", "huggingface.co", "a URL that begins with http:// or https://"),
        ("QMO_HUB_CA_CONFIG_MAP", "Hub CA", "the name of a ConfigMap"),
        ("QMO_CLUSTER_DOMAIN", "-.-", "a DNS domain"),
        ("QMO_ALLOW_CUSTOM_IMAGES", "maybe", "true or false"),
        ("QMO_NAMESPACES", "a,b_c", "names of namespaces separated by commas"),
        ("QMO_LEADER_ELECTION", "2", "true or false"),
        ("QMO_LEASE_NAME", "Lease!", "the name of a Lease"),
        ("QMO_HTTP_PORT", "65536", "a whole number from 0 to 65535"),
        ("QMO_HTTP_PORT", "-1", "a whole number from 0 to 65535"),
        ("QMO_WORKERS", "0", "a whole number from 1 to 256"),
        ("QMO_WORKERS", "\u0663", "a whole number from 1 to 256"),
        ("QMO_RESYNC_SECONDS", "nan", "a number of seconds from 10 to 86400"),
        ("QMO_RESYNC_SECONDS", "soon", "a number of seconds from 10 to 86400"),
        ("POD_NAMESPACE", "Upper", "the name of a namespace"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(name: str, value: str, allowed: str) -> None:
    """A wrong value ends in one sentence with the variable, the value and what is allowed."""
    with pytest.raises(SettingError) as caught:
        settings_from(IMAGE | {name: value})
    sentence = str(caught.value)
    assert sentence.startswith(f"{name} is {value!r}, but must be ")
    assert allowed in sentence
    assert "\n" not in sentence


def test_a_missing_image_is_named() -> None:
    """Without the operator's image, the sentence says what it is for."""
    with pytest.raises(SettingError, match="QMO_OPERATOR_IMAGE is not set, but must be the"):
        settings_from({})


def test_the_log_is_json_unless_people_read_it() -> None:
    """JSON is the default, plain text on a terminal, and a variable decides over both."""
    assert log_format_from({}, terminal=False) == "json"
    assert log_format_from({}, terminal=True) == "text"
    assert log_format_from({"QMO_LOG_FORMAT": "text"}, terminal=False) == "text"
    assert log_format_from({"QMO_LOG_FORMAT": "JSON"}, terminal=True) == "json"


def test_the_log_level_is_one_of_four() -> None:
    """INFO is the default; an unknown level is refused by name."""
    assert log_level_from({}) == "INFO"
    assert log_level_from({"QMO_LOG_LEVEL": "debug"}) == "DEBUG"
    with pytest.raises(SettingError, match="QMO_LOG_LEVEL is 'TRACE', but must be one of DEBUG"):
        log_level_from({"QMO_LOG_LEVEL": "TRACE"})


def test_no_setting_is_left_without_a_variable() -> None:
    """Every field of Settings can be set from outside, but for two fixed numbers."""
    fixed = {"api_requests_per_second", "record_grace_seconds"}
    plain = settings_from(IMAGE)
    full = {
        "operator_image_pull_policy": ("QMO_OPERATOR_IMAGE_PULL_POLICY", "Always"),
        "image_pull_secrets": ("QMO_IMAGE_PULL_SECRETS", "a"),
        "gpu_engine": ("QMO_GPU_ENGINE_VERSION", "1.2.3"),
        "cpu_engine": ("QMO_CPU_ENGINE_VERSION", "1.2.3"),
        "hub_endpoint": ("QMO_HUB_ENDPOINT", "http://h"),
        "hub_ca_config_map": ("QMO_HUB_CA_CONFIG_MAP", "a"),
        "cluster_domain": ("QMO_CLUSTER_DOMAIN", "a"),
        "allow_custom_images": ("QMO_ALLOW_CUSTOM_IMAGES", "0"),
        "namespaces": ("QMO_NAMESPACES", "a"),
        "pod_namespace": ("POD_NAMESPACE", "a"),
        "identity": ("POD_NAME", "a"),
        "leader_election": ("QMO_LEADER_ELECTION", "0"),
        "lease_name": ("QMO_LEASE_NAME", "a"),
        "http_host": ("QMO_HTTP_HOST", "a"),
        "http_port": ("QMO_HTTP_PORT", "1"),
        "workers": ("QMO_WORKERS", "1"),
        "resync_seconds": ("QMO_RESYNC_SECONDS", "60"),
    }
    names = {field.name for field in dataclasses.fields(Settings)}
    assert names - fixed - {"operator_image"} == full.keys()
    for field, (variable, value) in full.items():
        assert getattr(settings_from(IMAGE | {variable: value}), field) != getattr(plain, field)
