"""Reads Kubernetes manifests with the place of every field: YAML streams, JSON and lists."""

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from quantized_model_operator.cli.manifest_values import ManifestLoader, key_of, value_of

STANDARD_INPUT = "-"

FieldPath = tuple[str | int, ...]
"""For example ``("spec", "engine", "args", 0)``."""

_SEPARATOR = re.compile(r"---(\s|\Z)")
_SURROGATES = re.compile(
    r"(?P<before>(?<!\\)(?:\\\\)*)"
    r"\\u(?P<high>[dD][89abAB][0-9a-fA-F]{2})\\u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})"
)
_NO_CONTENT = re.compile(r"\s*(#.*|%.*)?\Z")


class Place(NamedTuple):
    """Where something stands in a file, counted from 1 as editors do."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A document that could not be read; those before and after it could."""

    file: str
    place: Place
    message: str
    text: str
    """The document as it is written."""

    @property
    def is_template(self) -> bool:
        """Whether the text has placeholders of a template engine, such as Helm's."""
        return "{{" in self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One object of a file; items of a ``kind: List`` are objects of their own."""

    file: str
    content: Mapping[str, Any]
    node: yaml.MappingNode
    first_line: int
    """Lines of the file before the text that the node's marks count from."""

    @property
    def kind(self) -> str:
        """The kind as it is written; empty when there is none."""
        return _text_in(self.content, "kind")

    @property
    def api_version(self) -> str:
        """The apiVersion as it is written; empty when there is none."""
        return _text_in(self.content, "apiVersion")

    @property
    def name(self) -> str:
        """The name in the metadata; empty when there is none."""
        return _text_in(self.content.get("metadata"), "name")

    @property
    def namespace(self) -> str:
        """The namespace in the metadata; empty when there is none."""
        return _text_in(self.content.get("metadata"), "namespace")

    def place(self, path: FieldPath = (), *, of_key: bool = False) -> Place:
        """Where the field stands, or the nearest field around it that does.

        A scalar is placed where its value begins; anything larger, and everything with
        ``of_key``, where its key does.
        """
        node: yaml.Node = self.node
        mark = node.start_mark
        for part in path:
            member = _member(node, part)
            if member is None:
                break
            key, node = member
            is_scalar = isinstance(node, yaml.ScalarNode)
            mark = node.start_mark if is_scalar and not of_key else key.start_mark
        return self.place_of(mark)

    def written(self, path: FieldPath) -> str:
        """The text of a scalar as it is written, without quotes; empty for anything else."""
        node: yaml.Node = self.node
        for part in path:
            member = _member(node, part)
            if member is None:
                return ""
            _, node = member
        return str(node.value) if isinstance(node, yaml.ScalarNode) else ""

    def place_of(self, mark: yaml.Mark) -> Place:
        """The place in the file of a mark of one of the nodes."""
        return Place(self.first_line + mark.line + 1, mark.column + 1)


def read_text(file: str) -> str:
    """The text of a file, or of standard input for ``-``; raises ``OSError`` or ``ValueError``."""
    if file == STANDARD_INPUT:
        return sys.stdin.read()
    return Path(file).read_text(encoding="utf-8-sig")


def read_manifests(text: str, file: str = STANDARD_INPUT) -> Iterator[Manifest | Unreadable]:
    """Every object of the text in order, and in their place the documents that are unreadable."""
    for first_line, document in _documents(text):
        loader = ManifestLoader(_as_yaml(document))
        try:
            while loader.check_node():
                yield from _objects(loader.get_node(), file, first_line)
        except yaml.YAMLError as error:
            line, column, message = _explained(error, document)
            place = Place(first_line + line + 1, column + 1)
            yield Unreadable(file=file, place=place, message=message, text=document)
        finally:
            loader.dispose()


def _as_yaml(document: str) -> str:
    """The document without what only JSON may write: a character as two escapes, and DEL."""
    if not document.lstrip().startswith("{"):
        return document
    return _SURROGATES.sub(_one_escape, document).replace("\x7f", "\\u007f")


def _one_escape(pair: re.Match[str]) -> str:
    high, low = int(pair["high"], 16), int(pair["low"], 16)
    character = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)
    return f"{pair['before']}\\U{character:08x}"


def _documents(text: str) -> Iterator[tuple[int, str]]:
    """The parts of a text between ``---`` with the number of lines before each.

    They are read apart, as kubectl does, so that one mistake does not hide the rest of a file.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    first, has_content = 0, False
    for number, line in enumerate(lines):
        if _SEPARATOR.match(line) and has_content:
            yield first, "\n".join(lines[first:number])
            first, has_content = number, False
        content = line[3:] if _SEPARATOR.match(line) else line
        has_content = has_content or not _NO_CONTENT.match(content)
    if has_content:
        yield first, "\n".join(lines[first:])


def _objects(node: yaml.Node | None, file: str, first_line: int) -> Iterator[Manifest]:
    """The object of a node, or those in it when it is a list; nothing when it is no mapping."""
    if not isinstance(node, yaml.MappingNode):
        return
    manifest = Manifest(file=file, content=value_of(node), node=node, first_line=first_line)
    items = _member(node, "items")
    if manifest.kind.endswith("List") and items and isinstance(items[1], yaml.SequenceNode):
        for item in items[1].value:
            yield from _objects(item, file, first_line)
    else:
        yield manifest


def _member(node: yaml.Node, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """The key and the value of a field, or an item of a list twice; ``None`` when it is absent."""
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    if not isinstance(node, yaml.MappingNode):
        return None
    # Of a field that is written twice the last one counts.
    found = [(key, value) for key, value in node.value if key_of(key) == part]
    return found[-1] if found else None


def _text_in(mapping: Any, key: str) -> str:  # noqa: ANN401 - any JSON
    value = mapping.get(key) if isinstance(mapping, Mapping) else None
    return value if isinstance(value, str) else ""


def _explained(error: yaml.YAMLError, document: str) -> tuple[int, int, str]:
    """Line and column from 0, and the sentence."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        words = [part for part in (error.problem, error.context) if part]
        lines = document.split("\n")
        if line < len(lines) and lines[line][column : column + 1] == "\t":
            words = ["a tab, where YAML takes spaces only"]
        return line, column, ", ".join(words)
    position = min(getattr(error, "position", 0), len(document))
    line = document.count("\n", 0, position)
    column = position - (document.rfind("\n", 0, position) + 1)
    return line, column, f"a character that YAML does not allow: {getattr(error, 'reason', error)}"
