"""Pure: the flags of ``vllm serve`` that the operator sets itself, and what to use instead.

Source: vLLM 0.33.0, ``vllm serve --help=all`` (322 flags), checked 2026-11-24. Flags that run
code of the checkpoint or of a file are refused as well: a model must not bring a program.
"""

from types import MappingProxyType

_SERVER = "the operator fixes it, so that probes, Service and metrics fit"
_CODE = "it runs code that did not come with the image, which this operator never does"
_MULTI_NODE = "replicas of more than one process group are not supported"

OWNED_FLAGS = MappingProxyType(
    {
        "--help": "it ends with a help text instead of serving",
        "-h": "it ends with a help text instead of serving",
        "--model": "use spec.model.uri",
        "--served-model-name": "use spec.model.servedNames",
        "--revision": "use spec.model.revision",
        "--code-revision": "use spec.model.revision",
        "--tokenizer": "the tokenizer is part of the checkpoint",
        "--tokenizer-revision": "use spec.model.revision",
        "--quantization": "vLLM reads it from the checkpoint",
        "-q": "vLLM reads it from the checkpoint",
        "--dtype": "use spec.engine.dtype",
        "--max-model-len": "use spec.engine.maxModelLen",
        "--max-num-seqs": "use spec.engine.maxNumSeqs",
        "--max-num-batched-tokens": "use spec.engine.maxNumBatchedTokens",
        "--download-dir": "use spec.cache",
        "--config": "write its entries into spec.engine.args",
        "--hf-token": "use spec.model.tokenSecretRef",
        "--hf-config-path": "use spec.model.uri",
        "--gpu-memory-utilization": "use spec.engine.gpuMemoryUtilization",
        "--device-memory-utilization": "use spec.engine.gpuMemoryUtilization",
        "--kv-cache-memory-bytes": "use spec.hardware.memory on CPU, or "
        "spec.engine.gpuMemoryUtilization",
        "--kv-cache-dtype": "use spec.engine.kvCacheDtype",
        "--tensor-parallel-size": "use spec.hardware.gpusPerReplica",
        "-tp": "use spec.hardware.gpusPerReplica",
        "--pipeline-parallel-size": _MULTI_NODE,
        "-pp": _MULTI_NODE,
        "--data-parallel-size": "use spec.replicas",
        "-dp": "use spec.replicas",
        "--data-parallel-size-local": _MULTI_NODE,
        "--data-parallel-address": _MULTI_NODE,
        "--data-parallel-rpc-port": _MULTI_NODE,
        "--data-parallel-start-rank": _MULTI_NODE,
        "--data-parallel-rank": _MULTI_NODE,
        "--data-parallel-backend": _MULTI_NODE,
        "--data-parallel-hybrid-lb": _MULTI_NODE,
        "--data-parallel-external-lb": _MULTI_NODE,
        "--data-parallel-multi-port-external-lb": _MULTI_NODE,
        "--prefill-context-parallel-size": _MULTI_NODE,
        "--device-ids": "use spec.hardware.products; the device plugin hands out the GPUs",
        "--nnodes": _MULTI_NODE,
        "--node-rank": _MULTI_NODE,
        "--master-addr": _MULTI_NODE,
        "--master-port": _MULTI_NODE,
        "--headless": _MULTI_NODE,
        "--distributed-executor-backend": _MULTI_NODE,
        "--grpc": _SERVER,
        "--host": _SERVER,
        "--port": "use spec.service.port",
        "--uds": _SERVER,
        "--api-key": "use spec.apiKeySecretRef",
        "--ssl-keyfile": _SERVER,
        "--ssl-certfile": _SERVER,
        "--ssl-ca-certs": _SERVER,
        "--ssl-cert-reqs": _SERVER,
        "--root-path": _SERVER,
        "--shutdown-timeout": _SERVER,
        "--api-server-count": "use spec.replicas",
        "--trust-remote-code": _CODE,
        "--middleware": _CODE,
        "--tool-parser-plugin": _CODE,
        "--reasoning-parser-plugin": _CODE,
        "--io-processor-plugin": _CODE,
        "--logits-processors": _CODE,
        "--worker-cls": _CODE,
        "--worker-extension-cls": _CODE,
        "--scheduler-cls": _CODE,
        "--allowed-local-media-path": "it opens files of the pod to clients",
    }
)
"""Flag -> what to do instead, as the end of a sentence."""


def flag_of(argument: str) -> str:
    """The flag that an entry of ``engine.args`` names, as vLLM reads it; empty for a value.

    vLLM takes ``_`` for ``-`` in long flags, ``--flag=value``, and ``--flag.key`` for JSON flags.
    """
    if not argument.startswith("-") or argument.lstrip("-")[:1].isdigit():
        return ""
    name = argument.split("=", 1)[0]
    if not name.startswith("--"):
        return next((flag for flag in _SHORT_FLAGS if name.startswith(flag)), name)
    return name.split(".", 1)[0].replace("_", "-")


def owned_flag_remedy(argument: str) -> tuple[str, str] | None:
    """The owned flag that this entry sets and what to do instead; ``None`` when it sets none.

    Abbreviations count: argparse takes any unambiguous prefix of a long flag.
    """
    flag = flag_of(argument)
    if not flag:
        return None
    if flag in OWNED_FLAGS:
        return flag, OWNED_FLAGS[flag]
    if not flag.startswith("--") or len(flag) < len("--mo") or flag in _FREE_PREFIXES:
        return None
    owned = [name for name in OWNED_FLAGS if name.startswith(flag)]
    return (owned[0], OWNED_FLAGS[owned[0]]) if len(owned) == 1 else None


_SHORT_FLAGS = ("-tp", "-pp", "-dp", "-q")
_FREE_PREFIXES = frozenset({"--max-num", "--data-parallel"})
"""Prefixes of owned flags that are prefixes of free ones too, so never unambiguous."""
