"""Pure: texts of vLLM about its arguments, its environment and its image, and what they mean."""

from quantized_model_operator.domain.failure_cause import FailureCause
from quantized_model_operator.domain.failure_remedies import (
    eager,
    without_flags,
    without_refused,
    without_variables,
)

_OTHER_IMAGE = "set spec.engine.image to a complete image of spec.engine.version, or leave it out"

START_INTERRUPTED = FailureCause(
    id="start-interrupted",
    area="Arguments and pod",
    text="KeyboardInterrupt: terminated",
    pattern=r"KeyboardInterrupt: terminated",
    reason="StartupTimedOut",
    sentence="spec.hardware.cpu: the startup probe ended vLLM, which had not answered within "
    "{startup} s; give it more CPU or faster storage, or start without compilation "
    "(--enforce-eager in spec.engine.args)",
    source="vLLM 0.33.0 v1/engine/core.py, 2026-11",
    remedy=eager,
    is_symptom=True,
)
"""Also told where no log says so, but the times do."""

POD_CAUSES = (
    FailureCause(
        id="arguments-unknown",
        area="Arguments and pod",
        text="vllm: error: unrecognized arguments: --no-such-flag",
        pattern=r"error: unrecognized arguments: (?P<flags>.+)",
        reason="InvalidArgument",
        sentence="spec.engine.args: this vLLM does not know {flags} (unrecognized arguments: "
        "{flags}); remove it",
        source="parsers of vLLM 0.20.2 to 0.33.0; exit code 2 seen with 0.32.0, 2026-11",
        remedy=without_refused,
    ),
    FailureCause(
        id="argument-value-refused",
        area="Arguments and pod",
        text="vllm serve: error: argument --block-size: invalid choice: 17 (choose from 16, 32)",
        pattern=r"error: argument (?P<flags>\S+): (?P<problem>.+)",
        reason="InvalidArgument",
        sentence="spec.engine.args: this vLLM does not take the value of {flags}: {problem}; "
        "correct or remove it",
        source="parsers of vLLM 0.20.2 to 0.33.0, 2026-11",
        remedy=without_refused,
    ),
    FailureCause(
        id="load-format-unknown",
        area="Arguments and pod",
        text="ValueError: Load format `zzz` is not supported",
        pattern=r"Load format `(?P<format>[^`]+)` is not supported",
        reason="InvalidArgument",
        sentence="spec.engine.args: this vLLM has no load format {format}; remove --load-format",
        source="vLLM 0.20.2 to 0.33.0 model_executor/model_loader/__init__.py, 2026-11",
        remedy=without_flags("--load-format"),
    ),
    FailureCause(
        id="port-variable-is-a-uri",
        area="Arguments and pod",
        text="ValueError: VLLM_PORT 'tcp://10.96.0.9:8000' appears to be a URI. This may be caused "
        "by a Kubernetes service discovery issue.",
        pattern=r"VLLM_PORT '(?P<value>[^']*)' appears to be a URI",
        reason="InvalidSpec",
        sentence="spec.engine.env: VLLM_PORT is {value}, which is no port; remove the variable",
        source="vLLM 0.20.2 to 0.33.0 envs.py, 2026-11",
        remedy=without_variables("VLLM_PORT"),
    ),
    FailureCause(
        id="port-taken",
        area="Arguments and pod",
        text="OSError: [Errno 98] Address already in use",
        pattern=r"\[Errno 98\] Address already in use",
        reason="InvalidArgument",
        sentence="spec.engine.args: a port that vLLM should listen on is taken in its own pod; "
        "pass no second server and no port to vLLM",
        source="our measurement with vLLM 0.32.0 on CPU, 2026-11",
    ),
    FailureCause(
        id="engine-start-timed-out",
        area="Arguments and pod",
        text="TimeoutError: Timed out waiting for engine core processes to start. Waited 600s "
        "(configured by VLLM_ENGINE_READY_TIMEOUT_S).",
        pattern=r"Timed out waiting for engine core processes to start",
        reason="StartupTimedOut",
        sentence="spec.hardware.cpu: the engine did not start within {startup} s; give it more "
        "CPU or faster storage, or start without compilation (--enforce-eager in "
        "spec.engine.args)",
        source="vLLM 0.33.0 v1/engine/utils.py, 2026-11",
        remedy=eager,
    ),
    START_INTERRUPTED,
    FailureCause(
        id="home-not-writable",
        area="Arguments and pod",
        text="PermissionError: [Errno 13] Permission denied: '/.triton'",
        pattern=r"Permission denied: '/\.(?P<folder>\w+)",
        reason="InvalidSpec",
        sentence="spec.engine.env: HOME is no folder that vLLM may write to, it needs one for its "
        "caches; remove HOME",
        source="reports of users of vLLM with a numeric user, 2026-11",
        remedy=without_variables("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"),
    ),
    FailureCause(
        id="compiler-missing",
        area="Arguments and pod",
        text="torch._inductor.exc.InvalidCxxCompiler: No working C++ compiler found in "
        "torch._inductor.config.cpp.cxx: (None, 'g++')",
        pattern=r"No working C\+\+ compiler found",
        reason="ImageUnsuited",
        sentence="spec.engine.args: the image has no C++ compiler, which compilation needs; add "
        "--enforce-eager, or use an image with g++",
        source="our measurement with vLLM 0.32.0 on CPU, 2026-11",
        remedy=eager,
    ),
    FailureCause(
        id="torchvision-unsuited",
        area="Arguments and pod",
        text="RuntimeError: operator torchvision::nms does not exist",
        pattern=r"operator torchvision::nms does not exist",
        reason="ImageUnsuited",
        sentence="spec.engine.image: torchvision in the image was made for another torch; remove "
        f"it from the image, or {_OTHER_IMAGE}",
        source="our measurement with vLLM 0.32.0 on CPU, 2026-11",
    ),
    FailureCause(
        id="metadata-missing",
        area="Arguments and pod",
        text="importlib.metadata.PackageNotFoundError: No package metadata was found for vllm",
        pattern=r"No package metadata was found for vllm",
        reason="ImageUnsuited",
        sentence=f"spec.engine.image: the image has no package called vllm; {_OTHER_IMAGE}",
        source="our measurement with vLLM 0.32.0 on CPU, 2026-11",
    ),
    FailureCause(
        id="memory-manager-missing",
        area="Arguments and pod",
        text="RuntimeError: Unable to find torch_shm_manager at /opt/torch/bin/torch_shm_manager",
        pattern=r"Unable to find torch_shm_manager",
        reason="ImageUnsuited",
        sentence=f"spec.engine.image: the torch of the image lacks torch_shm_manager; "
        f"{_OTHER_IMAGE}",
        source="our measurement with vLLM 0.32.0 on CPU, 2026-11",
    ),
    FailureCause(
        id="disk-full",
        area="Arguments and pod",
        text="OSError: [Errno 28] No space left on device",
        pattern=r"\[Errno 28\] No space left on device",
        reason="DiskFull",
        sentence="spec.cache: a volume of the pod is full; give the cache a larger claim, or free "
        "room on the node",
        source="POSIX errno 28, 2026-11",
        is_symptom=True,
    ),
)
