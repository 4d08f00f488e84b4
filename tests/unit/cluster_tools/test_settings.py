"""A cluster's names and settings."""

from dataclasses import replace
from pathlib import Path

import pytest

from qmo_cluster.errors import ClusterError
from qmo_cluster.programs import Profile
from qmo_cluster.settings import Layout, Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a node cluster."""
    return Settings(
        profile=Profile.NODE,
        directory=tmp_path,
        host="10.201.0.1",
        pod_cidr="10.201.0.0/24",
        service_cidr="10.201.128.0/24",
        ports={"kube-apiserver": 21001, "etcd": 21002},
        audit=True,
    )


def test_settings_survive_a_file(settings: Settings) -> None:
    """What `up` saves, every later command reads."""
    settings.save()

    assert load_settings(settings.directory) == settings


def test_addresses_follow_from_the_ranges(settings: Settings) -> None:
    """The API server, its Service and the DNS Service have the addresses pods use."""
    assert settings.api_url == "https://10.201.0.1:21001"
    assert settings.first_service_address == "10.201.128.1"
    assert settings.dns_address == "10.201.128.10"
    assert settings.etcd_url == "http://127.0.0.1:21002"


def test_a_folder_without_a_cluster_is_an_error(tmp_path: Path) -> None:
    """Commands on an unknown folder say that no cluster is there."""
    with pytest.raises(ClusterError, match="no cluster"):
        load_settings(tmp_path / "missing")


def test_a_broken_file_is_an_error(settings: Settings) -> None:
    """A settings file cut off by a full disk is named."""
    settings.layout.settings_file.write_text("{")

    with pytest.raises(ClusterError, match=r"settings\.json cannot be read"):
        load_settings(settings.directory)


def test_names_are_short_and_differ(tmp_path: Path) -> None:
    """Two folders have two names, each fit for a network interface; links lead to one name."""
    first, second = Layout.at(tmp_path / "a"), Layout.at(tmp_path / "b")
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")

    assert first.name != second.name
    assert len(first.name) <= 15
    assert Layout.at(tmp_path / "link").name == first.name


def test_profiles_are_spelled_as_on_the_command_line(settings: Settings) -> None:
    """The saved profile is the word of the command, so that people can read the file."""
    replace(settings, profile=Profile.CONTROL_PLANE).save()

    assert '"control-plane"' in settings.layout.settings_file.read_text()
