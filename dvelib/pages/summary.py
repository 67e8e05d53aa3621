"""The index's figure: every number of the paper that this study measured, beside ours."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from pandas import DataFrame

from dvelib.plots import paper_and_ours
from dvelib.plots.svg import figure_html
from dvelib.tables.results import TableResults

__all__ = ["summary_html"]

UNITS = {
    "px": "matching (pixels of a 70-pixel face)",
    "%": "landmarks (% of the inter-ocular distance)",
}
WORDS = {"px": "matching errors", "%": "landmark errors"}


def summary_html(tables: Sequence[TableResults]) -> Markup | str:
    """The figure with its caption; empty where no number has one of the paper beside it."""
    frame = _numbers(tables)
    if frame.empty:
        return ""
    below = [
        f"{(part.ours <= part.paper).sum()} of {len(part)} {WORDS[unit]}"
        for unit, part in frame.groupby("unit", sort=False)
    ]
    below_text = " and ".join(below)
    caption = (
        "Each dot is one number of the paper beside ours, on the data named below. On the line "
        f"both are equal. At most the paper's are {below_text}."
    )
    figure = paper_and_ours(frame.assign(unit=frame.unit.map(UNITS)))
    alt = f"The paper's errors and ours, all tables. At most the paper's are {below_text}."
    return Markup(figure_html(figure, alt, caption))


def _numbers(tables: Sequence[TableResults]) -> DataFrame:
    """Columns unit, group (the kind of table), paper, ours; a number of several tables once."""
    lines = [
        {
            "unit": table.unit_of(measure),
            "group": table.kind.replace("_", " ").capitalize(),
            "paper": paper.value,
            "ours": row.ours[measure].mean,
        }
        for table in tables
        for row in table.rows
        for measure, paper in row.published.items()
        if measure in row.ours and row.pairs in (None, _most_pairs(table))
    ]
    return DataFrame(lines, columns=["unit", "group", "paper", "ours"]).drop_duplicates(
        ["unit", "paper", "ours"]
    )


def _most_pairs(table: TableResults) -> int | None:
    """The longest training of a learning curve; its shorter ones are not the paper's."""
    return max((row.pairs for row in table.rows if row.pairs), default=None)
