"""Tables for people."""

from dataclasses import dataclass
from statistics import median


@dataclass
class Goal:
    """One line of the last table. `is_met` is None where nothing was measured."""

    what: str
    goal: str
    measured: str
    is_met: bool | None


def table(headings, rows):
    """A table in Markdown; the first column is left, all others are right."""
    cells = [headings, *rows]
    widths = [max(len(str(row[column])) for row in cells) for column in range(len(headings))]

    def line(row):
        first, *others = (str(cell) for cell in row)
        padded = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:]))]
        return "| " + " | ".join(padded) + " |"

    rule = ["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])]
    return "\n".join([line(headings), f"|{'|'.join(rule)}|", *map(line, rows)])


def spread(values, digits=0):
    """`median (least – most)`; the median alone if there is one value."""
    text = number(median(values), digits)
    return text if len(values) < 2 else f"{text} ({number(min(values), digits)} – {number(max(values), digits)})"


def number(value, digits=0):
    return f"{value:,.{digits}f}"


def milliseconds(microseconds):
    return number(microseconds / 1000, 2)


def mebibytes(count):
    return number(count / 2**20, 1)


def goals_table(goals):
    words = {True: "met", False: "NOT met", None: "not measured"}
    return table(
        ["what", "goal", "measured", ""], [[each.what, each.goal, each.measured, words[each.is_met]] for each in goals]
    )
