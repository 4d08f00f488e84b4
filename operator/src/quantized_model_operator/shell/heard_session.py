"""Pure but for what it wraps: an HTTP session for kopf that tells when the server answers."""

from collections.abc import Callable
from typing import Any

_FIRST_ERROR = 400


class HeardSession:
    """kopf's session, and a call for each good answer; a watch is answered when it opens."""

    def __init__(self, session: Any, on_heard: Callable[[], None]) -> None:  # noqa: ANN401 - any client
        self._session = session
        self._on_heard = on_heard

    async def request(self, **options: Any) -> Any:  # noqa: ANN401 - as the client has it
        """Send a request."""
        response = await self._session.request(**options)
        if response.status < _FIRST_ERROR:
            self._on_heard()
        return response

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as the client has it
        """Everything else is the session's own."""
        return getattr(self._session, name)
