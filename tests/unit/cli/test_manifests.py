"""Manifests are read as kubectl reads them, with the place of every field."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from quantized_model_operator.cli.manifests import (
    Manifest,
    Place,
    Unreadable,
    read_manifests,
    read_text,
)

if TYPE_CHECKING:
    from pathlib import Path

TWO_MODELS = """\
# Two models.
apiVersion: v1
kind: First
metadata: {name: otter, namespace: river}
spec:
  engine:
    args:
      - --one
      - --two
---
{"kind": "Second",
 "spec": {"replicas": 2}}
"""


def read(text: str) -> list[Manifest]:
    """The objects of a text in which everything can be read."""
    found = list(read_manifests(text, "models.yaml"))
    assert not [item for item in found if isinstance(item, Unreadable)], found
    return [item for item in found if isinstance(item, Manifest)]


def unreadable(text: str) -> Unreadable:
    """The one document of a text that cannot be read."""
    (found,) = [item for item in read_manifests(text) if isinstance(item, Unreadable)]
    return found


def value(written: str) -> Any:  # noqa: ANN401 - any JSON
    """What a scalar means, written as the value of a field."""
    (manifest,) = read(f"field: {written}\n")
    return manifest.content["field"]


def test_every_document_is_an_object() -> None:
    """A stream of YAML and JSON gives its objects in order, with kind, name and namespace."""
    first, second = read(TWO_MODELS)
    assert (first.kind, first.api_version, first.name, first.namespace) == (
        *("First", "v1", "otter", "river"),
    )
    assert second.content == {"kind": "Second", "spec": {"replicas": 2}}
    assert (second.api_version, second.name, second.namespace) == ("", "", "")


def test_a_field_has_a_place() -> None:
    """A scalar stands where its value begins, a mapping where its key does, in the whole file."""
    first, second = read(TWO_MODELS)
    assert first.place(("metadata", "name")) == Place(4, 18)
    assert first.place(("metadata", "name"), of_key=True) == Place(4, 12)
    assert first.place(("spec", "engine")) == Place(6, 3)
    assert first.place(("spec", "engine", "args", 1)) == Place(9, 9)
    assert second.place(("spec", "replicas")) == Place(12, 23)


def test_an_absent_field_is_placed_at_the_field_around_it() -> None:
    """What is missing is shown where it belongs."""
    first, second = read(TWO_MODELS)
    assert first.place(("spec", "model", "uri")) == Place(5, 1)
    assert first.place(("spec", "engine", "args", 7)) == Place(7, 5)
    assert second.place(("metadata", "name")) == Place(11, 1)


def test_items_of_a_list_are_objects() -> None:
    """A list of kind List gives its items, lists in lists too, each with its own place."""
    text = "kind: List\nitems:\n- kind: A\n- kind: BList\n  items:\n  - kind: B\n"
    objects = read(text)
    assert [item.kind for item in objects] == ["A", "B"]
    assert [item.place(("kind",)) for item in objects] == [Place(3, 9), Place(6, 11)]


@pytest.mark.parametrize("text", ["", "---\n", "# nothing\n---\n# more\n", "- a\n- b\n", "text\n"])
def test_what_is_no_object_is_passed_over(text: str) -> None:
    """Empty documents, comments, plain lists and texts are no objects and no mistakes."""
    assert read(text) == []


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *(("y", True), ("no", False), ("On", True), ("true", True), ("'y'", "y")),
        *(("1e3", 1000), ("08", 8), ("010", 8), ("0o17", 15), ("0x1F", 31), ("0b11", 3)),
        *(("1_000", 1000), ("-5", -5), ("1.0", 1), (".5", 0.5), ("12345e7", 123450000000)),
        *(("1:30", "1:30"), ("2026-11-24", "2026-11-24"), ("~", None), ("", None)),
        *(("!!str 5", "5"), ('"5"', "5"), ("1e999", "1e999")),
    ],
)
def test_scalars_mean_what_they_mean_to_kubectl(written: str, meant: object) -> None:
    """An unquoted y is true, a date is a text, 1e3 and 1.0 are integers: as measured of kubectl."""
    assert (value(written), type(value(written))) == (meant, type(meant))


def test_keys_are_texts() -> None:
    """Keys that look like numbers or booleans are texts, as JSON has no others."""
    (manifest,) = read("1: a\ntrue: b\n'yes': c\n")
    assert manifest.content == {"1": "a", "true": "b", "yes": "c"}


def test_merged_fields_do_not_override_written_ones() -> None:
    """Fields taken over with << give way to written ones, and a later mapping to an earlier."""
    text = "a: &a {x: 1, w: 1}\nb: &b {x: 2, z: 2}\nc: {w: 3, <<: [*a, *b]}\n"
    (manifest,) = read(text)
    assert manifest.content["c"] == {"x": 1, "w": 3, "z": 2}


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a: [1\n", Place(2, 1), "did not find expected ',' or ']'"),
        ("a:\n\tb: 1\n", Place(2, 1), "a tab, where YAML takes spaces only"),
        ("a: 1\n b: 2\n", Place(2, 3), "mapping values are not allowed in this context"),
        ("a: &x [*x]\n", Place(1, 4), "it contains itself"),
        ("a: *x\n", Place(1, 4), "found undefined alias"),
        ("[1]: 2\n", Place(1, 1), "a key must be a text"),
        ("a: !!int b\n", Place(1, 4), "'b' is not of the type"),
        ("a: 1\n<<: 5\n", Place(2, 5), "only mappings can be merged"),
        ("a: 1\nb: \x07\n", Place(2, 4), "a character that YAML does not allow"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, place: Place, words: str) -> None:
    """A document that is no YAML is told with line, column and cause."""
    found = unreadable(text)
    assert found.place == place
    assert words in found.message


def test_a_mistake_does_not_hide_other_documents() -> None:
    """The documents before and after a broken one are read, and keep their places."""
    found = list(read_manifests("kind: A\n---\nkind: [\n---\nkind: B\n"))
    assert [type(item) for item in found] == [Manifest, Unreadable, Manifest]
    assert isinstance(found[2], Manifest)
    assert found[2].place(("kind",)) == Place(5, 7)


def test_a_template_is_told_apart() -> None:
    """A document that a template engine has to render first is recognised as such."""
    assert unreadable("name: {{ .Values.name }}\n").is_template
    assert not unreadable("name: {a\n").is_template
    assert len(read("name: '{{ x }}'\n")) == 1


def test_directives_belong_to_the_document_after_them() -> None:
    """A %YAML line before the first document starts no document of its own."""
    (manifest,) = read("%YAML 1.1\n# a model\n---\nkind: A\n")
    assert manifest.place(("kind",)) == Place(4, 7)


def test_every_json_document_is_read(tmp_path: Path) -> None:
    """JSON indented with tabs, and with a byte order mark, is read as it is."""
    path = tmp_path / "model.json"
    path.write_text(json.dumps({"kind": "A", "n": [1.5]}, indent="\t"), encoding="utf-8-sig")
    (manifest,) = read(read_text(str(path)))
    assert manifest.content == {"kind": "A", "n": [1.5]}
    assert manifest.place(("n", 0)) == Place(4, 3)


@pytest.mark.parametrize(
    "text", ["\U0001f9a6", "a\\\U0001f9a6\U0001f9a6", "\\ud83e\\udda6", "\x7f"]
)
def test_characters_of_json_are_read(text: str) -> None:
    """What JSON writes as two escapes is one character, as for kubectl, and a DEL is one too."""
    (manifest,) = read(json.dumps({"kind": text}))
    assert manifest.kind == text


def test_lines_may_end_as_on_windows() -> None:
    """Carriage returns change neither values nor places."""
    (manifest,) = read("kind: A\r\nspec:\r\n  a: b\r\n")
    assert manifest.content == {"kind": "A", "spec": {"a": "b"}}
    assert manifest.place(("spec", "a")) == Place(3, 6)
