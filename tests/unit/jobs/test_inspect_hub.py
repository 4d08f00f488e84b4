"""The inspect program on a hub, through the real client: ranges, revisions, tokens, trouble."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from unit.jobs.conftest import GATED, GOOD_TOKEN, OTHER_TOKEN, PRIVATE
from unit.jobs.program_runs import (
    TRY_AGAIN,
    VERDICT,
    commit_of,
    inspect_hub,
    the_problem,
)
from unit.tiny_checkpoint import SINGLE, Recipe, shard_names, write_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

    from hub import Hub

OTTER = "zoo/otter"


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """A file for a token, not yet written."""
    return tmp_path / "token"


def test_facts_come_from_headers_alone(hub: Hub, report_path: Path) -> None:
    """Of each weight file only its beginning is transferred, and the commit is resolved."""
    code, report = inspect_hub(OTTER, report_path)
    assert code == VERDICT
    facts = report.facts
    assert facts is not None
    assert facts.commit == commit_of(hub, OTTER)
    assert facts.integrity == "Hub"
    assert facts.files == 3
    weights = {f"{OTTER}/{name}" for name in shard_names(3)}
    transferred = sum(hub.bytes_sent[name] for name in weights)
    assert 0 < transferred < facts.weights_bytes / 10
    assert f"{OTTER}/tokenizer.json" not in hub.bytes_sent


def test_a_commit_is_a_revision_too(hub: Hub, report_path: Path) -> None:
    """A pinned commit gives the same facts as the branch that stands there."""
    _, by_branch = inspect_hub(OTTER, report_path)
    _, by_commit = inspect_hub(OTTER, report_path, "--revision", commit_of(hub, OTTER))
    assert by_commit == by_branch


def test_the_same_checkpoint_in_a_claim_has_the_same_shape(
    hub: Hub, tmp_path: Path, report_path: Path
) -> None:
    """A header that is longer than the first range is completed by a second one."""
    write_checkpoint(tmp_path / "hub/zoo/long", Recipe(layers=60))
    _, report = inspect_hub("zoo/long", report_path)
    assert report.facts is not None
    assert report.facts.layers == 60
    assert hub.bytes_sent[f"zoo/long/{SINGLE}"] > 100_000


def test_damage_on_the_hub_is_a_verdict(hub: Hub, tmp_path: Path, report_path: Path) -> None:
    """An upload that was cut short is refused, with the file."""
    assert hub.endpoint
    path = tmp_path / "hub" / OTTER / shard_names(3)[1]
    os.truncate(path, path.stat().st_size // 2)
    code, report = inspect_hub(OTTER, report_path)
    assert code == VERDICT
    reason, message = the_problem(report)
    assert reason == "ShardTruncated"
    assert shard_names(3)[1] in message


@pytest.mark.parametrize("name", ["zoo/nobody", "nobody/otter", "a//b", "zoo/otter/more", "-"])
def test_an_unknown_repository_is_a_verdict(hub: Hub, name: str, report_path: Path) -> None:
    """What is not there, and what cannot be a name, is told without a second attempt."""
    code, report = inspect_hub(name, report_path)
    assert code == VERDICT
    assert the_problem(report)[0] == "CheckpointNotFound"
    assert hub.total_requests() <= 1


def test_an_unknown_revision_is_a_verdict(hub: Hub, report_path: Path) -> None:
    """The field at fault is the revision."""
    assert hub.endpoint
    code, report = inspect_hub(OTTER, report_path, "--revision", "v2")
    assert code == VERDICT
    assert the_problem(report)[0] == "RevisionNotFound"
    assert report.problems[0].field == "spec.model.revision"


@pytest.mark.parametrize(
    ("name", "token", "reason", "text"),
    [
        (GATED, None, "TokenRefused", "is gated; set spec.model.tokenSecretRef"),
        (GATED, OTHER_TOKEN, "TokenRefused", "accept the terms"),
        (GATED, "unknown", "TokenRefused", "refused the access token"),
        (PRIVATE, None, "CheckpointNotFound", "or it is private"),
        (PRIVATE, OTHER_TOKEN, "CheckpointNotFound", "the token may not see it"),
        (OTTER, "unknown", "TokenRefused", "refused the access token"),
    ],
)
def test_missing_access_is_told_by_cause(  # noqa: PLR0917 - fixtures and parameters
    hub: Hub,
    token_file: Path,
    report_path: Path,
    name: str,
    token: str | None,
    reason: str,
    text: str,
) -> None:
    """Gated, private and a refused token each say what to do; nothing of the token is told."""
    assert hub.endpoint
    more = []
    if token is not None:
        token_file.write_text(token)
        more = ["--token-file", str(token_file)]
    code, report = inspect_hub(name, report_path, *more)
    assert code == VERDICT
    found, message = the_problem(report)
    assert found == reason
    assert text in message
    assert token is None or token not in report_path.read_text()


@pytest.mark.parametrize("name", [GATED, PRIVATE])
def test_a_token_with_access_opens(
    hub: Hub, token_file: Path, report_path: Path, name: str
) -> None:
    """With the right token gated and private repositories are read, and no store sees it."""
    token_file.write_text(f"{GOOD_TOKEN}\n")
    code, report = inspect_hub(name, report_path, "--token-file", str(token_file))
    assert code == VERDICT
    assert report.facts is not None
    assert hub.leaked_tokens == 0


def test_a_missing_secret_is_told_before_any_request(
    hub: Hub, token_file: Path, report_path: Path
) -> None:
    """A named token that is not there is a problem, also for an open repository."""
    code, report = inspect_hub(OTTER, report_path, "--token-file", str(token_file))
    assert code == VERDICT
    assert the_problem(report)[0] == "TokenMissing"
    assert hub.total_requests() == 0


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience of the usual number of attempts, in a fraction of the time."""
    monkeypatch.setattr("quantized_model_jobs.hub_checkpoint._PAUSES_SECONDS", (0.01,) * 3)


def test_short_trouble_is_waited_out(hub: Hub, report_path: Path) -> None:
    """Some answers 503 do not end the inspection."""
    hub.faults.fail(2)
    code, report = inspect_hub(OTTER, report_path)
    assert code == VERDICT
    assert report.facts is not None


@pytest.mark.usefixtures("short_pauses")
def test_lasting_trouble_is_transient(hub: Hub, report_path: Path) -> None:
    """A hub that keeps answering 503 is no verdict on the checkpoint."""
    hub.faults.fail(100)
    code, report = inspect_hub(OTTER, report_path)
    assert code == TRY_AGAIN
    assert report.transient
    reason, message = the_problem(report)
    assert reason == "SourceUnreachable"
    assert "503" in message


@pytest.mark.usefixtures("short_pauses")
def test_an_unreachable_hub_is_transient(
    monkeypatch: pytest.MonkeyPatch, report_path: Path
) -> None:
    """Where nothing listens nothing is known."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    code, report = inspect_hub(OTTER, report_path)
    assert code == TRY_AGAIN
    assert the_problem(report)[0] == "SourceUnreachable"


def test_silence_ends_at_the_deadline(hub: Hub, report_path: Path) -> None:
    """A hub that stops sending cannot hold the program beyond its deadline."""
    hub.faults.stall_after(f"{OTTER}/config.json", 10, 30)
    started = time.monotonic()
    code, report = inspect_hub(OTTER, report_path, "--deadline-seconds", "0.7")
    assert time.monotonic() - started < 10
    assert code == TRY_AGAIN
    assert report.transient
    assert the_problem(report)[0] == "InspectionFailed"


def test_a_cut_connection_is_tried_again(hub: Hub, report_path: Path) -> None:
    """A header whose transfer breaks off is asked for again."""
    hub.faults.drop_after(f"{OTTER}/{shard_names(3)[0]}", 100)
    code, report = inspect_hub(OTTER, report_path)
    assert code == VERDICT
    assert report.facts is not None
