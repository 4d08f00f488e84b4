"""Every reason that the code can give is in the table that users read."""

import ast
from collections.abc import Iterator
from pathlib import Path

import quantized_model_operator
from quantized_model_operator.api.conditions import REASONS

PACKAGE = Path(quantized_model_operator.__file__).parent
FOLDERS = (PACKAGE, PACKAGE.parent / "quantized_model_jobs")


def _literal_reasons() -> Iterator[tuple[str, str]]:
    """(file, reason) of each keyword argument `reason="..."`."""
    for folder in FOLDERS:
        for path in folder.rglob("*.py"):
            if path.parent.name == "cli":
                continue  # findings of qm lint have ids of their own
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.keyword) and node.arg == "reason":
                    value = node.value
                    if isinstance(value, ast.Constant) and isinstance(value.value, str):
                        yield path.name, value.value


def test_documented_reasons_can_happen() -> None:
    """No reason is documented that nothing gives."""
    sources = "".join(
        path.read_text(encoding="utf-8")
        for folder in FOLDERS
        for path in folder.rglob("*.py")
        if path.name != "conditions.py"
    )
    assert [reason for reason in REASONS if f'"{reason}"' not in sources] == []


def test_reasons_are_documented() -> None:
    """A reason that is written anywhere stands in api.conditions.REASONS."""
    found = list(_literal_reasons())
    assert len(found) > 20
    assert [item for item in found if item[1] not in REASONS] == []
