"""The form of golden files."""

from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):
    """Plain YAML: no anchors, long lines left whole, programs as blocks."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the base class's signature
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def yaml_text(items: list[dict[str, Any]]) -> str:
    """The documents of a golden file."""
    return yaml.dump_all(
        items, Dumper=_Dumper, sort_keys=True, width=100, allow_unicode=True, explicit_start=True
    )
