"""How containerd, the kubelet, kube-proxy and CoreDNS are configured and started. Pure."""

import json
from typing import Any

from qmo_cluster.addresses import gateway_of
from qmo_cluster.credentials import kubeconfig_path
from qmo_cluster.processes import ProcessSpec
from qmo_cluster.settings import CLUSTER_DOMAIN, NODE_NAME, Settings

# In order of start.
NODE = ("containerd", "kubelet", "kube-proxy", "coredns")

PAUSE_IMAGE = "localhost/pause:1"


def config_files(settings: Settings) -> dict[str, str]:
    """Every configuration file of the node, by its name below the config folder."""
    return {
        "containerd.toml": containerd_config(settings),
        "cni/10-bridge.conflist": json.dumps(network_config(settings), indent=2),
        "kubelet.json": json.dumps(kubelet_config(settings), indent=2),
        "kube-proxy.json": json.dumps(kube_proxy_config(settings), indent=2),
        "Corefile": corefile(settings),
        # Pods with the node's own resolver get none: nothing leaves the machine.
        "resolv.conf": "# no name servers\n",
    }


def containerd_config(settings: Settings) -> str:
    """Root, state, sockets and runtime state all below our own folders; no plugin reaches outside.

    `restrict_oom_score_adj`: without CAP_SYS_RESOURCE every sandbox fails otherwise.
    """
    layout = settings.layout
    return f"""\
version = 3
root = '{layout.containerd}'
state = '{layout.run_directory}/containerd'
disabled_plugins = ['io.containerd.nri.v1.nri']

[grpc]
  address = '{layout.runtime_socket}'

[plugins.'io.containerd.internal.v1.opt']
  path = '{layout.containerd}/opt'

[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = '{PAUSE_IMAGE}'

[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  cdi_spec_dirs = []

[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ['/usr/lib/cni', '/opt/cni/bin']
  conf_dir = '{layout.config}/cni'
  use_internal_loopback = true

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = 'io.containerd.runc.v2'

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  Root = '{layout.run_directory}/runc'
  SystemdCgroup = false
"""


def network_config(settings: Settings) -> dict[str, Any]:
    """A bridge of our own name; a pod's only routes are the bridge's range and the services'."""
    layout = settings.layout
    return {
        "cniVersion": "1.0.0",
        "name": layout.name,
        "plugins": [
            {
                "type": "bridge",
                "bridge": layout.name,
                "isGateway": True,
                "ipMasq": False,
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "dataDir": str(layout.run_directory / "addresses"),
                    "ranges": [[{"subnet": settings.pod_cidr}]],
                    "routes": [{"dst": settings.service_cidr}],
                },
            }
        ],
    }


def kubelet_config(settings: Settings) -> dict[str, Any]:
    """A kubelet that runs beside others: cgroup v1 or v2, with or without swap, on a full disk."""
    layout = settings.layout
    little = {"memory.available": "100Mi", "nodefs.available": "1%", "nodefs.inodesFree": "1%",
              "imagefs.available": "1%", "imagefs.inodesFree": "1%"}  # fmt: skip
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": settings.host,
        "port": settings.ports["kubelet"],
        "readOnlyPort": 0,
        "healthzBindAddress": "127.0.0.1",
        "healthzPort": settings.ports["kubelet-health"],
        "tlsCertFile": f"{layout.credentials}/kubelet.crt",
        "tlsPrivateKeyFile": f"{layout.credentials}/kubelet.key",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{layout.credentials}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{layout.runtime_socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": layout.cgroup,
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "clusterDNS": [settings.dns_address],
        "clusterDomain": CLUSTER_DOMAIN,
        "resolvConf": f"{layout.config}/resolv.conf",
        "podLogsDir": str(layout.pod_logs),
        "volumePluginDir": f"{layout.kubelet}/volume-plugins",
        "makeIPTablesUtilChains": False,
        "evictionHard": little,
        "imageGCHighThresholdPercent": 100,
        "serializeImagePulls": False,
        "nodeStatusUpdateFrequency": "5s",
        "shutdownGracePeriod": "0s",
    }


def kube_proxy_config(settings: Settings) -> dict[str, Any]:
    """Services by nftables; the limits of connection tracking stay as they are."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": str(kubeconfig_path(settings.layout, "kube-proxy"))},
        "bindAddress": settings.host,
        "hostnameOverride": NODE_NAME,
        "healthzBindAddress": f"127.0.0.1:{settings.ports['kube-proxy-health']}",
        "metricsBindAddress": f"127.0.0.1:{settings.ports['kube-proxy-metrics']}",
        "clusterCIDR": settings.pod_cidr,
        "detectLocalMode": "ClusterCIDR",
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
        "nftables": {"minSyncPeriod": "0.1s"},
    }


def corefile(settings: Settings) -> str:
    """Names of the cluster are answered, all others do not exist: there is no way out."""
    port = settings.ports["coredns"]
    kubeconfig = kubeconfig_path(settings.layout, "coredns")
    return f"""\
{CLUSTER_DOMAIN}:{port} in-addr.arpa:{port} {{
    bind {settings.host}
    errors
    health 127.0.0.1:{settings.ports["coredns-health"]}
    kubernetes {{
        kubeconfig {kubeconfig}
        pods insecure
        ttl 2
    }}
}}
.:{port} {{
    bind {settings.host}
    errors
    template ANY ANY . {{
        rcode NXDOMAIN
    }}
}}
"""


def process_specs(settings: Settings) -> dict[str, ProcessSpec]:
    """The node's processes by name."""
    layout = settings.layout
    commands = {
        "containerd": [f"--config={layout.config}/containerd.toml"],
        "kubelet": [
            f"--config={layout.config}/kubelet.json",
            f"--kubeconfig={kubeconfig_path(layout, 'kubelet')}",
            f"--root-dir={layout.kubelet}",
            f"--cert-dir={layout.kubelet}/pki",
            f"--hostname-override={NODE_NAME}",
            f"--node-ip={gateway_of(settings.pod_cidr)}",
        ],
        "kube-proxy": [f"--config={layout.config}/kube-proxy.json"],
        "coredns": [f"-conf={layout.config}/Corefile"],
    }
    return {
        name: ProcessSpec(name, [str(layout.programs / name), *commands[name]]) for name in NODE
    }


def dns_objects(settings: Settings) -> list[tuple[str, dict[str, Any]]]:
    """(path, object) of the Service `kube-dns` that leads to the CoreDNS process on the host."""
    names = {"name": "kube-dns", "namespace": "kube-system"}
    ports = [{"name": "dns", "protocol": "UDP"}, {"name": "dns-tcp", "protocol": "TCP"}]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": names,
        "spec": {
            "clusterIP": settings.dns_address,
            "ports": [port | {"port": 53} for port in ports],
        },
    }
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": names | {"labels": {"kubernetes.io/service-name": "kube-dns"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [settings.host], "conditions": {"ready": True}}],
        "ports": [port | {"port": settings.ports["coredns"]} for port in ports],
    }
    slices = "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices"
    return [("/api/v1/namespaces/kube-system/services", service), (slices, endpoints)]
