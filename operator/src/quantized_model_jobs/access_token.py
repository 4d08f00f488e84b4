"""I/O: the access token of the hub, from a file that an optional Secret mounts."""

from pathlib import Path

from quantized_model_operator.domain.checkpoint import CheckpointProblem


class TokenMissingError(Exception):
    """A token is named but not there; ``problem`` says so."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(str(path))
        self.problem = CheckpointProblem(
            reason="TokenMissing",
            message=f"the access token is not there: {why}; create the Secret with the key that "
            "spec.model.tokenSecretRef names, or remove the reference",
            field="spec.model.tokenSecretRef",
        )


def read_token(path: Path | None) -> str | None:
    """The token, ``None`` when no file is named; ``TokenMissingError`` when it is not there."""
    if path is None:
        return None
    try:
        token = path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError as error:
        raise TokenMissingError(path, "the key holds no text") from error
    except OSError as error:
        raise TokenMissingError(path, "the Secret or its key does not exist") from error
    if not token or not token.isascii() or not token.isprintable():
        raise TokenMissingError(path, "the key holds no token of printable characters")
    return token
