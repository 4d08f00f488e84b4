"""Which programs there are, which Go module builds them, which profile needs them. Pure tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

KUBERNETES_VERSION = "v1.37.2"

# Helm charts compare their kubeVersion with what the API server says of itself.
_KUBERNETES_FLAGS = f"-X k8s.io/component-base/version.gitVersion={KUBERNETES_VERSION}"


class Profile(Enum):
    """How much of a cluster is started."""

    CONTROL_PLANE = "control-plane"
    NODE = "node"


@dataclass(frozen=True)
class Program:
    """One executable: its name, the tool module that pins it and its Go package there."""

    name: str
    tool: str
    package: str
    link_flags: str = ""
    profiles: frozenset[Profile] = frozenset(Profile)


def _kubernetes(name: str, *profiles: Profile) -> Program:
    return Program(
        name=name,
        tool="kubernetes",
        package=f"k8s.io/kubernetes/cmd/{name}",
        link_flags=_KUBERNETES_FLAGS,
        profiles=frozenset(profiles or Profile),
    )


def _containerd(name: str) -> Program:
    return Program(
        name=name,
        tool="containerd",
        package=f"github.com/containerd/containerd/v2/cmd/{name}",
        profiles=frozenset({Profile.NODE}),
    )


PROGRAMS: Sequence[Program] = (
    Program("etcd", "etcd", "go.etcd.io/etcd/server/v3"),
    _kubernetes("kube-apiserver"),
    _kubernetes("kube-controller-manager"),
    _kubernetes("kube-scheduler"),
    _kubernetes("kubectl"),
    _kubernetes("kubelet", Profile.NODE),
    _kubernetes("kube-proxy", Profile.NODE),
    _containerd("containerd"),
    _containerd("containerd-shim-runc-v2"),
    _containerd("ctr"),
    Program(
        "coredns",
        "coredns",
        "github.com/coredns/coredns",
        profiles=frozenset({Profile.NODE}),
    ),
    Program("pause", "pause", ".", profiles=frozenset({Profile.NODE})),
    Program(
        "kwok",
        "kwok",
        "sigs.k8s.io/kwok/cmd/kwok",
        profiles=frozenset({Profile.CONTROL_PLANE}),
    ),
    Program("helm", "helm", "helm.sh/helm/v4/cmd/helm"),
)


def programs_of(profile: Profile) -> list[Program]:
    """The programs a profile needs, in the order of the table."""
    return [program for program in PROGRAMS if profile in program.profiles]
