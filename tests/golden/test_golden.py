"""Golden files at the pure seam: what a user writes, what is observed, what comes of it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from golden.pipeline import observed_of, outcome

CASES = sorted(path.parent for path in Path(__file__).parent.glob("*/model.yaml"))


class _Dumper(yaml.SafeDumper):
    """Plain YAML: no anchors, long lines left whole, programs as blocks."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the base class's signature
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def _yaml(items: list[dict[str, Any]]) -> str:
    return yaml.dump_all(
        items, Dumper=_Dumper, sort_keys=True, width=100, allow_unicode=True, explicit_start=True
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_golden(case: Path, request: pytest.FixtureRequest) -> None:
    """Each case renders exactly the objects and the status that its files show."""
    assert (case / "model.yaml").read_text(encoding="utf-8").startswith("# guarantee: ")
    objects, status = outcome(observed_of(case))
    for name, text in (("objects.yaml", _yaml(objects)), ("status.yaml", _yaml([status]))):
        file = case / name
        if request.config.getoption("--rewrite-golden"):
            file.write_text(text, encoding="utf-8")
        assert file.read_text(encoding="utf-8") == text, f"{file} differs; `make golden` rewrites"


def test_a_case_exists() -> None:
    """The folder of golden cases is found at all."""
    assert len(CASES) > 10
