"""I/O: the terminal, and the few forms in which the commands write on it.

Lines carry no spaces at their end, so that what is piped into a file is as if typed.
"""

import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

LABEL_WIDTH = 12
GAP = 2
WIDEST = 120
"""Longer lines are hard to read."""

Row = tuple[str, Text]
"""A label and what belongs to it, of one or more lines."""


def terminal() -> Console:
    """Standard output: coloured on a terminal, plain text of 80 columns elsewhere."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")  # a terminal that knows ASCII only gets '?' for signs
    return Console(highlight=False, emoji=False, markup=False)


def text_width(console: Console) -> int:
    """Columns beside the labels."""
    return max(20, min(console.width, WIDEST) - LABEL_WIDTH - GAP)


def show_text(console: Console, text: Text, indent: int = 0) -> None:
    """The text in lines that fit, each after so many spaces."""
    for line in text.wrap(console, max(20, min(console.width, WIDEST) - indent)):
        _show_line(console, Text.assemble(" " * indent, line))


def show_rows(console: Console, rows: Iterable[Row]) -> None:
    """Labels in bold, and beside them texts that go on below themselves."""
    for label, text in rows:
        shown = label
        for line in text.wrap(console, text_width(console)):
            _show_line(console, Text.assemble((shown.ljust(LABEL_WIDTH + GAP), "bold"), line))
            shown = ""


def show_columns(
    console: Console, titles: Sequence[str], rows: Sequence[Sequence[Text]], *, left: int
) -> None:
    """A table: the first ``left`` columns begin alike, the others end alike, as numbers do."""
    cells = [[Text(title, "bold") for title in titles], *rows]
    widths = [max(row[column].cell_len for row in cells) for column in range(len(titles))]
    for row in cells:
        line = Text()
        for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
            padding = Text(" " * (width - cell.cell_len))
            line.append_text(cell + padding if column < left else padding + cell)
            line.append(" " * GAP)
        _show_line(console, line)


def lines(*texts: str | Text) -> Text:
    """Texts below each other."""
    return Text("\n").join(text if isinstance(text, Text) else Text(text) for text in texts)


def _show_line(console: Console, line: Text) -> None:
    line.rstrip()
    if not line.plain.isprintable():
        # Texts of a checkpoint are written by strangers, and may hold codes that steer a terminal.
        line = Text("".join(sign if sign.isprintable() else "?" for sign in line.plain))
    console.print(line, no_wrap=True, overflow="ignore", crop=False)
