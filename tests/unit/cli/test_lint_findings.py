"""What `qm lint` finds in manifests, each thing with its place, and what it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from quantized_model_operator.cli.lint_finding import Severity
from quantized_model_operator.cli.manifests import Place
from quantized_model_operator.settings import Settings
from unit.api.test_examples import EXAMPLES
from unit.cli.lint_manifests import COMMIT, judged, model, only_finding

if TYPE_CHECKING:
    from pathlib import Path

CLAIM = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: weights}
spec: {accessModes: [ReadWriteOnce]}
"""


def test_a_good_model_has_no_findings() -> None:
    """A pinned model with the usual settings has nothing to complain about."""
    spec = "engine: {maxModelLen: 4096}\nhardware: {gpusPerReplica: 2, products: [NVIDIA-L4]}\n"
    report = judged(model(spec))
    assert (report.findings, report.models, report.errors) == ((), 1, 0)


@pytest.mark.parametrize(
    ("written", "instead", "field", "remedy"),
    [
        ("kind: QuantizedModel", "kind: QuantisedModel", "kind", "QuantizedModel"),
        ("kind: QuantizedModel", "kind: Quantizedmodel", "kind", "QuantizedModel"),
        ("kind: QuantizedModel", "kind: Model", "kind", "QuantizedModel"),
        ("dev/v1alpha1", "dev/v1", "apiVersion", "serving.quantizedmodel.dev/v1alpha1"),
        (
            "serving.quantizedmodel.dev",
            "serving.quantisedmodel.dev",
            "apiVersion",
            "serving.quantizedmodel.dev/v1alpha1",
        ),
    ],
)
def test_a_misspelt_kind_is_told(written: str, instead: str, field: str, remedy: str) -> None:
    """An object that is nearly a QuantizedModel is an error, not one of another kind."""
    finding = only_finding(model().replace(written, instead))
    assert (finding.severity, finding.reason, finding.field) == ("error", "UnknownKind", field)
    assert finding.remedy == f"write {field}: {remedy}"
    assert finding.place.line == (2 if field == "kind" else 1)


def test_other_kinds_are_passed_over() -> None:
    """Objects of other kinds, one with a like name included, are none of our business."""
    others = "apiVersion: apps/v1\nkind: Deployment\n---\napiVersion: x.dev/v1\nkind: ModelMesh\n"
    report = judged(others)
    assert (report.findings, report.models, report.others) == ((), 0, 2)


def test_a_key_that_is_written_twice_is_told() -> None:
    """A repeated key is an error at its second place, which names the first."""
    finding = only_finding(model("replicas: 0\nsuspended: true\nreplicas: 1\n"))
    assert (finding.reason, finding.field, finding.place) == (
        *("DuplicateKey", "spec.replicas", Place(11, 3)),
    )
    assert "first on line 9" in finding.message


def test_a_shared_part_is_told_once() -> None:
    """A repeated key in a part that is used again by an alias is told once."""
    spec = "podTemplate:\n  metadata:\n    labels: &a {b: x, b: z}\n    annotations: *a\n"
    assert only_finding(model(spec)).reason == "DuplicateKey"


def test_broken_yaml_is_told() -> None:
    """A document that is no YAML is an error with its place."""
    finding = only_finding(model("engine: [\n"))
    assert (finding.severity, finding.reason) == (Severity.ERROR, "InvalidYaml")
    assert finding.message.startswith("no YAML: ")


def test_a_template_is_named_as_not_readable() -> None:
    """A Helm template is a warning that says how to judge it."""
    finding = only_finding(model().replace("otter\n", "{{ .Release.Name }}\n", 1))
    assert (finding.severity, finding.reason, finding.place.line) == (
        *(Severity.WARNING, "Template", 4),
    )
    assert "helm template" in finding.remedy


@pytest.mark.parametrize(
    ("spec", "sentence", "remedy"),
    [
        ("maxModelLen: 1\n", 'unknown field "spec.maxModelLen"', "it belongs in spec.engine"),
        (
            "engine: {max_num_seqs: 1}\n",
            'unknown field "spec.engine.max_num_seqs"',
            "did you mean maxNumSeqs?",
        ),
        ("zebra: 1\n", 'unknown field "spec.zebra"', "remove it; spec has model, engine, "),
        (
            "engine: {kvCacheDtype: fp8e4m3}\n",
            'spec.engine.kvCacheDtype: Unsupported value: "fp8e4m3"',
            "did you mean fp8_e4m3?",
        ),
        (
            "engine: {dtype: half}\n",
            'spec.engine.dtype: Unsupported value: "half"',
            "write one of auto, float16, bfloat16",
        ),
        (
            "engine: {env: [{name: A, value: yes}]}\n",
            'spec.engine.env[0].value: Invalid value: "boolean"',
            'write it in quotes: "yes"',
        ),
        (
            'replicas: "2"\n',
            'spec.replicas: Invalid value: "string"',
            "write it without quotes",
        ),
        (
            "hardware: {memory: 6 GB}\n",
            'spec.hardware.memory: Invalid value: "6 GB"',
            "write a quantity such as 500m, 4 or 12Gi",
        ),
        (
            "apiKeySecretRef: {name: a}\n",
            "spec.apiKeySecretRef.key: Required value",
            "Key in the Secret's data",
        ),
        (
            "service: {port: 0}\n",
            "spec.service.port: Invalid value: 0",
            "Its port",
        ),
    ],
)
def test_a_refusal_of_the_api_server_has_a_remedy(spec: str, sentence: str, remedy: str) -> None:
    """The API server says what is wrong; beside it stands what to write instead."""
    finding = only_finding(model(spec))
    assert finding.message.startswith(sentence)
    assert finding.remedy.startswith(remedy)
    assert finding.place.line == 9


def test_a_rule_is_placed_at_the_field_it_speaks_of() -> None:
    """A rule over several fields is shown at the one that its sentence begins with."""
    finding = only_finding(model("rollout: {}\ncache: {size: 1Gi, hostPath: /a}\n"))
    assert (finding.field, finding.place) == ("spec.cache", Place(10, 3))
    assert finding.message.startswith("spec: Invalid value: spec.cache needs exactly one of")


def test_an_owned_flag_is_refused_by_name() -> None:
    """A flag that the operator sets is an error with the field to use instead."""
    finding = only_finding(
        model("engine:\n  args:\n  - --enable-log-requests\n  - --max-model-len=5\n")
    )
    assert (finding.reason, finding.field, finding.place) == (
        *("OwnedArgument", "spec.engine.args[1]", Place(12, 7)),
    )
    assert finding.message.endswith("use spec.engine.maxModelLen")


def test_an_unknown_flag_is_refused() -> None:
    """A flag that this version of vLLM does not have is an error at its entry."""
    finding = only_finding(model("engine: {args: [--swap-space=4], version: 0.33.0}\n"))
    assert (finding.severity, finding.field, finding.place) == (
        *(Severity.ERROR, "spec.engine.args[0]", Place(9, 19)),
    )
    assert "0.33.0" in finding.message
    assert finding.suggestion == {"engine": {"args": None}}


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ("hardware: {products: [Tesla-V100-SXM2-16GB]}\n", "spec.hardware.products"),
        ("hardware: {products: [AMD-Instinct-MI300X]}\n", "spec.hardware.products"),
        ("hardware: {resourceName: amd.com/gpu}\n", "spec.hardware.resourceName"),
        (
            "engine: {dtype: bfloat16}\nhardware: {products: [Tesla-T4]}\n",
            "spec.engine.dtype",
        ),
        (
            "engine: {dtype: float16, kvCacheDtype: fp8}\nhardware: {products: [NVIDIA-H200]}\n",
            "spec.engine.kvCacheDtype",
        ),
        ("engine: {maxNumSeqs: 64, maxNumBatchedTokens: 32}\n", "spec.engine.maxNumSeqs"),
    ],
)
def test_what_no_checkpoint_can_mend_is_refused(spec: str, field: str) -> None:
    """GPU, dtype and batch limits that never go together are an error without a checkpoint."""
    finding = only_finding(model(spec))
    assert (finding.severity, finding.field) == (Severity.ERROR, field)


@pytest.mark.parametrize(
    "spec",
    [
        "hardware: {products: [Tesla-V100-SXM2-16GB, NVIDIA-L4]}\n",
        "engine: {dtype: float16}\nhardware: {products: [Tesla-T4]}\n",
        "engine: {kvCacheDtype: fp8}\nhardware: {products: [NVIDIA-H200]}\n",
        "engine: {dtype: bfloat16, kvCacheDtype: fp8}\nhardware: {products: [NVIDIA-H200]}\n",
        "engine: {maxNumSeqs: 64, maxNumBatchedTokens: 64}\n",
        "engine: {maxNumBatchedTokens: 8}\n",
    ],
)
def test_what_some_checkpoint_can_do_is_accepted(spec: str) -> None:
    """What works with one of the named GPUs, or with some checkpoint, is no finding."""
    assert judged(model(spec)).findings == ()


def test_what_the_operator_alone_sees_is_refused() -> None:
    """A quantity that the schema lets through is refused as the operator would refuse it."""
    finding = only_finding(model("hardware: {cpu: -1}\n"))
    assert (finding.severity, finding.field) == (Severity.ERROR, "spec.hardware.cpu")
    assert finding.message == "spec.hardware.cpu must be above zero"


def test_settings_of_the_operator_count() -> None:
    """What the administrator switched off is refused where the settings say so."""
    text = model("engine: {image: mirror.example/vllm:v0.33.0}\n")
    assert judged(text).findings == ()
    closed = Settings(operator_image="", allow_custom_images=False)
    (finding,) = judged(text, settings=closed).findings
    assert "switched off by the administrator" in finding.message


def test_a_claim_among_the_files_is_known() -> None:
    """Several replicas on a ReadWriteOnce claim of the same files are refused."""
    text = model("cache: {claimName: weights}\nreplicas: 2\n")
    finding = only_finding(CLAIM, text)
    assert (finding.severity, finding.field) == (Severity.ERROR, "spec.cache.claimName")
    shared = CLAIM.replace("ReadWriteOnce", "ReadWriteMany")
    assert judged(shared, text).findings == ()


def test_models_of_one_name_are_told() -> None:
    """The second model of a name in a namespace is an error that points to the first."""
    finding = only_finding(model() + "---\n" + model())
    assert (finding.severity, finding.reason, finding.place) == (
        *(Severity.ERROR, "SameName", Place(13, 9)),
    )
    assert "also in 0.yaml:4" in finding.message
    elsewhere = model().replace("name: otter", "namespace: river\n  name: otter", 1)
    assert judged(model(), elsewhere).findings == ()


WARNINGS = [
    ("model: {uri: 'hf://a/b'}\n", "MovingRevision", "name a commit"),
    ("cache: {claimName: weights}\nreplicas: 2\n", "ClaimUnknown", "ReadWriteMany"),
    ("replicas: 2\n", "NoCache", "set spec.cache.claimName"),
    ("engine: {image: 'a/vllm:latest'}\n", "MovingImage", "name a version or a digest"),
    ("engine: {image: 'a:5000/vllm'}\n", "MovingImage", "name a version or a digest"),
    (
        "engine: {env: [{name: HF_TOKEN, value: a}]}\n",
        "ReadableSecret",
        "use secretKeyRef",
    ),
    ("engine: {version: 0.40.0}\n", "UnknownEngine", "newer than 0.33.0"),
    ("hardware: {products: [NVIDIA-L44]}\n", "UnknownProduct", "did you mean NVIDIA-L4?"),
]


@pytest.mark.parametrize(("spec", "reason", "words"), WARNINGS)
def test_a_surprise_is_a_warning(spec: str, reason: str, words: str) -> None:
    """What works and may surprise is a warning with the remedy in its sentence."""
    text = model(spec)
    if spec.startswith("model:"):
        text = text.replace(
            f"  model:\n    uri: hf://otter/river-GPTQ-Int4\n    revision: {COMMIT}\n", ""
        )
    finding = only_finding(text)
    assert (finding.severity, finding.reason) == (Severity.WARNING, reason)
    assert words in finding.message
    assert finding.message.startswith(finding.field)


@pytest.mark.parametrize(
    "spec",
    [
        "cache: {claimName: weights}\n",
        "cache: {size: 10Gi}\nreplicas: 2\n",
        "engine: {image: 'a:5000/vllm:v0.33.0'}\n",
        "engine: {image: 'a/vllm@sha256:0'}\n",
        "engine: {env: [{name: HF_TOKEN, secretKeyRef: {name: a, key: b}}]}\n",
        "engine: {env: [{name: LOG_LEVEL, value: a}]}\n",
        "engine: {version: 0.25.1}\n",
        "hardware: {products: [NVIDIA-H200]}\n",
    ],
)
def test_what_is_usual_is_no_warning(spec: str) -> None:
    """Beside each surprise stands the usual form, which is not told."""
    assert judged(model(spec)).findings == ()


SCALER = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: wave}
spec:
  scaleTargetRef: {kind: QuantizedModel, name: otter}
"""


@pytest.mark.parametrize("kind", ["HorizontalPodAutoscaler", "ScaledObject"])
def test_replicas_that_something_scales_are_told(kind: str) -> None:
    """A number of replicas beside something that sets it is a warning that names both."""
    scaler = SCALER.replace("HorizontalPodAutoscaler", kind)
    finding = only_finding(scaler, model("replicas: 1\n"))
    assert (finding.severity, finding.reason, finding.place) == (
        *(Severity.WARNING, "ReplicasAreScaled", Place(9, 13)),
    )
    assert f"{kind} wave in 0.yaml" in finding.message


@pytest.mark.parametrize(
    "scaler",
    [
        SCALER.replace("name: otter", "name: seal"),
        SCALER.replace("kind: QuantizedModel", "kind: Deployment"),
        SCALER.replace("name: wave", "name: wave, namespace: river"),
        SCALER.replace("HorizontalPodAutoscaler", "Otter"),
    ],
)
def test_replicas_that_nothing_scales_are_no_warning(scaler: str) -> None:
    """A scaler of something else is no party, and without a number there is nothing to fight."""
    assert judged(scaler, model("replicas: 1\n")).findings == ()
    assert judged(SCALER, model()).findings == ()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_of_the_documentation_has_no_errors(path: Path) -> None:
    """Each example is accepted by the judge that users are told to ask."""
    report = judged(path.read_text(encoding="utf-8"))
    assert (report.models, report.errors) == (1, 0)


def test_the_examples_go_together() -> None:
    """The directory of examples can be applied to one cluster as it is."""
    report = judged(*(path.read_text(encoding="utf-8") for path in EXAMPLES))
    assert (report.models, report.errors) == (len(EXAMPLES), 0)


def test_findings_are_in_the_order_of_the_files() -> None:
    """Findings are read from top to bottom, one file after the other."""
    report = judged(model("zebra: 1\n", "b") + "---\n" + model("yak: 1\n", "a"), model("emu: 1\n"))
    places = [(finding.file, finding.place.line) for finding in report.findings]
    assert places == [("0.yaml", 9), ("0.yaml", 19), ("1.yaml", 9)]
    assert replace(report, findings=()).errors == 0
