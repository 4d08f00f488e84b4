"""`qm lint` has a verdict on whatever stands in a file."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from quantized_model_operator.api.v1alpha1 import API_VERSION, KIND
from quantized_model_operator.cli.lint_files import FoundManifests
from quantized_model_operator.cli.lint_manifests import lint
from quantized_model_operator.cli.lint_report import WRITERS
from quantized_model_operator.cli.manifests import Manifest, Unreadable, read_manifests
from quantized_model_operator.settings import Settings
from unit.api.test_agreement import SMALL, SPECS
from unit.cli.lint_manifests import judged

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9)
)
NAMES = st.sampled_from(
    ["name", "namespace", "labels", "model", "uri", "engine", "args", "env", "hardware", "cache"]
) | st.text(max_size=4)
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
YAML_SIGNS = st.text(alphabet="ab:-{}[]&*!|>'\"#%@,?~ \n\t<=.0y", max_size=60)


@SMALL
@given(ANYTHING, ANYTHING)
def test_any_object_has_a_verdict(metadata: object, spec: object) -> None:
    """Whatever stands for metadata and spec is judged, and what is found can be written."""
    document = {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec}
    report = judged(json.dumps(document))
    assert report.models == 1
    assert report.errors > 0
    for finding in report.findings:
        assert finding.place.line == 1
        assert finding.message
    assert all(writer(report) for writer in WRITERS.values())


@SMALL
@given(SPECS)
def test_any_spec_within_the_schema_has_a_verdict(spec: dict[str, Any]) -> None:
    """What the API server may store is judged to the end, rules of the operator included."""
    metadata = {"name": "otter"}
    document = {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec}
    assert judged(json.dumps(document)).models == 1


@SMALL
@given(ANYTHING)
def test_any_patch_has_a_verdict(spec: object) -> None:
    """A part of a model is judged whatever it is."""
    document = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "a"}, "spec": spec}
    (manifest,) = read_manifests(json.dumps(document), "a.yaml")
    assert isinstance(manifest, Manifest)
    found = FoundManifests(
        manifests=(manifest,), unreadable=(), files=1, patches=frozenset({"a.yaml"})
    )
    assert lint(found, Settings(operator_image="")).models == 1


@given(YAML_SIGNS)
def test_any_text_is_read(text: str) -> None:
    """Any text gives objects or places that could not be read, within its lines."""
    lines = text.count("\n") + 1
    for item in read_manifests(text):
        place = item.place if isinstance(item, Unreadable) else item.place(("kind",))
        assert 1 <= place.line <= lines + 1
        assert place.column >= 1
