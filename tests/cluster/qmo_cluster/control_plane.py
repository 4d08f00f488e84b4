"""How etcd, the API server, the controller manager and the scheduler are started. Pure."""

from typing import Any

from qmo_cluster.credentials import kubeconfig_path
from qmo_cluster.processes import ProcessSpec
from qmo_cluster.programs import Profile
from qmo_cluster.settings import SERVICE_ACCOUNT_ISSUER, Settings

# In order of start.
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


def etcd(settings: Settings) -> ProcessSpec:
    """One member on loopback; without fsync, since no one misses a test cluster's data."""
    peer_url = f"http://127.0.0.1:{settings.ports['etcd-peer']}"
    return ProcessSpec(
        "etcd",
        [
            str(settings.layout.programs / "etcd"),
            "--name=etcd",
            f"--data-dir={settings.layout.etcd}",
            f"--listen-client-urls={settings.etcd_url}",
            f"--advertise-client-urls={settings.etcd_url}",
            f"--listen-peer-urls={peer_url}",
            f"--initial-advertise-peer-urls={peer_url}",
            f"--initial-cluster=etcd={peer_url}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ],
    )


def kube_apiserver(settings: Settings) -> ProcessSpec:
    """Tokens for identities, real service account keys, node and role authorisation."""
    folder = settings.layout.credentials
    argv = [
        str(settings.layout.programs / "kube-apiserver"),
        f"--etcd-servers={settings.etcd_url}",
        f"--bind-address={settings.host}",
        f"--advertise-address={settings.host}",
        f"--secure-port={settings.ports['kube-apiserver']}",
        f"--tls-cert-file={folder}/kube-apiserver.crt",
        f"--tls-private-key-file={folder}/kube-apiserver.key",
        f"--client-ca-file={folder}/ca.crt",
        f"--token-auth-file={folder}/tokens.csv",
        f"--service-account-key-file={folder}/service-accounts.key",
        f"--service-account-signing-key-file={folder}/service-accounts.key",
        f"--service-account-issuer={SERVICE_ACCOUNT_ISSUER}",
        f"--service-cluster-ip-range={settings.service_cidr}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--kubelet-certificate-authority={folder}/ca.crt",
        f"--kubelet-client-certificate={folder}/kube-apiserver-kubelet.crt",
        f"--kubelet-client-key={folder}/kube-apiserver-kubelet.key",
        "--kubelet-preferred-address-types=InternalIP",
        "--enable-aggregator-routing=true",
        f"--requestheader-client-ca-file={folder}/front-proxy-ca.crt",
        "--requestheader-allowed-names=front-proxy",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={folder}/front-proxy.crt",
        f"--proxy-client-key-file={folder}/front-proxy.key",
        "--shutdown-delay-duration=0s",
    ]
    if settings.profile is Profile.CONTROL_PLANE:
        # Loopback is no legal endpoint address, and no pod is there to use it.
        argv.append("--endpoint-reconciler-type=none")
    if settings.audit:
        argv += [
            f"--audit-policy-file={settings.layout.config}/audit-policy.json",
            f"--audit-log-path={settings.layout.audit_log}",
            "--audit-log-format=json",
            # Blocking: an event is on disk before its request is answered.
            "--audit-log-mode=blocking",
            "--audit-log-maxsize=10000",
        ]
    return ProcessSpec("kube-apiserver", argv)


def kube_controller_manager(settings: Settings) -> ProcessSpec:
    """All controllers, each as its own service account, without leader election."""
    folder = settings.layout.credentials
    kubeconfig = kubeconfig_path(settings.layout, "kube-controller-manager")
    return ProcessSpec(
        "kube-controller-manager",
        [
            str(settings.layout.programs / "kube-controller-manager"),
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            "--bind-address=127.0.0.1",
            f"--secure-port={settings.ports['kube-controller-manager']}",
            f"--tls-cert-file={folder}/kube-apiserver.crt",
            f"--tls-private-key-file={folder}/kube-apiserver.key",
            "--leader-elect=false",
            "--use-service-account-credentials=true",
            f"--service-account-private-key-file={folder}/service-accounts.key",
            f"--root-ca-file={folder}/ca.crt",
            f"--cluster-signing-cert-file={folder}/ca.crt",
            f"--cluster-signing-key-file={folder}/ca.key",
            # Each controller fetches a token of its own first; the default rate makes that slow.
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
            # Tests wait for autoscaling decisions; the default is 15 s.
            "--horizontal-pod-autoscaler-sync-period=3s",
            f"--cluster-name={settings.layout.name}",
        ],
    )


def kube_scheduler(settings: Settings) -> ProcessSpec:
    """The default scheduler, without leader election."""
    folder = settings.layout.credentials
    kubeconfig = kubeconfig_path(settings.layout, "kube-scheduler")
    return ProcessSpec(
        "kube-scheduler",
        [
            str(settings.layout.programs / "kube-scheduler"),
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            "--bind-address=127.0.0.1",
            f"--secure-port={settings.ports['kube-scheduler']}",
            f"--tls-cert-file={folder}/kube-apiserver.crt",
            f"--tls-private-key-file={folder}/kube-apiserver.key",
            "--leader-elect=false",
        ],
    )


def audit_policy() -> dict[str, Any]:
    """Every request once, when it is answered, without bodies."""
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata"}],
    }
