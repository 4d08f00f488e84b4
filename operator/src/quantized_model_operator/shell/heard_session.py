"""Pure but for what it wraps: an HTTP session for kopf that tells what kopf does not."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from quantized_model_operator.api.v1alpha1 import PLURAL

_FIRST_ERROR = 400


class HeardSession:
    """kopf's session, with a call for each good answer and one for each list of models.

    A watch is answered when it opens. After a list kopf goes on without a word about the models
    that it no longer found: a watch too old to continue ends in one as well.
    """

    def __init__(
        self,
        session: Any,  # noqa: ANN401 - any client
        *,
        on_heard: Callable[[], None],
        on_listed: Callable[[], None],
    ) -> None:
        self._session = session
        self._on_heard = on_heard
        self._on_listed = on_listed

    async def request(self, *, url: str, **options: Any) -> Any:  # noqa: ANN401 - as the client has it
        """Send a request."""
        response = await self._session.request(url=url, **options)
        if response.status < _FIRST_ERROR:
            self._on_heard()
            if _begins_a_list(url):
                self._on_listed()
        return response

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as the client has it
        """Everything else is the session's own."""
        return getattr(self._session, name)


def _begins_a_list(url: str) -> bool:
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    return parts.path.endswith(f"/{PLURAL}") and not query.keys() & {"watch", "continue"}
