"""The manifest for clusters without Helm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from kubernetes import client

from tools.chart_files import INSTALL_NAMESPACE, install_manifest
from tools.generate import GENERATORS, differences

REPOSITORY = Path(__file__).resolve().parents[3]


def documents() -> list[dict[str, Any]]:
    """The committed objects, in order."""
    text = (REPOSITORY / "charts" / "install.yaml").read_text(encoding="utf-8")
    return list(yaml.safe_load_all(text))


def test_everything_generated_is_committed() -> None:
    """CRD, chart, reference and manifest in the repository are what the types and tables say."""
    assert differences(GENERATORS, REPOSITORY) == []


def test_rendering_again_gives_the_same_bytes() -> None:
    """The manifest depends on nothing but the chart."""
    assert install_manifest() == install_manifest()


def test_the_namespace_comes_first_and_holds_everything() -> None:
    """One `kubectl apply` makes the namespace before what is in it, and nothing lands elsewhere."""
    first, *others = documents()
    assert (first["kind"], first["metadata"]["name"]) == ("Namespace", INSTALL_NAMESPACE)
    places = {other["metadata"].get("namespace", INSTALL_NAMESPACE) for other in others}
    assert places == {INSTALL_NAMESPACE}


def test_nothing_pretends_to_be_helms() -> None:
    """No label or annotation makes tools believe that a Helm release owns the objects."""
    text = (REPOSITORY / "charts" / "install.yaml").read_text(encoding="utf-8")
    assert "helm" not in text.lower()


def test_the_official_types_accept_every_object() -> None:
    """No object has a misspelt, missing or wrongly typed field."""
    for document in documents():
        getattr(client, f"V1{document['kind']}").model_validate(document)
