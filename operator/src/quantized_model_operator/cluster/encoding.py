"""Pure: JSON as the caches keep it; the one place to change the encoder.

orjson instead of the standard library: a third of the operator's time went into JSON. Our
measurement: tests/bench.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

loads = orjson.loads


def compact(document: Mapping[str, Any]) -> bytes:
    """The document as JSON without spaces; views on mappings are copied on the way.

    The copy has the exact size: orjson shrinks a larger buffer, and kept by the thousand such
    remains cost 30 MiB. Our measurement: tests/bench, 1000 models.
    """
    return bytes(memoryview(orjson.dumps(document, default=dict)))


def canonical_hash(document: Mapping[str, Any]) -> str:
    """sha256 of the document as JSON with sorted keys and no spaces, in hex."""
    text = orjson.dumps(document, default=dict, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()
