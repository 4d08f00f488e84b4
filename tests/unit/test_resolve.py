"""From the spec to a checked model: every refusal names its field and what to do."""

from typing import Any

import pytest

from quantized_model_operator.domain.model import CacheKind, Scheme, Strategy
from quantized_model_operator.domain.outcome import InvalidModelError, Problem
from quantized_model_operator.resolve import resolve, source_of
from quantized_model_operator.settings import Settings
from unit.otter import CPU_SPEC, GPU_SPEC, HUB_SPEC, SETTINGS, claim, observed

Spec = dict[str, Any]


def _problems(spec: Spec, settings: Settings = SETTINGS, **seen: Any) -> tuple[Problem, ...]:  # noqa: ANN401
    with pytest.raises(InvalidModelError) as caught:
        resolve(observed(spec, **seen), settings)
    return caught.value.problems


def test_defaults() -> None:
    """What is absent becomes vLLM's own choice, the model's name, and one replica."""
    model = resolve(observed({"model": {"uri": "hf://holt/otter"}}), SETTINGS)
    assert model.served_names == ("otter",)
    assert model.replicas == 1
    assert model.request.device == "GPU"
    assert model.request.engine_version == "0.33.0"
    assert model.cache.kind is CacheKind.POD
    assert model.strategy is Strategy.REPLACE
    assert (model.pod.user_id, model.pod.group_id, model.pod.volume_group_id) == (2000, 0, 0)


@pytest.mark.parametrize(
    ("uri", "scheme", "claim_name", "path", "repository"),
    [
        ("pvc://weights/a/b", Scheme.CLAIM, "weights", "a/b", ""),
        ("pvc://weights/a/", Scheme.CLAIM, "weights", "a", ""),
        ("pvc://weights", Scheme.CLAIM, "weights", "", ""),
        ("hf://holt/otter-gptq", Scheme.HUB, "", "", "holt/otter-gptq"),
    ],
)
def test_source(uri: str, scheme: Scheme, claim_name: str, path: str, repository: str) -> None:
    """A uri is taken apart into claim and path, or into a repository."""
    source = source_of(uri, "main")
    assert (source.scheme, source.claim_name, source.path, source.repository) == (
        scheme,
        claim_name,
        path,
        repository,
    )


def test_type_errors_name_the_field() -> None:
    """A value of the wrong type that the schema let through names its path."""
    (problem,) = _problems({**CPU_SPEC, "engine": {"maxModelLen": "long"}})
    assert problem.reason == "InvalidSpec"
    assert problem.field == "spec.engine.maxModelLen"
    assert "'long'" in problem.message


@pytest.mark.parametrize(
    ("argument", "flag", "remedy"),
    [
        ("--port", "--port", "spec.service.port"),
        ("--port=9", "--port", "spec.service.port"),
        ("--max_model_len", "--max-model-len", "spec.engine.maxModelLen"),
        ("--max-model=9", "--max-model-len", "spec.engine.maxModelLen"),
        ("-tp", "-tp", "spec.hardware.gpusPerReplica"),
        ("-tp2", "-tp", "spec.hardware.gpusPerReplica"),
        ("--tensor-par", "--tensor-parallel-size", "spec.hardware.gpusPerReplica"),
        ("--api-key", "--api-key", "spec.apiKeySecretRef"),
        ("--trust-remote-code", "--trust-remote-code", "did not come with the image"),
    ],
)
def test_owned_arguments_are_refused(argument: str, flag: str, remedy: str) -> None:
    """A flag that the operator sets is refused in every spelling, with the field to use."""
    engine = {"args": ["--enforce-eager", argument]}
    (problem,) = _problems({**CPU_SPEC, "engine": engine})
    assert problem.reason == "OwnedArgument"
    assert problem.field == "spec.engine.args[1]"
    assert f"{flag} " in problem.message
    assert remedy in problem.message


@pytest.mark.parametrize(
    "arguments",
    [
        ["--enable-auto-tool-choice", "--tool-call-parser", "hermes"],
        ["--max-num-queued-reqs", "5"],
        ["--max_num_queued_reqs=5"],
        ["--seed", "-1"],
    ],
)
def test_free_arguments_pass(arguments: list[str]) -> None:
    """Other flags, values and negative numbers reach vLLM as they are."""
    model = resolve(observed({**CPU_SPEC, "engine": {"args": arguments}}), SETTINGS)
    assert model.arguments == tuple(arguments)
    assert model.request.warnings == ()


@pytest.mark.parametrize(
    ("arguments", "field", "remedy", "mended"),
    [
        (["--swap-space", "4"], 0, "has no --swap-space; remove it", None),
        (
            ["--seed", "1", "--calculate-kv-scales"],
            2,
            "(vLLM 0.20 to 0.27 have it); remove it",
            ["--seed", "1"],
        ),
        (
            ["--disable-prefix-caching"],
            0,
            "(vLLM 0.33 has it); use --no-enable-prefix-caching",
            ["--no-enable-prefix-caching"],
        ),
        (["--tool-call-parse=x", "--enable-lora", "y"], 2, "belongs to no flag", None),
        (
            ["--enable-prefix-cachin-g", "--seed", "1"],
            0,
            "use --enable-prefix-caching",
            ["--enable-prefix-caching", "--seed", "1"],
        ),
        (["--seed", "1", "--load-format=zzz"], 2, "no load format 'zzz'", ["--seed", "1"]),
        (["--linear-backend", "exllama"], 0, "a kernel that is disabled", None),
    ],
)
def test_arguments_that_vllm_refuses_are_refused(
    arguments: list[str], field: int, remedy: str, mended: list[str] | None
) -> None:
    """What vLLM 0.32 would not start with is refused by name, with a list that it takes."""
    (problem,) = _problems({**CPU_SPEC, "engine": {"args": arguments}})
    assert problem.reason == "InvalidArgument"
    assert problem.field == f"spec.engine.args[{field}]"
    assert remedy in problem.message
    if "belongs" in problem.message:
        assert problem.suggestion == {"engine": {"args": arguments[:2]}}
    else:
        assert problem.suggestion == {"engine": {"args": mended}}


@pytest.mark.parametrize(
    ("arguments", "said", "mended"),
    [
        (["--max-lora-rank", "12"], "invalid choice: 12 (choose from 1, 8, 16", ["8"]),
        (["--max-lora-rank", "x"], "invalid whole number value: 'x'", ["8"]),
        (["--performance-mode=interactive"], "'interactivity'", ["interactivity"]),
        (["--max-lora-rank"], "expected one argument; correct or remove it", None),
        (["--max-logprobs", "x"], "invalid whole number value: 'x'; correct or remove it", None),
    ],
)
def test_bad_values_are_refused_with_the_choices(
    arguments: list[str], said: str, mended: list[str] | None
) -> None:
    """A value that is no choice, of no type or missing is refused with the nearest choice."""
    (problem,) = _problems({**CPU_SPEC, "engine": {"args": arguments}})
    assert problem.rule == "argument-values-are-taken"
    assert said in problem.message
    if mended is None:
        assert problem.suggestion is None
        return
    assert problem.suggestion is not None
    patched = {**CPU_SPEC, **problem.suggestion}
    assert resolve(observed(patched), SETTINGS).arguments[-1].endswith(mended[0])


def test_without_a_table_arguments_are_not_judged() -> None:
    """For a version whose parser was not read flags pass with a warning, owned ones do not."""
    engine = {"version": "0.19.0", "args": ["--swap-space", "4"]}
    model = resolve(observed({**CPU_SPEC, "engine": engine}), SETTINGS)
    assert "no table for vLLM 0.19.0" in model.request.warnings[0]
    (problem,) = _problems({**CPU_SPEC, "engine": {**engine, "args": ["--port", "1"]}})
    assert problem.reason == "OwnedArgument"


def test_plugins_of_an_own_image_are_trusted() -> None:
    """A load format that vLLM does not have may come with the user's image."""
    engine = {"image": "example.com/vllm:mine", "args": ["--load-format", "mine"]}
    assert resolve(observed({**CPU_SPEC, "engine": engine}), SETTINGS).arguments[1] == "mine"


@pytest.mark.parametrize(
    ("engine", "field", "value"),
    [
        ({"args": ["--no-enable-chunked-prefill"]}, "chunked_prefill", False),
        ({"args": ["--performance-mode", "throughput"]}, "double_batches", True),
        ({"args": ["--performance-mode=interactivity"]}, "double_batches", False),
        ({"args": ["--enable-chunked-prefill"]}, "chunked_prefill", True),
        ({"version": "0.33.0", "args": ["--disable-chunked-p"]}, "chunked_prefill", False),
        ({"version": "0.19.0", "args": ["--enforce-eager"]}, "enforce_eager", True),
        ({"args": ["-ep"]}, "expert_parallel", True),
        ({"args": ["--linear-backend=marlin"]}, "linear_backend", "marlin"),
        ({"args": ["--attention-backend", "triton_attn"]}, "attention_backend", "TRITON_ATTN"),
        (
            {"env": [{"name": "VLLM_ALLOW_LONG_MAX_MODEL_LEN", "value": "1"}]},
            "length_may_exceed",
            True,
        ),
        ({}, "length_may_exceed", False),
    ],
)
def test_plans_know_what_arguments_switch(
    engine: dict[str, Any], field: str, value: object
) -> None:
    """Switches in arguments and variables that change the plan are part of what it is asked."""
    model = resolve(observed({**CPU_SPEC, "engine": engine}), SETTINGS)
    assert getattr(model.request, field) == value


def test_variables_that_change_the_plan_are_warned_about() -> None:
    """The user's variables win, but the plan says what those do that it relies on."""
    names = ("VLLM_DISABLED_KERNELS", "VLLM_LOGGING_LEVEL")
    env = [{"name": name, "value": "DEBUG"} for name in names]
    model = resolve(observed({**CPU_SPEC, "engine": {"env": env}}), SETTINGS)
    (warning,) = model.request.warnings
    assert warning.startswith("spec.engine.env: VLLM_DISABLED_KERNELS: kernels that the operator")


def test_every_problem_is_told_at_once() -> None:
    """A spec with several mistakes is refused with all of them."""
    problems = _problems(
        {
            **CPU_SPEC,
            "hardware": {"device": "CPU", "memory": "0"},
            "engine": {"args": ["--host", "x", "--uds"]},
        }
    )
    assert [problem.field for problem in problems] == [
        "spec.engine.args[0]",
        "spec.engine.args[2]",
        "spec.hardware.memory",
    ]


def test_missing_claims_are_named() -> None:
    """A claim that does not exist is named with its field and its namespace."""
    (problem,) = _problems(dict(CPU_SPEC), claims=())
    assert (problem.reason, problem.field) == ("ClaimNotFound", "spec.model.uri")
    assert "namespace zoo has no PersistentVolumeClaim 'weights'" in problem.message


def test_an_exclusive_cache_claim_means_one_replica() -> None:
    """ReadWriteOnce as a cache: one replica is recreated, two are refused."""
    spec = {**HUB_SPEC, "cache": {"claimName": "store"}}
    claims = (claim("store", "ReadWriteOnce"),)
    assert resolve(observed(spec, claims=claims), SETTINGS).strategy is Strategy.RECREATE
    (problem,) = _problems({**spec, "replicas": 2}, claims=claims)
    assert problem.field == "spec.cache.claimName"
    assert "ReadWriteMany" in problem.message


def test_a_shared_cache_claim_allows_more() -> None:
    """ReadWriteMany as a cache: any number of replicas, replaced as usual."""
    spec = {**HUB_SPEC, "cache": {"claimName": "store"}, "replicas": 2}
    model = resolve(observed(spec, claims=(claim("store"),)), SETTINGS)
    assert model.cache.claim_is_shared
    assert model.strategy is Strategy.SURGE


def test_custom_images_can_be_switched_off() -> None:
    """An administrator's switch refuses images and variables of users."""
    settings = Settings(operator_image="x", allow_custom_images=False)
    spec = {**CPU_SPEC, "engine": {"image": "y", "env": [{"name": "A", "value": "b"}]}}
    fields = [problem.field for problem in _problems(spec, settings)]
    assert fields == ["spec.engine.image", "spec.engine.env"]


@pytest.mark.parametrize("key", ["app.kubernetes.io/name", "argocd.argoproj.io/instance"])
def test_foreign_keys_of_pods_are_refused(key: str) -> None:
    """Labels that the operator or a GitOps tool owns cannot be set on pods."""
    (problem,) = _problems({**CPU_SPEC, "podTemplate": {"metadata": {"labels": {key: "x"}}}})
    assert key in problem.message


def test_paths_stay_in_the_claim() -> None:
    """A path may not climb out of its claim."""
    (problem,) = _problems({**CPU_SPEC, "model": {"uri": "pvc://weights/../x"}})
    assert problem.field == "spec.model.uri"


@pytest.mark.parametrize(
    ("change", "changes_pods"),
    [
        ({"replicas": 3}, False),
        ({"suspended": True}, False),
        ({"service": {"port": 81}}, False),
        ({"rollout": {"strategy": "Replace"}}, False),
        ({"engine": {"maxModelLen": 9}}, True),
        ({"podTemplate": {"metadata": {"labels": {"a.b/c": "d"}}}}, True),
    ],
)
def test_inputs_cover_the_pods_and_nothing_else(change: Spec, *, changes_pods: bool) -> None:
    """The hash of the inputs changes exactly with what the pods are made of."""
    before = resolve(observed(CPU_SPEC), SETTINGS).inputs
    after = resolve(observed({**CPU_SPEC, **change}), SETTINGS).inputs
    assert (before != after) is changes_pods


def test_suspension_wants_no_replica() -> None:
    """A suspended model wants no replica, whatever the spec says."""
    assert resolve(observed({**CPU_SPEC, "replicas": 4, "suspended": True}), SETTINGS).replicas == 0


def test_gpu_products_reach_the_request() -> None:
    """Hardware wishes arrive in the request for a plan."""
    request = resolve(observed(GPU_SPEC), SETTINGS).request
    assert request.products == ("NVIDIA-L4",)
    assert request.gpus_per_replica is None
