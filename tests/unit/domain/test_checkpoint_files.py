"""Which files make a checkpoint, and which are left where they are."""

from __future__ import annotations

import json

import pytest

from quantized_model_operator.domain.checkpoint_files import (
    InvalidIndexError,
    has_chat_template,
    has_tokenizer,
    index_total_bytes,
    is_plain_path,
    parse_index,
    serving_files,
    weight_files,
)


def test_the_index_decides_which_weights_count() -> None:
    """With an index its files are the weights, also those that do not exist."""
    names = ["model.safetensors", "a.safetensors"]
    assert weight_files(names, {"x": "a.safetensors", "y": "b.safetensors"}) == (
        "a.safetensors",
        "b.safetensors",
    )


def test_without_an_index_all_safetensors_of_the_folder_count() -> None:
    """Any name is fine, copies in Mistral's format and in other folders are not."""
    names = ["gptq_model-4bit-128g.safetensors", "consolidated.safetensors", "o/m.safetensors"]
    assert weight_files(names, None) == ("gptq_model-4bit-128g.safetensors",)


def test_a_numbered_set_names_its_missing_files() -> None:
    """The numbers in the names tell which files of a set are missing, without an index."""
    assert weight_files(["m-00002-of-00003.safetensors"], None) == (
        "m-00001-of-00003.safetensors",
        "m-00002-of-00003.safetensors",
        "m-00003-of-00003.safetensors",
    )


def test_serving_needs_no_copies_and_no_documents() -> None:
    """Weights in other formats, documents, pictures and hidden files are not fetched."""
    wanted = {
        "config.json": 1,
        "model.safetensors": 10**12,
        "tokenizer.model": 1,
        "merges.txt": 1,
        "chat_template.jinja": 1,
        "additional_chat_templates/tool.jinja": 1,
        "modeling_otter.py": 1,
        "qwen.tiktoken": 1,
    }
    unwanted = {
        ".gitattributes": 1,
        "README.md": 1,
        "pytorch_model.bin": 1,
        "model.gguf": 1,
        "original/consolidated.00.pth": 1,
        "consolidated.safetensors": 1,
        "figures/cat.PNG": 1,
        "quantized-model-manifest.json": 1,
        "SHA256SUMS": 1,
        "huge.json": 2**40,
        "../evil.json": 1,
        ".cache/x.py": 1,
    }
    assert set(serving_files({**wanted, **unwanted}, None)) == set(wanted)


def test_serving_takes_the_weights_of_the_index_only() -> None:
    """A second set of weights beside the index's is not fetched."""
    sizes = {"a.safetensors": 1, "b.safetensors": 1, "config.json": 1}
    assert serving_files(sizes, {"x": "a.safetensors"}) == ("a.safetensors", "config.json")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"weight_map": {}}',
        b'{"weight_map": []}',
        b'{"weight_map": {"a": 1}}',
        b'{"weight_map": {"a": "../b"}}',
        b'{"weight_map": {"a": "/b"}}',
        b"[" * 100_000,
    ],
)
def test_an_unusable_index_is_refused(content: bytes) -> None:
    """An index that names no files beside it is invalid."""
    with pytest.raises(InvalidIndexError):
        parse_index(content)


def test_the_total_of_an_index_may_be_absent() -> None:
    """The total is a number or not stated."""
    index = {"weight_map": {"a": "b"}, "metadata": {"total_size": 12}}
    assert index_total_bytes(json.dumps(index).encode()) == 12
    assert index_total_bytes(b'{"weight_map": {"a": "b"}}') is None
    assert index_total_bytes(b'{"metadata": {"total_size": "12"}}') is None


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["tokenizer.json"], True),
        (["tokenizer.model"], True),
        (["vocab.json"], False),
        (["vocab.json", "merges.txt"], True),
        (["qwen.tiktoken"], True),
        (["tokenizer_config.json", "special_tokens_map.json"], False),
    ],
)
def test_a_tokenizer_is_recognised(names: list[str], expected: bool) -> None:  # noqa: FBT001
    """Configuration of a tokenizer alone is none."""
    assert has_tokenizer(names) is expected


@pytest.mark.parametrize(
    ("names", "tokenizer_config", "expected"),
    [
        (["chat_template.jinja"], None, True),
        (["chat_template.json"], None, True),
        (["additional_chat_templates/tool.jinja"], None, True),
        ([], b'{"chat_template": "{{ x }}"}', True),
        ([], b'{"chat_template": [{"name": "default", "template": "x"}]}', True),
        ([], b'{"chat_template": ""}', False),
        ([], b"{}", False),
        ([], b"broken", False),
        ([], None, False),
    ],
)
def test_a_chat_template_is_recognised(
    names: list[str],
    tokenizer_config: bytes | None,
    expected: bool,  # noqa: FBT001
) -> None:
    """It is a file of its own, or a text in tokenizer_config.json."""
    assert has_chat_template(names, tokenizer_config) is expected


@pytest.mark.parametrize("name", ["", ".", "..", "/a", "a/../b", "a//b", "a\\b", "a\0", None, 3])
def test_names_that_leave_the_folder_are_recognised(name: object) -> None:
    """No such name is ever joined to a folder."""
    assert not is_plain_path(name)
