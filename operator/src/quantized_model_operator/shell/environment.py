"""Pure: environment variables -> Settings; a wrong value ends in one sentence that names it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from quantized_model_operator.settings import EngineSettings, Settings

Value = TypeVar("Value")

PULL_POLICIES = ("Always", "IfNotPresent", "Never")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
LOG_FORMATS = ("json", "text")

_TRUE = ("true", "1", "yes", "on")
_FALSE = ("false", "0", "no", "off")
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_URL = re.compile(r"https?://[^/\s]+(/[^\s]*)?")
_IMAGE_PATTERN = re.compile(r"[^\s{}]*(\{version\}[^\s{}]*)*")
_ENGINE_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")


class SettingError(Exception):
    """A variable has a value that is not allowed."""

    def __init__(self, name: str, found: str, allowed: str) -> None:
        super().__init__(f"{name} is {found}, but must be {allowed}")


class Environment:
    """Reads variables by type; an unset or empty one means the default."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def text(self, name: str, default: str) -> str:
        """Any text, without surrounding blanks."""
        return self._variables.get(name, "").strip() or default

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        """One of a few words, in any case."""
        by_lower = {word.lower(): word for word in allowed}
        return self._parsed(
            name, default, lambda text: by_lower.get(text.lower()), f"one of {', '.join(allowed)}"
        )

    def boolean(self, name: str, *, default: bool) -> bool:
        """True or false in the usual spellings."""
        words = dict.fromkeys(_TRUE, True) | dict.fromkeys(_FALSE, False)
        return self._parsed(name, default, lambda text: words.get(text.lower()), "true or false")

    def whole(self, name: str, default: int, smallest: int, largest: int) -> int:
        """A whole number within bounds."""

        def parse(text: str) -> int | None:
            number = int(text) if text.isascii() and text.isdecimal() else -1
            return number if smallest <= number <= largest else None

        return self._parsed(name, default, parse, f"a whole number from {smallest} to {largest}")

    def seconds(self, name: str, default: float, smallest: float, largest: float) -> float:
        """A number of seconds within bounds."""

        def parse(text: str) -> float | None:
            try:
                number = float(text)
            except ValueError:
                return None
            return number if smallest <= number <= largest else None

        return self._parsed(
            name, default, parse, f"a number of seconds from {smallest:g} to {largest:g}"
        )

    def matching(self, name: str, default: str, pattern: re.Pattern[str], allowed: str) -> str:
        """Text of a certain form."""
        return self._parsed(
            name, default, lambda text: text if pattern.fullmatch(text) else None, allowed
        )

    def names(self, name: str, pattern: re.Pattern[str], allowed: str) -> tuple[str, ...]:
        """Names between commas, without repeats, in their order."""

        def parse(text: str) -> tuple[str, ...] | None:
            parts = [part.strip() for part in text.split(",") if part.strip()]
            if not all(pattern.fullmatch(part) for part in parts):
                return None
            return tuple(dict.fromkeys(parts))

        return self._parsed(name, (), parse, allowed)

    def _parsed(
        self, name: str, default: Value, parse: Callable[[str], Value | None], allowed: str
    ) -> Value:
        text = self._variables.get(name, "").strip()
        if not text:
            return default
        value = parse(text)
        if value is None:
            raise SettingError(name, repr(text), allowed)
        return value


def settings_from(variables: Mapping[str, str]) -> Settings:
    """All settings; ``SettingError`` for the first variable with a wrong value."""
    read = Environment(variables)
    return _with_process(read, _with_rendering(read, Settings(operator_image=_own_image(read))))


def _own_image(read: Environment) -> str:
    name = "QMO_OPERATOR_IMAGE"
    image = read.text(name, "")
    if not image:
        programs = "checkpoints are inspected and fetched by programs in it"
        raise SettingError(name, "not set", f"the operator's own image: {programs}")
    return image


def _with_rendering(read: Environment, plain: Settings) -> Settings:
    """What the rendered objects depend on."""
    return replace(
        plain,
        operator_image_pull_policy=read.choice(
            "QMO_OPERATOR_IMAGE_PULL_POLICY", plain.operator_image_pull_policy, PULL_POLICIES
        ),
        image_pull_secrets=read.names(
            "QMO_IMAGE_PULL_SECRETS", _DNS_SUBDOMAIN, "names of Secrets separated by commas"
        ),
        gpu_engine=_engine(read, "GPU", plain.gpu_engine),
        cpu_engine=_engine(read, "CPU", plain.cpu_engine),
        hub_endpoint=read.matching(
            "QMO_HUB_ENDPOINT",
            plain.hub_endpoint,
            _URL,
            "a URL that begins with http:// or https://",
        ).rstrip("/"),
        hub_ca_config_map=read.matching(
            "QMO_HUB_CA_CONFIG_MAP", "", _DNS_SUBDOMAIN, "the name of a ConfigMap"
        ),
        cluster_domain=read.matching(
            "QMO_CLUSTER_DOMAIN", plain.cluster_domain, _DNS_SUBDOMAIN, "a DNS domain"
        ),
        allow_custom_images=read.boolean(
            "QMO_ALLOW_CUSTOM_IMAGES", default=plain.allow_custom_images
        ),
    )


def _with_process(read: Environment, plain: Settings) -> Settings:
    """What the process itself depends on."""
    return replace(
        plain,
        namespaces=read.names(
            "QMO_NAMESPACES", _DNS_LABEL, "names of namespaces separated by commas"
        ),
        pod_namespace=read.matching(
            "POD_NAMESPACE", plain.pod_namespace, _DNS_LABEL, "the name of a namespace"
        ),
        identity=read.text("POD_NAME", ""),
        leader_election=read.boolean("QMO_LEADER_ELECTION", default=plain.leader_election),
        lease_name=read.matching(
            "QMO_LEASE_NAME", plain.lease_name, _DNS_SUBDOMAIN, "the name of a Lease"
        ),
        http_host=read.text("QMO_HTTP_HOST", plain.http_host),
        http_port=read.whole("QMO_HTTP_PORT", plain.http_port, 0, 65535),
        workers=read.whole("QMO_WORKERS", plain.workers, 1, 256),
        resync_seconds=read.seconds("QMO_RESYNC_SECONDS", plain.resync_seconds, 10.0, 86400.0),
    )


def log_level_from(variables: Mapping[str, str]) -> str:
    """The level of the log."""
    return Environment(variables).choice("QMO_LOG_LEVEL", "INFO", LOG_LEVELS)


def log_format_from(variables: Mapping[str, str], *, terminal: bool) -> str:
    """``text`` for people, ``json`` for collectors of logs."""
    default = "text" if terminal else "json"
    return Environment(variables).choice("QMO_LOG_FORMAT", default, LOG_FORMATS)


def _engine(read: Environment, device: str, default: EngineSettings) -> EngineSettings:
    return EngineSettings(
        image=read.matching(
            f"QMO_{device}_ENGINE_IMAGE",
            default.image,
            _IMAGE_PATTERN,
            "an image, with {version} in the place of the engine version and no other braces",
        ),
        default_version=read.matching(
            f"QMO_{device}_ENGINE_VERSION",
            default.default_version,
            _ENGINE_VERSION,
            "a vLLM version such as 0.33.0",
        ),
        pull_policy=read.choice("QMO_ENGINE_PULL_POLICY", default.pull_policy, PULL_POLICIES),
    )
