"""Pure: times as Kubernetes writes them."""

from datetime import UTC, datetime


def parse_time(text: str) -> datetime:
    """The moment of an RFC 3339 time; always with a time zone."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC with whole seconds, as ``metav1.Time`` writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
