"""The life of fake nodes and pods as kwok stages. Pure documents.

A pod starts at once (running, not ready, with an address), is Ready after a delay, and ends when it
belongs to a Job. Annotations of a pod change its delays and give its last words:

    cluster.qmo.test/ready-delay: 30s         from start to Ready
    cluster.qmo.test/run-delay: 5s            from start to the end of a Job's pod
    cluster.qmo.test/termination-message: x   what the containers of a Job's pod leave behind
"""

from typing import Any

READY_DELAY_ANNOTATION = "cluster.qmo.test/ready-delay"
RUN_DELAY_ANNOTATION = "cluster.qmo.test/run-delay"
TERMINATION_MESSAGE_ANNOTATION = "cluster.qmo.test/termination-message"

_NODE_ONLINE = """\
{{ $now := Now }}
conditions:
{{ range NodeConditions }}
- {type: {{ .type | Quote }}, status: {{ .status | Quote }}, reason: {{ .reason | Quote }},
   message: {{ .message | Quote }}, lastHeartbeatTime: {{ $now | Quote }},
   lastTransitionTime: {{ $now | Quote }}}
{{ end }}
addresses:
- {type: InternalIP, address: {{ NodeIP | Quote }}}
- {type: Hostname, address: {{ NodeName | Quote }}}
nodeInfo:
  architecture: amd64
  operatingSystem: linux
  osImage: fake
  kernelVersion: fake
  containerRuntimeVersion: fake://1
  kubeletVersion: v1.37.2
  kubeProxyVersion: ""
  bootID: ""
  machineID: ""
  systemUUID: ""
phase: Running
"""

_POD_START = """\
{{ $now := Now }}
phase: Running
startTime: {{ $now | Quote }}
hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
podIP: {{ PodIPWith .spec.nodeName ( or .spec.hostNetwork false ) ( or .metadata.uid "" )
  ( or .metadata.name "" ) ( or .metadata.namespace "" ) | Quote }}
conditions:
- {type: Initialized, status: "True", lastTransitionTime: {{ $now | Quote }}}
- {type: Ready, status: "False", reason: ContainersNotReady,
   lastTransitionTime: {{ $now | Quote }}}
- {type: ContainersReady, status: "False", reason: ContainersNotReady,
   lastTransitionTime: {{ $now | Quote }}}
{{ if .spec.initContainers }}
initContainerStatuses:
{{ range .spec.initContainers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: true
  restartCount: 0
  {{ if eq ( or .restartPolicy "" ) "Always" }}
  started: true
  state: {running: {startedAt: {{ $now | Quote }}}}
  {{ else }}
  started: false
  state: {terminated: {exitCode: 0, reason: Completed, startedAt: {{ $now | Quote }},
    finishedAt: {{ $now | Quote }}}}
  {{ end }}
{{ end }}
{{ end }}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: false
  started: false
  restartCount: 0
  state: {running: {startedAt: {{ $now | Quote }}}}
{{ end }}
"""

_POD_READY = """\
{{ $now := Now }}
conditions:
- {type: Ready, status: "True", reason: "", lastTransitionTime: {{ $now | Quote }}}
- {type: ContainersReady, status: "True", reason: "", lastTransitionTime: {{ $now | Quote }}}
{{ range .spec.readinessGates }}
- {type: {{ .conditionType | Quote }}, status: "True", lastTransitionTime: {{ $now | Quote }}}
{{ end }}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: true
  started: true
  restartCount: 0
  state: {running: {startedAt: {{ $now | Quote }}}}
{{ end }}
"""

_POD_COMPLETE = """\
{{ $now := Now }}
{{ $annotations := or .metadata.annotations dict }}
{{ $message := or ( index $annotations "cluster.qmo.test/termination-message" ) "" }}
phase: Succeeded
conditions:
- {type: Ready, status: "False", reason: PodCompleted, lastTransitionTime: {{ $now | Quote }}}
- {type: ContainersReady, status: "False", reason: PodCompleted,
   lastTransitionTime: {{ $now | Quote }}}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: false
  started: false
  restartCount: 0
  state:
    running: null
    terminated: {exitCode: 0, reason: Completed, message: {{ $message | Quote }},
      startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}}
{{ end }}
"""

_READY = '.status.conditions.[] | select( .type == "Ready" ) | .status'
_OWNER_KINDS = ".metadata.ownerReferences.[].kind"


def _rule(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator} | ({"values": list(values)} if values else {})


_LIVES = _rule(".metadata.deletionTimestamp", "DoesNotExist")


def stage(
    name: str,
    kind: str,
    rules: list[dict[str, Any]],
    following: dict[str, Any],
    delay: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A stage for a kind of the core group."""
    spec: dict[str, Any] = {
        "resourceRef": {"apiGroup": "v1", "kind": kind},
        "selector": {"matchExpressions": rules},
        "next": following,
    }
    if delay is not None:
        spec["delay"] = delay
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": name},
        "spec": spec,
    }


def stages(*, ready_seconds: float = 1, run_seconds: float = 1) -> list[dict[str, Any]]:
    """All stages, with the delays for pods that name none of their own."""
    running = _rule(".status.phase", "In", "Running")
    return [
        stage(
            "node-online", "Node", [_rule(_READY, "NotIn", "True")],
            {"statusTemplate": _NODE_ONLINE},
        ),
        stage(
            "pod-start", "Pod", [_LIVES, _rule(".status.podIP", "DoesNotExist")],
            {"statusTemplate": _POD_START},
        ),
        stage(
            "pod-ready", "Pod",
            [_LIVES, running, _rule(_READY, "NotIn", "True"), _rule(_OWNER_KINDS, "NotIn", "Job")],
            {"statusTemplate": _POD_READY},
            _delay(ready_seconds, READY_DELAY_ANNOTATION),
        ),
        stage(
            "pod-complete", "Pod", [_LIVES, running, _rule(_OWNER_KINDS, "In", "Job")],
            {"statusTemplate": _POD_COMPLETE},
            _delay(run_seconds, RUN_DELAY_ANNOTATION),
        ),
        stage(
            "pod-gone", "Pod",
            [_rule(".metadata.deletionTimestamp", "Exists"),
             _rule(".metadata.finalizers", "DoesNotExist")],
            {"delete": True},
        ),
    ]  # fmt: skip


def _delay(seconds: float, annotation: str) -> dict[str, Any]:
    return {
        "durationMilliseconds": int(seconds * 1000),
        "durationFrom": {"expressionFrom": f'.metadata.annotations["{annotation}"]'},
    }
