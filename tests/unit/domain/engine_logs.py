"""Logs in the shape of real ones around one text: process prefixes, times, tracebacks, wrappers.

Source of the shapes: the logs in ``evidence``, of vLLM 0.25.1 and 0.33.0 on H200.
"""

import gzip
from collections.abc import Callable, Iterable
from pathlib import Path

_EVIDENCE = Path(__file__).parent / "evidence"
_HEAD = (
    "(APIServer pid=1) INFO 11-22 08:00:15 [utils.py:344]        version 0.33.0",
    "(APIServer pid=1) INFO 11-22 08:00:15 [utils.py:278] non-default args: {'dtype': 'float16'}",
    (
        "(APIServer pid=1) WARNING 11-22 08:00:16 [system_utils.py:299] Found ulimit of 20000 and "
        "failed to automatically increase with error current limit exceeds maximum limit."
    ),
    "(APIServer pid=1) INFO 11-22 08:00:21 [model.py:612] Resolved architecture: Qwen2ForCausalLM",
)
_ENGINE_HEAD = (
    "(EngineCore pid=57) INFO 11-22 08:00:40 [core.py:109] Initializing a V1 LLM engine (v0.33.0)",
    (
        "(EngineCore pid=57) WARNING 11-22 08:00:41 [gptq.py:77] Layer 'model.layers.0' is not "
        "supported by GPTQMoeMarlin. Falling back to Moe WNA16 kernels."
    ),
    "(EngineCore pid=57) INFO 11-22 08:00:49 [gpu_worker.py:331] Available KV cache memory: 9 GiB",
)
_FRAMES = (
    "Traceback (most recent call last):",
    '  File "/opt/vllm/site-packages/vllm/v1/engine/core.py", line 1200, in run_engine_core',
    "    engine_core = EngineCoreProc(*args, engine_index=dp_rank, **kwargs)",
    "                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^",
    '  File "/opt/vllm/site-packages/vllm/tracing/otel.py", line 178, in sync_wrapper',
    "    return func(*args, **kwargs)",
    "           ^^^^^^^^^^^^^^^^^^^^^",
)
_SERVER_END = (
    "(APIServer pid=1) Traceback (most recent call last):",
    '(APIServer pid=1)   File "<frozen runpy>", line 198, in _run_module_as_main',
    *(
        f'(APIServer pid=1)   File "/opt/vllm/site-packages/vllm/v1/engine/utils.py", line {n}, '
        "in launch_core_engines"
        for n in range(1, 60)
    ),
    "(APIServer pid=1)     raise RuntimeError(",
    (
        "(APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause above. "
        "Failed core proc(s): {}"
    ),
)


def evidence(name: str) -> str:
    """A real log, whole."""
    return gzip.decompress((_EVIDENCE / f"{name}.log.gz").read_bytes()).decode()


def evidence_names() -> list[str]:
    """Of all real logs."""
    return [path.name.removesuffix(".log.gz") for path in _EVIDENCE.glob("*.log.gz")]


def _lines(*parts: Iterable[str]) -> str:
    return "".join(f"{line}\n" for part in parts for line in part)


def _prefixed(prefix: str, lines: Iterable[str]) -> list[str]:
    return [f"{prefix}{line}" for line in lines]


def _raised(text: str) -> list[str]:
    """An error as Python prints it; an assertion shows in its traceback, and has no words."""
    lines = text.splitlines()
    if lines[0].startswith("assert "):
        return [*_FRAMES, f"    {lines[0]}", "           ^^^^^^^^^^^", "AssertionError"]
    return [*_FRAMES, "    raise ValueError(", *lines]


def engine_failed(text: str) -> str:
    """The engine process raises, once in its log and once as a traceback; the server gives up."""
    logged = "(EngineCore pid=57) ERROR 11-22 08:01:06 [core.py:1231] "
    return _lines(
        _HEAD,
        _ENGINE_HEAD,
        [f"{logged}EngineCore failed to start."],
        _prefixed(logged, _raised(text)),
        ["(EngineCore pid=57) Process EngineCore:"],
        _prefixed("(EngineCore pid=57) ", _raised(text)),
        ["[rank0]:[W1122 08:01:07.5 ProcessGroupNCCL.cpp:1575] Warning: WARNING: destroy"],
        _SERVER_END,
    )


def worker_failed(text: str) -> str:
    """A worker of several raises; the engine repeats it in words of its own."""
    logged = "(Worker_TP1 pid=99) ERROR 11-23 05:32:46 [multiproc_executor.py:900] "
    (last,) = text.splitlines()[-1:]
    repeated = f"RuntimeError: Worker failed with error '{last}', please check the stack trace"
    return _lines(
        _HEAD,
        _ENGINE_HEAD,
        [f"{logged}WorkerProc hit an exception."],
        _prefixed(logged, _raised(text)),
        _prefixed("(EngineCore pid=57) ERROR 11-23 05:32:46 [core.py:1584] ", _FRAMES),
        [f"(EngineCore pid=57) ERROR 11-23 05:32:46 [core.py:1584] {repeated}"],
        [
            (
                "(EngineCore pid=57) ERROR 11-23 05:32:49 [multiproc_executor.py:380] Worker proc "
                "VllmWorker-0 died unexpectedly (exit code: None), shutting down executor."
            )
        ],
        _SERVER_END,
    )


def server_failed(text: str) -> str:
    """The server itself raises, before there is an engine."""
    return _lines(_HEAD, _prefixed("(APIServer pid=1) ", _raised(text)))


def configuration_refused(text: str) -> str:
    """The configuration is checked by pydantic, which words the error anew."""
    words = text.partition(": ")[2] or text
    return _lines(
        _HEAD,
        _prefixed("(APIServer pid=1) ", _FRAMES),
        [
            (
                "(APIServer pid=1) pydantic_core._pydantic_core.ValidationError: 1 validation "
                "error for VllmConfig"
            ),
            (
                f"(APIServer pid=1)   Value error, {words} [type=value_error, "
                "input_value=ArgsKwargs((), {'model_co...transfer_config': None}), "
                "input_type=ArgsKwargs]"
            ),
        ],
    )


def parser_refused(text: str) -> str:
    """The parser of the arguments ends the program."""
    return _lines(["usage: vllm serve [model_tag] [options]", text])


SHAPES: tuple[Callable[[str], str], ...] = (
    engine_failed,
    worker_failed,
    server_failed,
    configuration_refused,
)
