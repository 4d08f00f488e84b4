"""Calls of etcd by its JSON gateway, which needs no client library."""

import http.client
import json
from collections.abc import Mapping
from typing import Any

from qmo_cluster.errors import fail


def etcd_call(port: int, path: str, body: Mapping[str, object]) -> dict[str, Any]:
    """The answer to one call on loopback, such as `/v3/kv/range`.

    Raises:
        ClusterError: etcd refuses it.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", path, body=json.dumps(body))
        document: dict[str, Any] = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    if "code" in document:
        fail(f"etcd refuses {path}: {document.get('message')}")
    return document
