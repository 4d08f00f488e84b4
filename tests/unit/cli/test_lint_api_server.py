"""What `qm lint` says of a field is what the API server says."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from quantized_model_operator.api.v1alpha1 import API_VERSION, KIND
from quantized_model_operator.cli.lint_api_server import api_server_complaints
from unit.api.crd_validation import complaints as schema_complaints
from unit.api.spec_examples import HUB, RULES, WRONG_FIELDS, WRONG_NAMES, Spec
from unit.api.test_agreement import SMALL, SPECS

ANSWERS: list[dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("api_server_answers.yaml").read_text(encoding="utf-8")
)


def model(spec: Any, name: str = "otter") -> dict[str, Any]:  # noqa: ANN401 - also what is no spec
    """A model with this spec."""
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": spec}


def sentences(document: dict[str, Any]) -> list[str]:
    """What is said of a model."""
    return sorted(complaint.sentence for complaint in api_server_complaints(document))


@pytest.mark.parametrize("example", ANSWERS, ids=lambda example: str(example["spec"])[:60])
def test_the_answer_is_that_of_the_api_server(example: dict[str, Any]) -> None:
    """Each example gets the very sentences that the API server's own code gave."""
    assert sentences(model(example["spec"])) == sorted(example["answers"])


@pytest.mark.parametrize(("sentence", "bad", "good"), RULES, ids=[rule[0] for rule in RULES])
def test_a_rule_refuses_its_bad_example_only(sentence: str, bad: Spec, good: Spec) -> None:
    """Each rule of the CRD refuses its bad example with its sentence, and no good one."""
    (found,) = sentences(model(bad))
    assert found.endswith(f"Invalid value: {sentence}")
    assert sentences(model(good)) == []


@pytest.mark.parametrize(("spec", "field"), WRONG_FIELDS)
def test_a_wrong_field_is_named(spec: Spec, field: str) -> None:
    """What the schema alone can see is refused with the path of the field."""
    assert any(field in sentence for sentence in sentences(model(spec)))


@pytest.mark.parametrize("name", WRONG_NAMES)
def test_a_name_that_cannot_name_a_service_is_refused(name: str) -> None:
    """Names from which no Service could be made are refused."""
    (found,) = sentences(model({"model": HUB}, name))
    assert "metadata.name must begin with a letter" in found


WRONG_LABEL = (
    'metadata.labels.b: Invalid value: "integer": metadata.labels.b in body must be of type '
    'string: "integer"'
)


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        ({}, "metadata.name: Required value: name or generateName is required"),
        ({"name": "a", "labelz": {}}, 'unknown field "metadata.labelz"'),
        (
            {"name": "a", "labels": {"b": 1}},
            WRONG_LABEL,
        ),
    ],
)
def test_metadata_is_judged(metadata: dict[str, Any], sentence: str) -> None:
    """A CRD leaves the metadata to the API server, so their mistakes are known here."""
    assert sentences({**model({"model": HUB}), "metadata": metadata}) == [sentence]


def test_a_generated_name_is_a_name() -> None:
    """An object whose name the API server makes up needs none."""
    assert sentences({**model({"model": HUB}), "metadata": {"generateName": "a-"}}) == []


def test_a_status_is_nobodys_mistake() -> None:
    """The API server drops a status that a user sends, whatever is in it."""
    assert sentences({**model({"model": HUB}), "status": {"otter": 1}}) == []


@SMALL
@given(SPECS)
def test_what_the_schema_accepts_is_accepted(spec: dict[str, Any]) -> None:
    """No spec within the schema gets a complaint other than of a rule over several fields."""
    document = model(spec)
    assert schema_complaints(document) == []
    assert [item for item in api_server_complaints(document) if item.about is None] == []


PATHS = [
    ("replicas",),
    ("suspended",),
    ("model",),
    ("model", "uri"),
    ("engine", "dtype"),
    ("engine", "args"),
    ("engine", "env"),
    ("hardware", "memory"),
    ("hardware", "nodeSelector"),
    ("hardware", "tolerations"),
    ("service", "port"),
    ("unknown",),
    ("engine", "unknown"),
]
ANY_JSON = st.recursive(
    st.booleans() | st.integers(-5, 10**6) | st.floats(-1, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@SMALL
@given(st.sampled_from(PATHS), ANY_JSON)
def test_both_judges_of_the_schema_agree(path: tuple[str, ...], value: Any) -> None:  # noqa: ANN401
    """Anything in the place of a field is refused here exactly if the CRD's schema refuses it."""
    spec = copy.deepcopy({"model": HUB, "engine": {}, "hardware": {}, "service": {}})
    holder: dict[str, Any] = spec
    for part in path[:-1]:
        holder = holder[part]
    holder[path[-1]] = value
    document = model(spec)
    found = [item for item in api_server_complaints(document) if item.about is None]
    # A JSON schema knows no sets and no maps among lists.
    seen = [item for item in found if not item.message.startswith("Duplicate value")]
    assert bool(seen) is bool(schema_complaints(document))
