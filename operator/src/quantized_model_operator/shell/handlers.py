"""I/O: what kopf calls: the login, and each event of a QuantizedModel, stored and enqueued.

kopf never calls a handler of events twice, so nothing in them may fail: no I/O, no waiting.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from quantized_model_operator.api.v1alpha1 import GROUP, PLURAL, VERSION
from quantized_model_operator.domain.cluster_state import ModelKey
from quantized_model_operator.shell.kopf_settings import kopf

logger = logging.getLogger(__name__)

Login = Callable[[], kopf.AiohttpSession]


class Store(Protocol):
    """Where the handlers put what they hear."""

    def put(self, body: Mapping[str, Any]) -> bool:
        """Keep a model; false when it is no news."""

    def drop(self, key: ModelKey) -> bool:
        """Forget a model; false when it was not held."""

    def uid(self, key: ModelKey) -> str:
        """Uid of the model that is held; empty when none is."""


class ModelEvents:
    """Takes events in any order across objects of one name, as kopf delivers them."""

    def __init__(
        self,
        store: Store,
        *,
        on_change: Callable[[ModelKey], None],
        on_heard: Callable[[], None],
    ) -> None:
        self._store = store
        self._on_change = on_change
        self._on_heard = on_heard
        self._versions: dict[ModelKey, int] = {}

    def take(self, event_type: str | None, body: Mapping[str, Any]) -> None:
        """One event; a model that was deleted and made again has another uid.

        kopf keeps the order for each uid, not for each name: what an older object of this name
        still has to say comes too late once its successor has been heard.
        """
        self._on_heard()
        metadata = body["metadata"]
        key = ModelKey(metadata["namespace"], metadata["name"])
        version = _number(metadata.get("resourceVersion", ""))
        held = self._store.uid(key)
        successor = held not in ("", metadata["uid"])
        if successor and version < self._versions.get(key, 0):
            return
        if event_type == "DELETED":
            self.forget(key)
            return
        self._versions[key] = version
        if self._store.put(body):
            self._on_change(key)

    def forget(self, key: ModelKey) -> None:
        """The model is gone."""
        self._versions.pop(key, None)
        self._store.drop(key)
        self._on_change(key)


def registry(events: ModelEvents, login: Login) -> kopf.OperatorRegistry:
    """Every handler of the process; nothing registers itself."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    async def log_in(**_: Any) -> kopf.AiohttpSession:  # noqa: ANN401 - kopf's form
        return login()

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=handlers)
    async def hear(event: kopf.RawEvent, **_: Any) -> None:  # noqa: ANN401 - kopf's form
        events.take(event["type"], event["object"])

    @kopf.on.startup(registry=handlers)
    async def start(**_: Any) -> None:  # noqa: ANN401 - kopf's form
        logger.info("listening to QuantizedModels")

    @kopf.on.cleanup(registry=handlers)
    async def stop(**_: Any) -> None:  # noqa: ANN401 - kopf's form
        logger.info("no longer listening to QuantizedModels")

    return handlers


def _number(version: str) -> int:
    return int(version) if version.isdecimal() else 0
