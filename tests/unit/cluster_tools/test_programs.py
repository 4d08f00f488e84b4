"""The tables of programs agree with the modules that pin them."""

import re

import pytest

from qmo_cluster.building import TOOLS_DIRECTORY
from qmo_cluster.kwok_stages import stages
from qmo_cluster.programs import KUBERNETES_VERSION, PROGRAMS, Profile, Program, programs_of


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_every_program_is_pinned_by_its_tool_module(program: Program) -> None:
    """The package of a program is a tool of its module, so that its checksums are complete."""
    text = (TOOLS_DIRECTORY / program.tool / "go.mod").read_text()

    assert program.package == "." or re.search(
        rf"^(tool )?\s*{program.package}$", text, re.MULTILINE
    )


def test_every_tool_module_is_used() -> None:
    """No module is pinned that no program needs."""
    folders = {path.parent.name for path in TOOLS_DIRECTORY.glob("*/go.mod")}

    assert folders == {program.tool for program in PROGRAMS}


def test_kubernetes_says_the_version_that_is_pinned() -> None:
    """The version built into the programs is that of the module, and fake nodes claim it too."""
    text = (TOOLS_DIRECTORY / "kubernetes" / "go.mod").read_text()

    assert f"k8s.io/kubernetes {KUBERNETES_VERSION}" in text
    assert f"kubeletVersion: {KUBERNETES_VERSION}" in stages()[0]["spec"]["next"]["statusTemplate"]


def test_staging_modules_are_all_of_one_release() -> None:
    """Every replaced module has the version that belongs to the pinned Kubernetes."""
    text = (TOOLS_DIRECTORY / "kubernetes" / "go.mod").read_text()
    wanted = KUBERNETES_VERSION.replace("v1.", "v0.", 1)

    versions = re.findall(r"=> k8s\.io/\S+ (\S+)", text)

    assert len(versions) > 30
    assert set(versions) == {wanted}


def test_the_control_plane_needs_no_node_programs() -> None:
    """The small profile builds nothing that only runs pods."""
    names = {program.name for program in programs_of(Profile.CONTROL_PLANE)}

    assert names.isdisjoint({"kubelet", "kube-proxy", "containerd", "coredns", "pause"})
    assert {"etcd", "kube-apiserver", "kubectl", "kwok", "helm"} <= names
