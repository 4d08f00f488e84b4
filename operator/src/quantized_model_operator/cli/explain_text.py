"""I/O: the story of a model for people, in a terminal of 80 columns or more, or piped."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from rich.console import Console
from rich.text import Text

from quantized_model_operator.cli.explain_stages import DONE, FAILED, RUNNING, StageRow
from quantized_model_operator.cli.explain_story import (
    HEALTHY,
    STALLED,
    UNHEARD,
    WORKING,
    Comparison,
    Story,
)
from quantized_model_operator.cli.terminal import (
    Row,
    lines,
    show_columns,
    show_rows,
    show_text,
    terminal,
)

EXCERPT_LINES = 15
"""Of the log in the status, which has up to forty."""

_STYLES: Mapping[str, str] = MappingProxyType(
    {HEALTHY: "bold green", WORKING: "bold yellow", UNHEARD: "bold yellow", STALLED: "bold red"}
)
_WORDS: Mapping[str, str] = MappingProxyType(
    {HEALTHY: "is well", WORKING: "is on its way", UNHEARD: "waits", STALLED: "does not run"}
)
_MARKS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {DONE: ("done", "green"), RUNNING: ("now", "yellow"), FAILED: ("FAILED", "bold red")}
)


def print_story(told: Story) -> None:
    """The story from its verdict to what to do next."""
    console = terminal()
    show_text(console, _headline(told))
    _show_stages(console, told.stages)
    _show_figures(console, told.comparisons)
    rows = list(_rows(told))
    if rows:
        console.print()
    show_rows(console, rows)
    _show_excerpt(console, str(told.failure.get("logExcerpt", "")))
    _show_commands(console, "To mend it", [told.patch_command] if told.patch_command else [])
    _show_commands(console, "Its log", [told.log_command] if told.log_command else [])
    _show_commands(console, "To reach it", told.reach)


def duration(seconds: int) -> str:
    """Short: ``42s``, ``3m 05s``, ``2h 10m``, ``3d 4h``."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes_left = divmod(minutes, 60)
    days, hours_left = divmod(hours, 24)
    if days:
        return f"{days}d {hours_left}h"
    if hours:
        return f"{hours}h {minutes_left:02d}m"
    return f"{minutes}m {rest:02d}s" if minutes else f"{rest}s"


def _headline(told: Story) -> Text:
    reason = f" ({told.reason})" if told.reason else ""
    head = Text.assemble(
        f"{told.namespace}/{told.name} ", (_WORDS[told.state], _STYLES[told.state]), reason
    )
    return head + f": {told.message}" if told.message else head


def _show_stages(console: Console, rows: Sequence[StageRow]) -> None:
    if not rows:
        return
    console.print()
    cells = [
        [
            Text(row.name),
            Text(*_MARKS[row.state]),
            Text("" if row.seconds is None else duration(row.seconds)),
            Text(row.detail, "dim"),
        ]
        for row in rows
    ]
    titles = ("Stage", "State", "Took", "")
    show_columns(console, titles, _cut(console, cells, titles), left=len(titles))


def _show_figures(console: Console, rows: Sequence[Comparison]) -> None:
    if not rows:
        return
    console.print()
    cells = [[Text(item.name), Text(item.planned), Text(item.reported)] for item in rows]
    titles: Sequence[str] = ("Figure", "Planned", "Reported by vLLM")
    if not any(item.reported for item in rows):
        cells, titles = [row[:2] for row in cells], titles[:2]
    show_columns(console, titles, _cut(console, cells, titles), left=len(titles))


def _cut(
    console: Console, rows: Sequence[Sequence[Text]], titles: Sequence[str]
) -> list[list[Text]]:
    """The last column takes what the others leave of the line."""
    others = range(len(titles) - 1)
    taken = sum(
        max(len(titles[column]), *(row[column].cell_len for row in rows)) + 2 for column in others
    )
    left = max(10, console.width - taken)
    for row in rows:
        row[-1].truncate(left, overflow="ellipsis")
    return [list(row) for row in rows]


def _rows(told: Story) -> Iterator[Row]:
    yield from _cause_rows(told)
    if told.meanwhile:
        yield "Meanwhile", Text(told.meanwhile)
    if told.warnings:
        yield "Warnings", lines(*(Text(text, "yellow") for text in told.warnings))
    if told.alternatives:
        yield "Also fits", lines(*told.alternatives)
    if told.url and told.state == HEALTHY:
        yield "Address", Text(told.url)
    if told.events and told.state != HEALTHY and not told.failure:
        yield "Events", lines(*told.events)
    if told.unreadable:
        yield "Not told", Text(f"you may not list {', '.join(told.unreadable)} here", "dim")


def _cause_rows(told: Story) -> Iterator[Row]:
    """What the headline does not say already."""
    failure = told.failure
    if not failure:
        return
    if failure.get("message") != told.message:
        yield "Cause", Text(f"{failure.get('reason')}: {failure.get('message')}")
    container = failure.get("container")
    where = f"pod {failure.get('pod')}" + (f", container {container}" if container else "")
    code = failure.get("exitCode")
    ended = "" if code is None else f", exit code {code}"
    restarts = failure.get("restarts")
    again = f", started again {restarts} times or more" if restarts else ""
    if failure.get("pod"):
        yield "Where", Text(f"{where}{ended}{again}")


def _show_excerpt(console: Console, log: str) -> None:
    """The lines of the log that matter, as they are."""
    if not log:
        return
    console.print()
    console.print(Text("Log", "bold"))
    for line in log.splitlines()[-EXCERPT_LINES:]:
        show_text(console, Text(line, "dim"), indent=2)


def _show_commands(console: Console, title: str, commands: Sequence[str]) -> None:
    """Never wrapped, so that they can be copied."""
    if not commands:
        return
    console.print()
    console.print(Text(title, "bold"))
    for command in commands:
        console.print(Text(f"  {command}"), no_wrap=True, overflow="ignore", crop=False)
