"""I/O: failures of the hub, told apart: a refusal that stays, or trouble that may pass."""

from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from quantized_model_operator.domain.checkpoint import CheckpointProblem
from quantized_model_operator.domain.readable_text import readable_name

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404
_TOO_EARLY = frozenset({408, 425, 429})
_SERVER_ERRORS = range(500, 600)
_LONGEST_CAUSE = 300


class HubRefusalError(Exception):
    """The hub answered, and the answer will stay the same; ``problem`` says why."""

    def __init__(self, problem: CheckpointProblem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class HubUnreachableError(Exception):
    """No useful answer this time; the text says what happened."""


def refused(reason: str, message: str, field: str = "spec.model.uri") -> HubRefusalError:
    """A refusal with its problem."""
    return HubRefusalError(CheckpointProblem(reason=reason, message=message, field=field))


def translated(
    error: Exception, *, where: str, revision: str, file: str, has_token: bool
) -> HubRefusalError | HubUnreachableError:
    """What a failure of a request means."""
    if not isinstance(error, HfHubHTTPError):
        return HubUnreachableError(_transport_message(error, where))
    status = error.response.status_code
    if status in _SERVER_ERRORS or status in _TOO_EARLY:
        return HubUnreachableError(f"{where} answered with status {status}")
    if isinstance(error, RevisionNotFoundError):
        return refused(
            "RevisionNotFound",
            f"{where} has no revision {readable_name(revision)}; name a branch, a tag or a commit",
            "spec.model.revision",
        )
    if isinstance(error, RemoteEntryNotFoundError):
        return refused(
            "CheckpointNotFound", f"{where} has no file {readable_name(file)} at {revision}"
        )
    if isinstance(error, DisabledRepoError):
        return refused("CheckpointNotFound", f"access to {where} is disabled by the hub")
    return _access_refusal(error, status, where, has_token=has_token)


def _access_refusal(
    error: HfHubHTTPError, status: int, where: str, *, has_token: bool
) -> HubRefusalError:
    if isinstance(error, GatedRepoError):
        return _gated(where, has_token=has_token)
    if isinstance(error, RepositoryNotFoundError) or status == _NOT_FOUND:
        hint = (
            "or the token may not see it; check the name and the access of the token"
            if has_token
            else "or it is private; check the name, or set spec.model.tokenSecretRef"
        )
        return refused("CheckpointNotFound", f"there is no {where}, {hint}")
    if status in (_UNAUTHORIZED, _FORBIDDEN):
        word = "refused the access token" if has_token else "asks for an access token"
        return refused(
            "TokenRefused",
            f"the hub {word} for {where} (status {status}); put a valid token into the Secret of "
            "spec.model.tokenSecretRef",
            "spec.model.tokenSecretRef",
        )
    return refused(
        "CheckpointNotFound", f"the request for {where} was refused with status {status}"
    )


def _gated(where: str, *, has_token: bool) -> HubRefusalError:
    remedy = (
        "the account of the token has no access: accept the terms of the repository with it"
        if has_token
        else "set spec.model.tokenSecretRef to a Secret with a token that has access"
    )
    return refused("TokenRefused", f"{where} is gated; {remedy}", "spec.model.tokenSecretRef")


def _transport_message(error: Exception, where: str) -> str:
    cause = readable_name(str(error) or type(error).__name__, _LONGEST_CAUSE)
    hint = (
        "; the certificate of the hub is not trusted: check its CA"
        if "CERTIFICATE_VERIFY_FAILED" in cause
        else ""
    )
    return f"{where} could not be reached ({type(error).__name__}: {cause}){hint}"
