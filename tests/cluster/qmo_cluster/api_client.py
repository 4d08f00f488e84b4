"""A small client of the Kubernetes API on the standard library: JSON in, JSON out."""

import http.client
import json
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from qmo_cluster.errors import ClusterError

Document = dict[str, Any]

_SERVER_SIDE_APPLY = "application/apply-patch+yaml"
_MERGE_PATCH = "application/merge-patch+json"
_FIELD_MANAGER = "qmo-cluster"


class ApiError(ClusterError):
    """The API server answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"HTTP {status}: {message}")
        self.status = status


class ApiClient:
    """Requests with one bearer token; a new connection each, so nothing is left open."""

    def __init__(self, url: str, authority: Path, token: str) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or 443
        self._context = ssl.create_default_context(cafile=str(authority))
        self._token = token

    def text(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content_type: str = "application/json",
        timeout_seconds: float = 30,
    ) -> str:
        """The body of the answer.

        Raises:
            ApiError: the status is not 2xx.
            OSError: the server cannot be reached.
        """
        headers = {"Accept": "application/json", "Content-Type": content_type}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        connection = http.client.HTTPSConnection(
            self._host, self._port, context=self._context, timeout=timeout_seconds
        )
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, body=payload, headers=headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise ApiError(answer.status, _message(text))
        return text

    def request(self, method: str, path: str, body: object = None, **options: Any) -> Document:  # noqa: ANN401
        """The answer as JSON; raises as `text` does."""
        document: Document = json.loads(self.text(method, path, body, **options))
        return document

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Document:
        """Read an object or a list."""
        return self.request("GET", f"{path}?{urlencode(query)}" if query else path)

    def create(self, path: str, document: object) -> Document:
        """Create an object in a collection."""
        return self.request("POST", path, document)

    def apply(self, path: str, document: object, *, manager: str = _FIELD_MANAGER) -> Document:
        """Server-side apply to the path of an object, taking over conflicting fields."""
        query = urlencode({"fieldManager": manager, "force": "true"})
        return self.request("PATCH", f"{path}?{query}", document, content_type=_SERVER_SIDE_APPLY)

    def merge(self, path: str, document: object) -> Document:
        """Merge patch; the path may end in a subresource."""
        return self.request("PATCH", path, document, content_type=_MERGE_PATCH)

    def delete(self, path: str) -> Document:
        """Delete an object in the background."""
        return self.request("DELETE", path, {"propagationPolicy": "Background"})

    def exists(self, path: str) -> bool:
        """Whether an object is there."""
        try:
            self.get(path)
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return False
            raise
        return True

    def is_ready(self, path: str = "/readyz") -> bool:
        """Whether the server says so itself."""
        try:
            return self.text("GET", path, timeout_seconds=2) == "ok"
        except (ApiError, OSError, http.client.HTTPException):
            return False


def _message(text: str) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text.strip()
