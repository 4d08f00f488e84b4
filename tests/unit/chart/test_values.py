"""Values: explained, and refused when they cannot work."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tools.chart_values import documented_values
from tools.helm_program import CHART, HelmError
from unit.chart.rendering import rendered

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT = (CHART / "values.yaml").read_text(encoding="utf-8")
SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))


def leaves(value: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Paths of all values that are not groups of others."""
    for name, child in value.items():
        if isinstance(child, dict) and child:
            yield from leaves(child, (*path, name))
        else:
            yield (*path, name)


def test_the_schema_knows_every_value() -> None:
    """No value of the chart is unknown to the schema, and the schema knows no others."""

    def known(schema: dict[str, Any], value: dict[str, Any], path: str) -> None:
        properties = set(schema.get("properties", {})) - {"global"}
        assert properties == set(value), path
        for name, child in value.items():
            inner = schema["properties"][name]
            if inner.get("additionalProperties") is False:
                known(inner, child, f"{path}.{name}")

    known(SCHEMA, yaml.safe_load(TEXT), "")


def test_every_value_is_explained() -> None:
    """Each value, or the group it is in, has a comment that says what it does."""
    explained = {tuple(value.path.split(".")) for value in documented_values()}
    groups = {path[:length] for path in explained for length in range(1, len(path) + 1)}
    silent = [
        path
        for path in leaves(yaml.safe_load(TEXT))
        if not any(path[:length] in explained for length in range(1, len(path) + 1))
    ]
    assert silent == []
    assert len(groups) > len(explained)


def test_the_table_of_values_shows_defaults() -> None:
    """The page of values is read from the file: each row has the path, the comment, the default."""
    rows = {value.path: value for value in documented_values()}
    assert rows["engines.gpu.version"].default == "0.33.0"
    assert rows["rbac.scope"].meaning.startswith("`cluster`: one ClusterRole for all namespaces.")
    assert rows["rbac.scope"].meaning.endswith("for reading nodes only")


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ("replicas: 3", "/replicas"),
        ("replicaz: 1", "replicaz"),
        ("image: {digest: latest}", "/image/digest"),
        ("image: {pullPolicy: Sometimes}", "/image/pullPolicy"),
        ("rbac: {scope: everything}", "/rbac/scope"),
        ("namespaces: [Team_A]", "/namespaces/0"),
        ("engines: {gpu: {version: '0.33'}}", "/engines/gpu/version"),
        ("engines: {cpu: {image: 'vllm:{tag}'}}", "/engines/cpu/image"),
        ("hub: {endpoint: huggingface.co}", "/hub/endpoint"),
        ("logLevel: debug", "/logLevel"),
        ("httpPort: 80", "/httpPort"),
        ("workers: 0", "/workers"),
        ("resyncSeconds: 1", "/resyncSeconds"),
        ("podLabels: {a: 1}", "/podLabels/a"),
        ("imagePullSecrets: [mirror]", "/imagePullSecrets/0"),
        ("podDisruptionBudget: {maxUnavailable: all}", "/podDisruptionBudget/maxUnavailable"),
    ],
)
def test_a_wrong_value_is_refused_by_name(values: str, complaint: str) -> None:
    """Helm stops before anything is applied, and names the value at fault."""
    with pytest.raises(HelmError) as refused:
        rendered(values)
    assert complaint.strip("/") in str(refused.value).replace(".", "/")
