"""Pure: the verdict that the startup probe leaves in the termination message of vLLM."""

import json


def probe_problem(message: str) -> str:
    """What was wrong with the first answer; empty when the probe left no verdict."""
    try:
        document = json.loads(message)
    except ValueError:
        return ""
    if not isinstance(document, dict) or document.get("reason") != "AnswersDamaged":
        return ""
    return str(document.get("message", ""))
