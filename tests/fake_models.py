"""Models in a fake cluster, as the API has them: one that is well, and some that are not."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fake_nodes import FakeNodes, running_nodes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Body = dict[str, Any]

GROUP = "serving.quantizedmodel.dev"
MODELS = f"/apis/{GROUP}/v1alpha1"
MODEL_LABEL = f"{GROUP}/model"
DAY = "2026-11-24"
GIB = 1 << 30

PLAN: Mapping[str, Any] = {
    "summary": "Marlin TP1 32k",
    "kernel": "Marlin",
    "device": "GPU",
    "products": ["NVIDIA-L4"],
    "tensorParallelSize": 1,
    "dtype": "float16",
    "kvCacheDtype": "auto",
    "weightsBytesPerGpu": 5_669_356_339,
    "kvCacheBytesPerGpu": 12_369_396_531,
    "kvCacheTokens": 215_696,
    "expectedKvCacheTokens": 243_776,
    "maxModelLen": 32_768,
    "maxConcurrency": "6.5",
    "gpuMemoryBytes": 23_654_532_382,
    "engineVersion": "0.33.0",
    "alternatives": [
        "2 \N{MULTIPLICATION SIGN} NVIDIA-L4: TP2, 521k KV tokens",
        "1 \N{MULTIPLICATION SIGN} NVIDIA-H100-80GB-HBM3: TP1, 1083k KV tokens",
    ],
}
ENGINE: Mapping[str, Any] = {
    "revision": "6c9f7b8d54",
    "pod": "qwen2-7b-6c9f7b8d54-x2x7k",
    "product": "NVIDIA-L4",
    "engineVersion": "0.33.0",
    "kernel": "Marlin",
    "attentionBackend": "FLASH_ATTN",
    "weightsBytesPerGpu": 5_680_094_167,
    "kvCacheBytesPerGpu": 13_958_643_712,
    "kvCacheTokens": 243_408,
    "maxConcurrency": "7.43",
    "gpuMemoryBytes": 23_654_532_382,
    "consumedBytesPerGpu": 6_452_000_000,
    "activationBytesPerGpu": 1_351_000_000,
    "startSeconds": 164,
    "phases": {"configure": 52, "load": 8, "profile": 97, "warmUp": 7, "listen": 0},
    "compileSeconds": 16,
}


def at(time: str) -> str:
    """A time of the day that all of this happens on."""
    return f"{DAY}T{time}Z"


def condition(kind: str, status: str, reason: str, message: str, time: str) -> Body:
    """Of a model whose first spec is seen."""
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": 1,
        "lastTransitionTime": at(time),
    }


def model(name: str, status: Mapping[str, Any], **spec: Any) -> Body:  # noqa: ANN401 - fields of a spec
    """A model in the namespace llm, made at 10:00:00."""
    return {
        "apiVersion": f"{GROUP}/v1alpha1",
        "kind": "QuantizedModel",
        "metadata": {
            "name": name,
            "namespace": "llm",
            "uid": f"uid-of-{name}",
            "generation": 1,
            "creationTimestamp": at("10:00:00"),
        },
        "spec": {"model": {"uri": "hf://Qwen/Qwen2-7B-Instruct-GPTQ-Int4"}, **spec},
        "status": dict(status),
    }


INSPECTED = (
    condition("Inspected", "True", "Inspected", "The checkpoint may be served.", "10:00:04"),
    condition("Planned", "True", "Planned", "There is a plan.", "10:00:04"),
)
FACTS = {"architecture": "Qwen2ForCausalLM", "bits": 4, "groupSize": 128}


def healthy(name: str = "qwen2-7b") -> Body:
    """A model that answers."""
    return model(
        name,
        {
            "observedGeneration": 1,
            "readyReplicas": 1,
            "replicas": 1,
            "url": f"http://{name}.llm.svc.cluster.local/v1",
            "model": FACTS,
            "plan": PLAN,
            "engine": ENGINE,
            "conditions": [
                condition(
                    "Ready",
                    "True",
                    "Answering",
                    "All wanted replicas answer requests for this spec.",
                    "10:05:12",
                ),
                *INSPECTED,
            ],
        },
    )


SHORT = (
    "spec.engine.maxModelLen: one request of 32768 tokens needs 1.75 GiB of KV cache, and there "
    "are 0.88 GiB; set it to 16464 or less, or use more GPU memory"
)


def stalled(name: str = "qwen2-7b-long") -> Body:
    """A model whose vLLM ended, with a remedy."""
    ready = condition("Ready", "False", "ModelLengthTooLong", SHORT, "10:03:20")
    return model(
        name,
        {
            "observedGeneration": 1,
            "model": FACTS,
            "plan": PLAN,
            "failure": {
                "reason": "ModelLengthTooLong",
                "message": SHORT,
                "pod": f"{name}-7d4b9c6f5-m4q2z",
                "container": "vllm",
                "exitCode": 1,
                "restarts": 3,
                "suggestion": json.dumps({"spec": {"engine": {"maxModelLen": 16464}}}),
                "logExcerpt": "Available KV cache memory: 0.88 GiB\n"
                "ValueError: To serve at least one request with the model's max seq len "
                "(32768), (1.75 GiB KV cache is needed, which is larger than the available KV "
                "cache memory (0.88 GiB).",
            },
            "conditions": [ready, {**ready, "type": "Stalled", "status": "True"}, *INSPECTED],
        },
    )


def refused(name: str = "qwen2-72b") -> Body:
    """A model for which no node has enough memory."""
    message = (
        "spec.hardware.products: On 1 \N{MULTIPLICATION SIGN} NVIDIA-L4 the weights take 38.7 of "
        "22.0 GiB per GPU. Would fit: 1 \N{MULTIPLICATION SIGN} NVIDIA-A100-SXM4-80GB"
    )
    ready = condition("Ready", "False", "InsufficientGpuMemory", message, "10:00:04")
    patch = {"spec": {"hardware": {"products": ["NVIDIA-A100-SXM4-80GB"]}}}
    return model(
        name,
        {
            "observedGeneration": 1,
            "model": FACTS,
            "failure": {
                "reason": "InsufficientGpuMemory",
                "message": message,
                "suggestion": json.dumps(patch),
            },
            "conditions": [
                ready,
                INSPECTED[0],
                {**ready, "type": "Planned"},
                {**ready, "type": "Stalled", "status": "True"},
            ],
        },
    )


def starting(name: str = "qwen2-7b-new") -> Body:
    """A model whose vLLM is on its way."""
    message = "replicas: 0 answering, 1 wanted; vLLM has not answered yet"
    ready = condition("Ready", "False", "Starting", message, "10:00:04")
    return model(
        name,
        {
            "observedGeneration": 1,
            "model": FACTS,
            "plan": PLAN,
            "conditions": [ready, {**ready, "type": "Reconciling", "status": "True"}, *INSPECTED],
        },
    )


def pod(name: str, container: Mapping[str, Any], *, ready: str = "", **more: Any) -> Body:  # noqa: ANN401
    """A serving pod that was placed at 10:00:06; ``ready``: since when it answers."""
    owner = name.rsplit("-", 2)[0]
    fetched = {"exitCode": 0, "startedAt": at("10:00:40"), "finishedAt": at("10:02:12")}
    conditions = [
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": at("10:00:06")},
        {
            "type": "Ready",
            "status": "True" if ready else "False",
            "lastTransitionTime": at(ready or "10:00:06"),
        },
    ]
    return {
        "metadata": {
            "name": name,
            "namespace": "llm",
            "creationTimestamp": at("10:00:05"),
            "labels": {MODEL_LABEL: owner, "app.kubernetes.io/component": "serving"},
        },
        "spec": {"nodeName": "gpu-pool-1"},
        "status": {
            "phase": "Running",
            "conditions": conditions,
            "initContainerStatuses": [{"name": "fetch", "state": {"terminated": fetched}}],
            "containerStatuses": [{"name": "vllm", "restartCount": 0, **container}],
            **more,
        },
    }


def event(about: str, reason: str, message: str, kind: str = "Normal", of: str = "Pod") -> Body:
    """An Event of the namespace."""
    return {
        "metadata": {"name": f"{about}.{reason}", "namespace": "llm"},
        "type": kind,
        "reason": reason,
        "message": message,
        "lastTimestamp": at("10:02:00"),
        "involvedObject": {"kind": of, "name": about},
    }


HEALTHY_POD = pod(
    "qwen2-7b-6c9f7b8d54-x2x7k",
    {"state": {"running": {"startedAt": at("10:02:24")}}, "started": True, "ready": True},
    ready="10:05:12",
)
STALLED_POD = pod(
    "qwen2-7b-long-7d4b9c6f5-m4q2z",
    {
        "restartCount": 3,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
    },
)
STARTING_POD = pod(
    "qwen2-7b-new-5f6d8c9b7-k9w3t",
    {"state": {"running": {"startedAt": at("10:02:24")}}, "started": False},
)
EVENTS = (
    event(
        "qwen2-7b-6c9f7b8d54-x2x7k",
        "Pulled",
        'Successfully pulled image "vllm/vllm-openai:v0.33.0" in 1m12.5s (1m12.6s including '
        "waiting). Image size: 9123456789 bytes.",
    ),
    event(
        "qwen2-7b-long-7d4b9c6f5-m4q2z",
        "BackOff",
        "Back-off restarting failed container vllm in pod qwen2-7b-long-7d4b9c6f5-m4q2z",
        "Warning",
    ),
    event("somebody-else", "BackOff", "Back-off restarting failed container", "Warning"),
)


def put_models(
    server: FakeNodes,
    models: Sequence[Body],
    pods: Sequence[Body] = (HEALTHY_POD, STALLED_POD, STARTING_POD),
    events: Sequence[Body] = EVENTS,
) -> None:
    """Let the cluster have these models in the namespace llm."""
    core = "/api/v1/namespaces/llm"
    server.lists |= {
        f"{core}/pods": pods,
        f"{core}/events": events,
        "/apis/batch/v1/namespaces/llm/jobs": (),
        f"{MODELS}/quantizedmodels": models,
        f"{MODELS}/namespaces/llm/quantizedmodels": models,
        f"{MODELS}/namespaces/other/quantizedmodels": (),
    }
    for item in models:
        path = f"{MODELS}/namespaces/llm/quantizedmodels/{item['metadata']['name']}"
        server.objects[path] = item


@contextmanager
def running_models(models: Sequence[Body] = ()) -> Iterator[FakeNodes]:
    """A cluster with these models, until the block ends."""
    with running_nodes([]) as server:
        put_models(server, models)
        yield server
