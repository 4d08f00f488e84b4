"""Pure: JSON as the caches keep it; the one place to change the encoder."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

loads = json.loads


def compact(document: Mapping[str, Any]) -> bytes:
    """The document as JSON without spaces; views on mappings are copied on the way."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False, default=dict).encode()


def canonical_hash(document: Mapping[str, Any]) -> str:
    """sha256 of the document as JSON with sorted keys and no spaces, in hex."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), default=dict)
    return hashlib.sha256(text.encode()).hexdigest()
