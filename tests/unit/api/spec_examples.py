"""Specs that the API server refuses, each with its sentence or field, and specs it accepts."""

from typing import Any

HUB = {"uri": "hf://otter/river-GPTQ-Int8"}
CLAIM = {"uri": "pvc://weights/river"}
SECRET = {"name": "otter", "key": "key"}

Spec = dict[str, Any]

RULES: list[tuple[str, Spec, Spec]] = [
    (
        "spec.cache is for hf:// sources; a pvc:// source is served from its own claim",
        {"model": CLAIM, "cache": {"claimName": "cache"}},
        {"model": HUB, "cache": {"claimName": "cache"}},
    ),
    (
        "spec.model.revision is for hf:// sources; for pvc:// name another path",
        {"model": {**CLAIM, "revision": "v2"}},
        {"model": {**HUB, "revision": "v2"}},
    ),
    (
        "spec.model.tokenSecretRef is for hf:// sources",
        {"model": {**CLAIM, "tokenSecretRef": SECRET}},
        {"model": {**HUB, "tokenSecretRef": SECRET}},
    ),
    (
        "spec.model.uri must not have . or .. as a part of its path",
        {"model": {"uri": "pvc://weights/a/../b"}},
        {"model": {"uri": "pvc://weights/a/..b.c/b"}},
    ),
    (
        "spec.hardware.gpusPerReplica and products are for device GPU",
        {"model": HUB, "hardware": {"device": "CPU", "products": ["NVIDIA-L4"]}},
        {"model": HUB, "hardware": {"device": "GPU", "products": ["NVIDIA-L4"]}},
    ),
    (
        "spec.engine.gpuMemoryUtilization is for device GPU; on CPU set spec.hardware.memory",
        {"model": HUB, "hardware": {"device": "CPU"}, "engine": {"gpuMemoryUtilization": 0.9}},
        {"model": HUB, "hardware": {"device": "CPU"}, "engine": {"maxModelLen": 2048}},
    ),
    (
        "spec.cache needs exactly one of claimName, size and hostPath",
        {"model": HUB, "cache": {"claimName": "cache", "size": "10Gi"}},
        {"model": HUB, "cache": {"size": "10Gi"}},
    ),
    (
        "spec.cache.storageClassName needs spec.cache.size",
        {"model": HUB, "cache": {"hostPath": "/models", "storageClassName": "fast"}},
        {"model": HUB, "cache": {"size": 10_000_000_000, "storageClassName": "fast"}},
    ),
    (
        "spec.cache.hostPath must not have .. as a part",
        {"model": HUB, "cache": {"hostPath": "/models/../etc"}},
        {"model": HUB, "cache": {"hostPath": "/models/..etc"}},
    ),
    (
        "each variable needs exactly one of value and secretKeyRef",
        {"model": HUB, "engine": {"env": [{"name": "A", "value": "1", "secretKeyRef": SECRET}]}},
        {
            "model": HUB,
            "engine": {"env": [{"name": "A", "value": ""}, {"name": "B", "secretKeyRef": SECRET}]},
        },
    ),
    (
        "a toleration without key needs operator Exists",
        {"model": HUB, "hardware": {"tolerations": [{"effect": "NoSchedule"}]}},
        {"model": HUB, "hardware": {"tolerations": [{"operator": "Exists"}]}},
    ),
    (
        "a toleration with operator Exists has no value",
        {"model": HUB, "hardware": {"tolerations": [{"operator": "Exists", "value": "a"}]}},
        {"model": HUB, "hardware": {"tolerations": [{"key": "b", "value": "a"}]}},
    ),
    (
        "keys must have 1 to 317 characters",
        {"model": HUB, "hardware": {"nodeSelector": {"a" * 318: "b"}}},
        {"model": HUB, "hardware": {"nodeSelector": {"a" * 317: "b"}}},
    ),
]
"""Sentence of a rule, a spec that breaks it, and one beside it that does not."""

WRONG_FIELDS: list[tuple[Spec, str]] = [
    ({}, "spec.model"),
    ({"model": {"uri": "https://example.com/otter"}}, "spec.model.uri"),
    ({"model": {"uri": "hf://otter"}}, "spec.model.uri"),
    ({"model": HUB, "replicas": -1}, "spec.replicas"),
    ({"model": HUB, "replicaz": 1}, "spec.replicaz"),
    ({"model": HUB, "hardware": {"device": "TPU"}}, "spec.hardware.device"),
    ({"model": HUB, "hardware": {"memory": "6 GB"}}, "spec.hardware.memory"),
    ({"model": HUB, "hardware": {"nodeSelector": {"a": "b c"}}}, "spec.hardware.nodeSelector"),
    ({"model": HUB, "engine": {"gpuMemoryUtilization": 0}}, "spec.engine.gpuMemoryUtilization"),
    ({"model": HUB, "engine": {"version": "latest"}}, "spec.engine.version"),
    ({"model": HUB, "engine": {"env": [{"name": "A"}] * 2}}, "spec.engine.env"),
    ({"model": HUB, "engine": {"canary": {"prompt": "Who?"}}}, "spec.engine.canary.expect"),
    (
        {"model": HUB, "engine": {"canary": {"prompt": "Who?", "expect": " "}}},
        "spec.engine.canary.expect",
    ),
    (
        {"model": HUB, "engine": {"canary": {"prompt": "Who?", "expect": "o" * 257}}},
        "spec.engine.canary.expect",
    ),
    (
        {"model": HUB, "engine": {"canary": {"prompt": "", "expect": "otter"}}},
        "spec.engine.canary.prompt",
    ),
    ({"model": {**HUB, "servedNames": ["a", "a"]}}, "spec.model.servedNames"),
    ({"model": {**HUB, "servedNames": []}}, "spec.model.servedNames"),
]
"""Specs with a mistake that the schema alone can see, and the field that is at fault."""

WRONG_NAMES = ["o" * 46, "river.otter", "7b"]
"""Names from which no Service could be made."""
