"""The tools that write tables from sources of vLLM and compare with it, without vLLM."""

from __future__ import annotations

import argparse
import json
import random
from typing import TYPE_CHECKING

import pytest

from quantized_model_operator.domain.argument_values import converter
from tools.flag_comparison import arguments, vllm_takes
from tools.flag_tables import KINDS, PROBES, kind_of, load_formats, row_of
from tools.kernel_comparison import CAPABILITIES, question
from tools.stub_modules import Stub, StubFinder, StubModule

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(
    ("convert", "kind"), [(str, ""), (int, "int"), (float, "float"), (json.loads, "json")]
)
def test_converters_are_told_apart_by_trying(convert: Callable[[str], object], kind: str) -> None:
    """What a converter is shows in what it takes, whatever its name."""
    assert kind_of(convert) == kind
    assert kind_of(None) == ""


@pytest.mark.parametrize("kind", sorted(set(KINDS.values()) - {"", "object", "object?"}))
def test_every_kind_is_converted_as_it_was_found(kind: str) -> None:
    """The operator's converter of a kind is, by the same trials, of that kind."""
    assert kind_of(converter(kind)) == kind


def test_objects_are_checked_for_their_braces_only() -> None:
    """Keys of JSON objects are vLLM's own business: any object passes, nothing else does."""
    assert [text for text in PROBES if _taken(text)] == ['{"a": 1}', "{}"]


def _taken(text: str) -> bool:
    convert = converter("object")
    assert convert is not None
    try:
        convert(text)
    except ValueError:
        return False
    return True


def test_rows_hold_what_is_unusual() -> None:
    """Names, switches with both spellings, choices and optional values come out as data."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", "-n")
    parser.add_argument("--fast", action=argparse.BooleanOptionalAction)
    parser.add_argument("--size", type=int, choices=[1, 8], nargs="+")
    parser.add_argument("--level", choices=["a", None])
    rows = [row_of(parser, action) for action in parser._actions[1:]]  # noqa: SLF001
    assert rows == [
        {"names": ["--name", "-n"], "dest": "name"},
        {"names": ["--fast", "--no-fast"], "dest": "fast", "nargs": 0, "off": ["--no-fast"]},
        {"names": ["--size"], "dest": "size", "nargs": "+", "kind": "int", "choices": ["1", "8"]},
        {"names": ["--level"], "dest": "level", "kind": "text?", "choices": ["a", "None"]},
    ]


def test_load_formats_are_read_from_the_source(tmp_path: Path) -> None:
    """The names of the table of loaders are the formats, in order."""
    folder = tmp_path / "vllm" / "model_executor" / "model_loader"
    folder.mkdir(parents=True)
    table = '_LOAD_FORMAT_TO_MODEL_LOADER: dict[str, type] = {\n    "pt": A,\n    "auto": A,\n}\n'
    (folder / "__init__.py").write_text(table, encoding="utf-8")
    assert load_formats(tmp_path) == ["auto", "pt"]
    (folder / "__init__.py").write_text("", encoding="utf-8")
    with pytest.raises(SystemExit, match="no table of load formats"):
        load_formats(tmp_path)


def test_stubs_stand_in_for_missing_packages_only() -> None:
    """Only packages that are neither real nor of the standard library are found as stubs."""
    finder = StubFinder({"real"}, ("real.compiled",), {})
    assert finder.find_spec("json", None) is None
    assert finder.find_spec("real.part", None) is None
    assert finder.find_spec("real.compiled.ops", None) is not None
    assert finder.find_spec("absent.deep", None) is not None


def test_stubs_take_any_use() -> None:
    """A stub is a base class, a decorator, an annotation and an operand, and is never smaller."""
    module = StubModule("absent")

    def plain() -> int:
        return 7

    child = type("Child", (module.nn.Module,), {})
    assert module.decorate(plain) is plain
    assert isinstance(child(), Stub)
    assert module.Tensor | None is module.Tensor
    assert not module.version < (1, 2)
    assert list(module.anything) == []


def test_random_lists_are_repeatable_and_use_the_flags() -> None:
    """The same seed gives the same lists, and spellings start from known names."""
    first, second = (arguments(["--alpha"], random.Random(3)) for _ in range(2))  # noqa: S311
    assert first == second
    assert any(entry.startswith("--") for entry in first)


@pytest.mark.parametrize("minor", [29, 30])
def test_questions_about_kernels_have_whole_groups(minor: int) -> None:
    """Only what a plan may ask is asked: whole groups, types of the GPU, act-order up to 0.29."""
    chance = random.Random(1)  # noqa: S311 - a repeatable sample
    asked = [question(chance, minor) for _ in range(300)]
    assert all(item.in_features % max(item.group_size, 1) == 0 for item in asked)
    assert all(item.dtype == "float16" or item.capability >= (8, 0) for item in asked)
    assert any(item.act_order for item in asked) == (minor == 29)
    assert {item.capability for item in asked} == set(CAPABILITIES)


def test_vllm_takes_what_its_parser_takes(capsys: pytest.CaptureFixture[str]) -> None:
    """A parser that exits has refused, quietly."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--size", type=int)
    assert vllm_takes(parser, ["--size", "4"])
    assert not vllm_takes(parser, ["--size", "x"])
    assert capsys.readouterr() == ("", "")
