"""HTML pieces shared by notebooks, pages and the index: templates, tables, lists of facts."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping
from functools import cache
from itertools import groupby
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame, Series

__all__ = [
    "MISSING",
    "TEMPLATES",
    "data_name",
    "data_text",
    "deviation",
    "duration",
    "facts_html",
    "figure_png",
    "fill",
    "plain_text",
    "table_html",
    "whole_words",
]

TEMPLATES = Path(__file__).parent / "templates"
MISSING = "–"
_DISPLAY_SCALE = 2  # dots per CSS pixel, for dense screens and print
# A word with a hyphen, outside tags.
_HYPHENATED = re.compile(r"(?<![\w&])[\w.]+-\w{1,12}(?!\w)(?![^<]*>)")
# A number, optionally followed by its spread, an interval or a unit.
_NUMBER = re.compile(r"[-−+±]?\d[\d.,]*(e[-+]\d+)?(\s*[±%(–].*)?")


def fill(template: str, **values: Any) -> Markup:
    """The template of that name filled with the values, which are escaped."""
    return Markup(_environment().get_template(f"{template}.html.j2").render(**values))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["subscripts"] = _subscripts
    environment.filters["whole_words"] = whole_words
    return environment


def _subscripts(text: str) -> Markup:
    """Escaped text, except the subscripts of dataset names such as AFLW<sub>R</sub>."""
    return Markup(re.sub(r"&lt;(/?)sub&gt;", r"<\1sub>", str(escape(text))))


def whole_words(text: str) -> Markup:
    """Text in which no line breaks inside a word such as ``64-d``.

    Text that is not Markup is escaped first, except the subscripts of dataset names.
    """
    return Markup(_HYPHENATED.sub(r'<span class="whole">\g<0></span>', str(_subscripts(text))))


def plain_text(value: Any, decimals: int = 2) -> str:
    """A value as readable text; None and NaN as a dash, collections separated by commas."""
    value = value.item() if getattr(value, "ndim", None) == 0 else value
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {plain_text(v, decimals)}" for k, v in value.items()) or MISSING
    if isinstance(value, list | tuple | set):
        return ", ".join(plain_text(v, decimals) for v in value) or MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    # NaN, NaT and pandas.NA are missing values, too.
    if value is None or str(value) in ("nan", "NaT", "<NA>"):
        return MISSING
    if isinstance(value, Integral):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    if isinstance(value, Real):
        return _real(float(value), decimals)
    return str(value)


def _real(value: float, decimals: int) -> str:
    if 0 < abs(value) < 10**-decimals:
        return f"{value:.2g}"
    return f"{value:,.{decimals}f}" if abs(value) >= 10_000 else f"{value:.{decimals}f}"


def data_text(data: Mapping[str, Any] | str | None) -> str | None:
    """A dataset: its name, split and images, and how these differ from the published ones.

    ``data``: an audit (`dvelib.data.audit.split_audit`) or a part of one; text stays as it is.
    """
    if not isinstance(data, Mapping):
        return data
    text = str(data.get("title") or data.get("dataset") or data.get("name") or "unnamed data")
    images, published = data.get("images"), data.get("published")
    if data.get("split"):
        text += f", {data['split']} split"
    if images is not None:
        text += f", {images:,} images"
    if stand_in := data.get("stand_in"):
        of = f" of {published:,}" if published else ""
        return f"{text} (standing in for the published split{of}: {stand_in})"
    if not published:
        return text
    if published == images:
        return f"{text} (the whole published split)"
    return f"{text} (the published split has {published:,}{_parts_text(data.get('parts'))})"


def data_name(audit: Mapping[str, Any]) -> str:
    """A dataset's name, and in brackets how its images differ from the published split."""
    return f"{audit['dataset']}{deviation(audit)}"


def deviation(audit: Mapping[str, Any]) -> str:
    """How the images differ from the published split: `` (stand-in)``, or `` (554 of 689)``.

    Empty where they are the published images.
    """
    if audit.get("stand_in") or not audit["published"]:
        return " (stand-in)"
    return "" if audit["complete"] else f" ({audit['images']} of {audit['published']:,})"


def _parts_text(parts: Mapping[str, Mapping[str, int]] | None) -> str:
    """Images found and published, for each part of a split."""
    counts = (f"{name} {c['found']:,} of {c['published']:,}" for name, c in (parts or {}).items())
    return "; " + ", ".join(counts) if parts else ""


def duration(seconds: float) -> str:
    """Seconds as readable text: 90 s, 12 min, 3 h 05 min."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


def facts_html(mapping: Mapping[str, Any]) -> Markup:
    """Names and values as a definition list."""
    return fill("facts", facts=[(name, plain_text(value)) for name, value in mapping.items()])


def figure_png(figure: Figure, scale: float = _DISPLAY_SCALE) -> tuple[str, int]:
    """A figure as base64 PNG at ``scale`` dots per CSS pixel, and its width in CSS pixels."""
    buffer = io.BytesIO()
    look = {"facecolor": "white", "bbox_inches": "tight", "pad_inches": 0.08}
    figure.savefig(buffer, format="png", dpi=scale * figure.dpi, **look)
    data = buffer.getvalue()
    # Bytes 16 to 19 of a PNG are its width.
    width = round(int.from_bytes(data[16:20], "big") / scale)
    return base64.b64encode(data).decode(), width


def table_html(
    frame: DataFrame, caption: str, highlight: DataFrame | None = None, decimals: int = 2
) -> Markup:
    """A frame as a table that scrolls inside itself; see `dvelib.pages.execute.show_table`."""
    if highlight is not None and highlight.shape != frame.shape:
        raise ValueError(
            f"highlight must have the shape of the frame, {frame.shape}, got {highlight.shape}"
        )
    marks = frame.notna().to_numpy() & False if highlight is None else highlight.to_numpy()
    if _counts_rows(frame):
        frame, marks = frame.set_index(frame.columns[0]), marks[:, 1:]
    columns = [_column(frame.iloc[:, i], decimals) for i in range(frame.shape[1])]
    numeric = [_is_numeric(texts) for texts in columns]
    rows = [
        {"labels": _path(label), "cells": list(zip(texts, numeric, marked, strict=True))}
        for label, texts, marked in zip(frame.index, zip(*columns, strict=True), marks, strict=True)
    ]
    corner = [name or "" for name in frame.index.names]
    header = _header(frame, numeric)
    return fill("table", caption=caption, corner=corner, header=header, rows=rows)


def _counts_rows(frame: DataFrame) -> bool:
    import pandas

    return isinstance(frame.index, pandas.RangeIndex) and frame.columns.nlevels == 1


def _path(label: Any) -> list[str]:
    return [plain_text(part) for part in (label if isinstance(label, tuple) else (label,))]


def _column(column: Series, decimals: int) -> list[str]:
    column = column.infer_objects()
    if column.dtype.kind == "f" and column.hasnans and (column.dropna() % 1 == 0).all():
        column = column.astype("Int64")  # counts with missing values, which pandas made floats
    return [plain_text(value, decimals) for value in column]


def _is_numeric(texts: list[str]) -> bool:
    """Whether every text of a column is a number, so that the column is aligned right."""
    return all(text == MISSING or _NUMBER.fullmatch(text) for text in texts)


def _header(frame: DataFrame, numeric: list[bool]) -> list[list[tuple[str, int, bool]]]:
    """Rows of (text, columns spanned, numeric); equal neighbours of an upper level are merged."""
    *upper, leaves = zip(*map(_path, frame.columns), strict=True)
    groups = [[(text, len(list(same)), False) for text, same in groupby(level)] for level in upper]
    return [*groups, [(text, 1, right) for text, right in zip(leaves, numeric, strict=True)]]
