"""Pure: the GPTQ parameters that config.json declares, parsed and judged."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from quantized_model_operator.domain.checkpoint import CheckpointProblem
from quantized_model_operator.domain.readable_text import readable_name

SERVED_BITS = (4, 8)
SERVED_GROUP_SIZES = (-1, 32, 64, 128)
"""Served by every version of vLLM that the operator knows, symmetric only; versions differ in
act-order, which the plan judges. Source: vLLM 0.33.0 auto_gptq.py, checked 2026-11."""

REQUIRED_KEYS = ("bits", "group_size", "desc_act", "sym")
"""Source: vLLM 0.33.0, ``AutoGPTQConfig.from_config``, checked 2026-11."""

_FOREIGN_FORMATS = frozenset({"marlin", "marlin_24", "bitblas", "ipex"})
"""Values of ``checkpoint_format`` whose tensors have another layout than GPTQ's."""

_OTHER_METHODS: Mapping[str, str] = {
    "aqlm": "AQLM",
    "auto-round": "AutoRound in its own format, not exported as GPTQ",
    "intel/auto-round": "AutoRound in its own format, not exported as GPTQ",
    "awq": "AWQ",
    "bitsandbytes": "bitsandbytes",
    "compressed-tensors": "llm-compressor in its own format compressed-tensors, whatever the "
    "algorithm",
    "eetq": "EETQ",
    "fp8": "FP8",
    "gguf": "GGUF",
    "hqq": "HQQ",
    "modelopt": "NVIDIA ModelOpt",
    "mxfp4": "MXFP4",
    "quark": "AMD Quark",
    "torchao": "torchao",
}
"""What a ``quant_method`` other than gptq means. Source: Transformers 5.23,
``QuantizationMethod``, and vLLM 0.33.0, quantization/__init__.py, checked 2026-11."""

_MAX_RULES = 1000
_LARGEST_NUMBER = 1_000_000


@dataclass(frozen=True, slots=True)
class ModuleRule:
    """One entry of ``dynamic``: modules whose name begins with a match are treated otherwise."""

    pattern: re.Pattern[str]
    quantized: bool
    """False: the rule leaves the modules unquantised."""
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizationSettings:
    """The GPTQ parameters of a checkpoint as it spells them."""

    bits: int
    group_size: int
    symmetric: bool
    desc_act: bool
    quantized_lm_head: bool
    rules: tuple[ModuleRule, ...] = ()
    listed: tuple[str, ...] = ()
    """``modules_in_block_to_quantize``; empty where vLLM finds out from the tensors."""
    in_legacy_file: bool = False
    """Read from quantize_config.json, because config.json has none."""

    def lists(self, module: str) -> bool:
        """Whether vLLM takes a module for quantised by the list: a part of its name suffices."""
        return not self.listed or any(item in module for item in self.listed)

    def declared_for(self, module: str) -> tuple[int, int] | None:
        """Bits and group size that the config declares for a module; ``None``: unquantised."""
        for rule in self.rules:
            if rule.pattern.match(module):
                if not rule.quantized:
                    return None
                return (
                    rule.settings.get("bits", self.bits),
                    rule.settings.get("group_size", self.group_size),
                )
        return self.bits, self.group_size


class UnusableSettingsError(ValueError):
    """There are no GPTQ parameters to judge; ``problem`` says why."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.problem = CheckpointProblem(reason=reason, message=message)


def parse_settings(config: Mapping[str, Any], legacy: bytes | None) -> QuantizationSettings:
    """The declared GPTQ parameters; ``UnusableSettingsError`` when they cannot be understood.

    ``legacy`` is the content of quantize_config.json, which vLLM reads only where config.json has
    none and ``--quantization`` names the method.
    """
    section = _section(config)
    in_legacy_file = section is None and legacy is not None
    file = "quantize_config.json" if in_legacy_file else "quantization_config in config.json"
    if section is None:
        section = _legacy_section(legacy)
    method = section.get("quant_method")
    if not isinstance(method, str) or method.lower() != "gptq":
        raise _not_gptq(method)
    layout = section.get("checkpoint_format")
    if layout in _FOREIGN_FORMATS:
        raise UnusableSettingsError(
            "NotGptq",
            f"config.json says checkpoint_format: {readable_name(layout)}, whose tensors vLLM no "
            "longer reads; use a checkpoint in the format gptq",
        )
    missing = [key for key in REQUIRED_KEYS if key not in section]
    if missing:
        raise UnusableSettingsError(
            "QuantizationIncomplete",
            f"{file} lacks {', '.join(missing)}; vLLM needs all of "
            f"{', '.join(REQUIRED_KEYS)}: export the checkpoint again, for example with GPTQModel",
        )
    _check_types(section, "quantization_config")
    rules = _rules(section.get("dynamic"))
    return QuantizationSettings(
        bits=section["bits"],
        group_size=section["group_size"],
        symmetric=section["sym"],
        desc_act=_desc_act(section, rules),
        quantized_lm_head=section.get("lm_head") is True,
        rules=rules,
        listed=_listed(section.get("modules_in_block_to_quantize")),
        in_legacy_file=in_legacy_file,
    )


def settings_problems(settings: QuantizationSettings) -> Iterator[CheckpointProblem]:
    """Why no version of vLLM serves these parameters; act-order is judged with the version."""
    variants: list[tuple[str, Mapping[str, Any]]] = [("", {})]
    variants += [
        (f" in the dynamic rule {readable_name(rule.pattern.pattern)}", rule.settings)
        for rule in settings.rules
        if rule.quantized
    ]
    for where, changes in variants:
        bits = changes.get("bits", settings.bits)
        group_size = changes.get("group_size", settings.group_size)
        if bits not in SERVED_BITS:
            yield CheckpointProblem(
                reason="UnsupportedBits",
                message=f"config.json says bits: {bits}{where}, but vLLM serves 4 and 8 bits "
                "only; requantise with bits 4 or 8",
            )
        if group_size not in SERVED_GROUP_SIZES:
            yield CheckpointProblem(
                reason="UnsupportedGroupSize",
                message=f"config.json says group_size: {group_size}{where}, but vLLM serves -1, "
                "32, 64 and 128 only; requantise with group_size 128",
            )
        if not changes.get("sym", settings.symmetric):
            yield CheckpointProblem(
                reason="UnsupportedSymmetry",
                message=f"config.json says sym: false{where}, but vLLM serves symmetric "
                "quantisation only; requantise with sym true",
            )


def _section(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    text_config = config.get("text_config")
    nested = text_config.get("quantization_config") if isinstance(text_config, dict) else None
    for candidate in (config.get("quantization_config"), nested, config.get("compression_config")):
        if isinstance(candidate, dict):
            return candidate
    return None


def _legacy_section(legacy: bytes | None) -> Mapping[str, Any]:
    if legacy is None:
        raise UnusableSettingsError(
            "NotGptq",
            "config.json has no quantization_config: the checkpoint is not quantised; name a GPTQ "
            "checkpoint",
        )
    try:
        document = json.loads(legacy)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise UnusableSettingsError(
            "ConfigInvalid", "quantize_config.json is no JSON object; restore the file"
        )
    return {"quant_method": "gptq", **document}


def _not_gptq(method: object) -> UnusableSettingsError:
    if method is None:
        return UnusableSettingsError(
            "NotGptq",
            "quantization_config in config.json has no quant_method; vLLM serves GPTQ only where "
            "it says quant_method: gptq",
        )
    name = readable_name(method, 40)
    known = _OTHER_METHODS.get(str(method).lower().replace("_", "-"))
    return UnusableSettingsError(
        "NotGptq",
        f"the checkpoint is quantised with {f'{known} (quant_method: {name})' if known else name}, "
        "not with gptq; name a checkpoint whose config.json says quant_method: gptq",
    )


def _listed(value: object) -> tuple[str, ...]:
    """A list of names, or of lists of names as optimum writes it."""
    if not value:
        return ()
    items = value if isinstance(value, list) else [None]
    flat = [name for item in items for name in (item if isinstance(item, list) else [item])]
    names = [name for name in flat if isinstance(name, str) and name]
    if names != flat or len(flat) > _MAX_RULES:
        raise UnusableSettingsError(
            "ConfigInvalid",
            "modules_in_block_to_quantize of quantization_config in config.json is no list of "
            "module names; correct it",
        )
    return tuple(names)


def _desc_act(section: Mapping[str, Any], rules: Iterable[ModuleRule]) -> bool:
    """Whether any linear has reordered rows in groups, or all have them in one."""
    for settings in (section, *({**section, **rule.settings} for rule in rules if rule.quantized)):
        if settings["desc_act"] and settings["group_size"] != -1:
            return True
    return bool(section["desc_act"])


def _check_types(settings: Mapping[str, Any], where: str) -> None:
    for key, kind in (("bits", int), ("group_size", int), ("desc_act", bool), ("sym", bool)):
        value = settings.get(key)
        if key in settings and (type(value) is not kind or abs(int(value or 0)) > _LARGEST_NUMBER):
            raise UnusableSettingsError(
                "ConfigInvalid",
                f"{key} of {where} in config.json is {readable_name(value, 30)}, which is no "
                f"{'number' if kind is int else 'truth value'} that can be used; correct it",
            )


def _rules(dynamic: object) -> tuple[ModuleRule, ...]:
    if dynamic is None:
        return ()
    if not isinstance(dynamic, dict) or len(dynamic) > _MAX_RULES:
        raise UnusableSettingsError(
            "ConfigInvalid",
            "dynamic of quantization_config in config.json is no table of rules; correct it",
        )
    return tuple(_rule(pattern, changes) for pattern, changes in dynamic.items())


def _rule(text: str, changes: object) -> ModuleRule:
    quantized = not text.startswith("-:")
    try:
        pattern = re.compile(text.removeprefix("-:").removeprefix("+:"))
    except (re.error, RecursionError, OverflowError) as error:
        raise UnusableSettingsError(
            "ConfigInvalid",
            f"the dynamic rule {readable_name(text)} in config.json is no regular expression; "
            "correct it",
        ) from error
    settings = changes if isinstance(changes, dict) else {}
    _check_types(settings, f"the dynamic rule {readable_name(text)}")
    return ModuleRule(pattern, quantized, settings)
