"""A folder, a hub and a cluster for the commands that pages and transcripts show.

The checkpoints on the hub are the published GPTQ repositories of Qwen as far as a planner sees
them: config and headers, with the bytes of the weights left out.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from shutil import copy
from typing import Any

from checkpoint_headers import HeaderSet, header_set, model_tensors, write_header_set
from fake_models import healthy, put_models, refused, stalled
from fake_nodes import gpu_node_body, gpu_pod_body, running_nodes
from hub import Access, Hub, running_hub
from published_models import PUBLISHED
from transcripts import Shell

EXAMPLES = Path(__file__).resolve().parents[1] / "operator/docs/examples"
GATED = "zoo/otter-gated"
REPOSITORIES = (
    ("Qwen/Qwen2.5-0.5B-Instruct", "Qwen/Qwen2.5-0.5B-Instruct-GPTQ-Int4", 4, 1),
    ("Qwen/Qwen2-7B-Instruct", "Qwen/Qwen2-7B-Instruct-GPTQ-Int4", 4, 2),
    ("Qwen/Qwen2-7B-Instruct", "Qwen/Qwen2-7B-Instruct-GPTQ-Int8", 8, 3),
    ("Qwen/Qwen2.5-14B-Instruct", "Qwen/Qwen2.5-14B-Instruct-GPTQ-Int4", 4, 3),
    ("Qwen/Qwen2.5-72B-Instruct", "Qwen/Qwen2.5-72B-Instruct-GPTQ-Int4", 4, 11),
    ("Qwen/Qwen1.5-MoE-A2.7B-Chat", "Qwen/Qwen1.5-MoE-A2.7B-Chat-GPTQ-Int4", 4, 2),
)
"""Base model, repository, bits and weight files."""

DEMO_FILES = Path(__file__).resolve().parent / "golden/tiny-qwen2-int4"
"""Small files of the demo's model, as GPTQModel 7.6.0 wrote them."""

TINY = json.loads((DEMO_FILES / "config.json").read_text(encoding="utf-8"))

OTTERS = """\
apiVersion: serving.quantizedmodel.dev/v1alpha1
kind: QuantizedModel
metadata: {name: patient, namespace: zoo}
spec:
  model: {uri: hf://Qwen/Qwen2-7B-Instruct-GPTQ-Int4}
  engine: {maxModelLen: 16384, maxNumSeqs: 32}
---
apiVersion: serving.quantizedmodel.dev/v1alpha1
kind: QuantizedModel
metadata: {name: hasty, namespace: zoo}
spec:
  model: {uri: hf://Qwen/Qwen2-7B-Instruct-GPTQ-Int4}
  hardware: {gpusPerReplica: 3}
---
apiVersion: serving.quantizedmodel.dev/v1alpha1
kind: QuantizedModel
metadata: {name: owner}
spec:
  model: {uri: hf://Qwen/Qwen2-7B-Instruct-GPTQ-Int4}
  engine: {args: [--max-model-len=8192]}
"""

PADDED_INTERMEDIATE = 29696
"""Of the 72B in GPTQ: 29568 is no multiple of the group size times the ranks."""


@contextmanager
def workspace(folder: Path) -> Iterator[Shell]:
    """A shell whose commands find a hub, a kubeconfig and a few files in the folder."""
    with (
        running_hub(_repositories(folder / "hub"), _access()) as hub,
        running_nodes(
            [
                gpu_node_body("pool-1", "NVIDIA-L4", 4),
                gpu_node_body("pool-2", "NVIDIA-L4", 4),
                gpu_node_body("big-1", "NVIDIA-A100-SXM4-80GB", 8),
            ],
            [gpu_pod_body("busy", "pool-1", 3), gpu_pod_body("other", "pool-2", 4)],
        ) as nodes,
    ):
        _assume_digests(hub, folder / "hub")
        _write_files(folder)
        nodes.write_kubeconfig(folder / "config.json", "production")
        put_models(nodes, [healthy(), stalled(), refused()])
        yield Shell(
            environment={
                "COLUMNS": "80",
                "HF_ENDPOINT": hub.endpoint,
                "HOME": str(folder),
                "HF_HOME": str(folder / ".cache"),
                "HF_TOKEN": "",
                "KUBECONFIG": "",
                "NO_PROXY": "*",
                "TERM": "dumb",
            },
            replaced={hub.endpoint: "https://huggingface.co", nodes.url: "https://10.0.0.1:6443"},
        )


def _access() -> Access:
    return Access(gated={GATED: {"token-with-access"}})


def _repositories(root: Path) -> Path:
    for base, name, bits, shards in REPOSITORIES:
        config = dict(PUBLISHED[base].config)
        if config["intermediate_size"] == 29568:
            config["intermediate_size"] = PADDED_INTERMEDIATE
        tensors = model_tensors(config, bits)
        write_header_set(root / name, header_set(config, tensors, bits=bits, shards=shards))
    write_header_set(root / GATED, _tiny())
    return root


def _assume_digests(hub: Hub, root: Path) -> None:
    """Nobody reads the gigabytes of zeros that stand for weights."""
    for path in root.rglob("*.safetensors"):
        digest = hashlib.sha256(path.relative_to(root).as_posix().encode()).hexdigest()
        hub.repositories.assume(path, digest)


def _write_files(folder: Path) -> None:
    write_header_set(folder / "tiny-qwen2-int4", _tiny())
    for name in ("gpu-minimal.yaml", "gpu-tuned.yaml", "pvc.yaml", "cpu-development.yaml"):
        copy(EXAMPLES / name, folder / name)
    both = "---\n".join((EXAMPLES / name).read_text() for name in ("gpu-minimal.yaml", "pvc.yaml"))
    (folder / "both.yaml").write_text(both)
    _write_otters(folder / "otters")
    (folder / "otters.yaml").write_text(OTTERS)


def _write_otters(folder: Path) -> None:
    """Checkpoints with something unusual about them."""
    tensors = model_tensors(TINY)
    configs: dict[str, dict[str, Any]] = {
        "unknown": {"architectures": ["OtterForCausalLM"], "model_type": "otter"},
        "act-order": {"quantization_config": {**TINY["quantization_config"], "desc_act": True}},
        "not-quantised": {"quantization_config": None},
        "truncated": {},
    }
    for name, changes in configs.items():
        config = {key: value for key, value in {**TINY, **changes}.items() if value is not None}
        documents = {"config.json": json.dumps(config).encode()}
        write_header_set(folder / name, replace(header_set(TINY, tensors), documents=documents))
    weights = folder / "truncated/model.safetensors"
    with weights.open("r+b") as file:
        file.truncate(weights.stat().st_size - 1000)


def _tiny() -> HeaderSet:
    """The demo's model without its weights."""
    made = header_set(TINY, model_tensors(TINY))
    small_files = {path.name: path.read_bytes() for path in DEMO_FILES.iterdir()}
    return replace(made, documents={**small_files, "chat_template.jinja": b"{{ messages }}"})
