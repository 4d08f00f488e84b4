"""Writes the tables of arguments of `vllm serve`, one for each minor version of vLLM.

flag_tables.py SOURCE...      SOURCE is an unpacked source distribution of vLLM, such as vllm-0.33.0

It asks vLLM's own parser, so it needs vLLM's pure dependencies in the Python that runs it:
`pip install pydantic pyyaml regex openai fastapi msgspec packaging email-validator
python-multipart`. Torch, compiled modules and everything else are stubs, and no GPU is needed.
Run it once for each new minor version, then `make test`: the tests say what else a table needs.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TABLES = (
    Path(__file__).resolve().parents[2]
    / "operator/src/quantized_model_operator/api/engine_flag_tables"
)
REAL = frozenset(
    re.split(
        r"\s+",
        "annotated_doc annotated_types anyio certifi distro dns email_validator fastapi h11 "
        "httpcore httpx idna jiter msgspec multipart openai packaging pydantic pydantic_core "
        "python_multipart regex sniffio starlette tqdm typing_extensions typing_inspection vllm "
        "yaml",
    )
)
STUBBED = ("vllm._C", "vllm._moe_C", "vllm._version", "vllm.ir", "vllm.vllm_flash_attn")

PROBES = ("zzz", "5", "5.5", "4k", "auto", '{"a": 1}', "{}", "None")
KINDS = {
    "11111111": "",
    "01000000": "int",
    "01000001": "int?",
    "01100000": "float",
    "01100001": "float?",
    "01010000": "size",
    "01010001": "size?",
    "01011000": "size-or-auto",
    "01100110": "json",
    "01100111": "json?",
    "00000010": "object",
    "00000011": "object?",
}
"""Which probes a converter takes, in order -> what it is. What is not here is not checked."""


def kind_of(convert: Callable[[str], object] | None) -> str:
    """What the converter of an argument takes, found by trying."""
    return "" if convert is None else KINDS.get("".join(map(str, _taken(convert))), "")


def _taken(convert: Callable[[str], object]) -> list[int]:
    taken = []
    for probe in PROBES:
        try:
            convert(probe)
        except Exception:  # noqa: BLE001 - whatever a converter raises, it does not take the probe
            taken.append(0)
        else:
            taken.append(1)
    return taken


def row_of(parser: argparse.ArgumentParser, action: argparse.Action) -> dict[str, Any]:
    """One argument; what is as usual (one value of any text) is left out."""
    # Names that help does not show are accepted all the same: ask the parser, not the action.
    names = [name for name, owner in parser._option_string_actions.items() if owner is action]  # noqa: SLF001
    row: dict[str, Any] = {"names": names, "dest": action.dest}
    if action.nargs is not None:
        row["nargs"] = action.nargs
    if action.nargs == 0 and isinstance(action, argparse.BooleanOptionalAction):
        row["off"] = [name for name in names if _switches_off(parser, action, name)]
    if kind := kind_of(action.type if callable(action.type) else None):
        row["kind"] = kind
    if action.choices is not None:
        if None in action.choices and "kind" not in row:
            row["kind"] = "text?"
        row["choices"] = [str(choice) for choice in action.choices]
    return row


def _switches_off(parser: argparse.ArgumentParser, action: argparse.Action, name: str) -> bool:
    namespace = argparse.Namespace()
    action(parser, namespace, [], name)
    return getattr(namespace, action.dest) is False


def parser_of(source: Path) -> argparse.ArgumentParser:
    """The parser of `vllm serve`, from the sources in the folder."""
    finder = importlib.import_module("tools.stub_modules").StubFinder(
        REAL, STUBBED, {"infer_schema": lambda *_, **__: "() -> ()"}
    )
    sys.meta_path.insert(0, finder)
    sys.path.insert(0, str(source))
    vars(importlib.metadata)["version"] = _version_of
    platforms = importlib.import_module("vllm.platforms")
    interface = importlib.import_module("vllm.platforms.interface")
    cuda = type(
        "Cuda",
        (interface.Platform,),
        {"_enum": interface.PlatformEnum.CUDA, "device_type": "cuda", "device_name": "cuda"},
    )
    vars(platforms)["_current_platform"] = cuda()
    folder = source / "vllm" / "entrypoints"
    defining = next(
        path
        for path in sorted(folder.rglob("cli_args.py"))
        if re.search(r"^def make_arg_parser", path.read_text(encoding="utf-8"), re.MULTILINE)
    )
    module = importlib.import_module(".".join(defining.relative_to(source).with_suffix("").parts))
    parsers = importlib.import_module("vllm.utils.argparse_utils")
    parser: argparse.ArgumentParser = module.make_arg_parser(
        parsers.FlexibleArgumentParser(prog="vllm serve")
    )
    return parser


def _version_of(name: str, find: Callable[[str], str] = importlib.metadata.version) -> str:
    """Of what is installed; a stub is new enough for everything."""
    try:
        return find(name)
    except importlib.metadata.PackageNotFoundError:
        return "99.0.0"


def load_formats(source: Path) -> list[str]:
    """The values of --load-format that need no plugin, which the parser does not know."""
    module = source / "vllm" / "model_executor" / "model_loader" / "__init__.py"
    text = module.read_text(encoding="utf-8")
    table = re.search(r"_LOAD_FORMAT_TO_MODEL_LOADER[^{]*\{(.*?)\n\}", text, re.DOTALL)
    if table is None:
        raise SystemExit(f"{module} has no table of load formats")
    return sorted(re.findall(r'"(\w+)":', table.group(1)))


def table_text(source: Path) -> str:
    """The table as JSON with one argument a line."""
    version = source.resolve().name.removeprefix("vllm-")
    parser = parser_of(source)
    rows = [
        json.dumps(row_of(parser, action))
        for action in parser._actions  # noqa: SLF001 - argparse has no public way to list them
        if action.option_strings
    ]
    head = f'"version": "{version}",\n"load_formats": {json.dumps(load_formats(source))},'
    body = ",\n".join(rows)
    return f'{{{head}\n"arguments": [\n{body}\n]}}\n'


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes a table for each source, every one in a process of its own."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sources", nargs="+", type=Path, metavar="SOURCE")
    parser.add_argument("--print", action="store_true", help="print the only table")
    options = parser.parse_args(arguments)
    if options.print:
        print(table_text(options.sources[0]), end="")
        return 0
    for source in options.sources:
        command = [sys.executable, __file__, "--print", str(source)]
        output = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
        text = output.stdout[output.stdout.index('{"version"') :]
        minor = ".".join(json.loads(text)["version"].split(".")[:2])
        target = TABLES / f"{minor}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        print(f"wrote {target.name}: {len(json.loads(text)['arguments'])} arguments")
    return 0


if __name__ == "__main__":
    # As a script, Python finds the folder of this file, and not the one that `tools` is in.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    sys.exit(main())
