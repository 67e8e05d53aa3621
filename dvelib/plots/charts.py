"""Charts of losses and errors: functions from data frames and arrays to a matplotlib Figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from pandas import DataFrame
from torch import Tensor

from dvelib.plots.parts import WIDTH, as_array, chart_axes, legend_below

__all__ = [
    "cumulative_error",
    "error_bars",
    "error_by_count",
    "error_by_labels",
    "learning_curves",
    "loss_curves",
]

_KINDS = {"paper": ("0.25", -0.13), "ours": (sns.color_palette("colorblind")[0], 0.13)}
_DASHES = ["--", ":", "-."]


def loss_curves(histories: Mapping[str, DataFrame], x: str = "step") -> Figure:
    """Loss against step: raw values (pale) and their exponential mean. Columns: ``x``, loss."""
    figure, axis = _chart(WIDTH * 0.8, 3.8)
    for (label, history), colour in zip(
        histories.items(), sns.color_palette("colorblind", len(histories)), strict=True
    ):
        _need_columns(f"histories[{label!r}]", history, (x, "loss"))
        smooth = history["loss"].ewm(halflife=max(1, len(history) / 40)).mean()
        axis.plot(history[x], history["loss"], color=colour, alpha=0.25, linewidth=0.8)
        axis.plot(history[x], smooth, color=colour, linewidth=1.8, label=label)
    axis.set(xlabel=x, ylabel="loss")
    if len(histories) > 1:
        axis.legend(frameon=False)
    return figure


def error_bars(
    frame: DataFrame,
    references: Mapping[str, float | Mapping[str, float]] | None = None,
    *,
    xlabel: str = "error",
) -> Figure:
    """Errors as dots, with one row per label and one panel per setting.

    ``frame`` columns: label, setting, error, low, high (the interval, NaN for none) and kind,
    "paper" (hollow) or "ours" (filled). ``references``: dashed vertical lines; by name, one value
    for all panels or one value per setting.
    """
    _need_columns("frame", frame, ("label", "setting", "error", "low", "high", "kind"))
    if strange := set(frame["kind"]) - {"paper", "ours"}:
        raise ValueError(f"kind must be 'paper' or 'ours', got {', '.join(map(repr, strange))}")
    labels, settings = frame["label"].unique(), frame["setting"].unique()
    height = 1.3 + 0.36 * len(labels)
    figure, axes = chart_axes(len(settings), WIDTH, height)
    for axis, setting in zip(axes, settings, strict=True):
        part = frame[frame["setting"] == setting]
        for kind in ("paper", "ours"):
            _error_dots(axis, part[part["kind"] == kind], list(labels), kind)
        _reference_lines(axis, references or {}, setting)
        axis.set(title=str(setting), xlabel=xlabel)
        axis.set_yticks(range(len(labels)), labels)
        axis.set_ylim(len(labels) - 0.5, -0.5)
    legend_below(figure, axes[0].get_legend_handles_labels()[0])
    return figure


def _error_dots(axis: Axes, rows: DataFrame, labels: list, kind: str) -> None:
    if rows.empty:
        return
    colour, offset = _KINDS[kind]
    at = [labels.index(label) + offset for label in rows["label"]]
    spread = np.abs(rows[["low", "high"]].to_numpy(float).T - rows["error"].to_numpy(float))
    axis.errorbar(
        rows["error"],
        at,
        xerr=spread,
        fmt="o",
        color=colour,
        markersize=6.5,
        capsize=2,
        markerfacecolor="white" if kind == "paper" else colour,
        linewidth=1.4,
        label=kind,
    )


def _reference_lines(axis: Axes, references: Mapping, setting: str) -> None:
    for (name, value), dash in zip(references.items(), _DASHES * len(references), strict=False):
        value = value.get(setting) if isinstance(value, Mapping) else value
        if value is not None:
            axis.axvline(value, color="0.35", linestyle=dash, linewidth=1.1, label=name, zorder=0)


def cumulative_error(
    errors: Mapping[str, ArrayLike | Tensor],
    references: Mapping[str, ArrayLike | Tensor] | None = None,
    *,
    limit: float | None = None,
    xlabel: str = "error (pixels)",
) -> Figure:
    """Fraction of points whose error is at most x.

    ``errors`` and ``references`` (dashed, grey): by label a 1-D array. ``limit``: the end of the
    axis; by default the median over curves of the 99 % quantile.
    """
    curves = {**errors, **(references or {})}
    curves = {label: as_array(values) for label, values in curves.items()}
    for label, values in curves.items():
        if values.ndim != 1 or not len(values):
            raise ValueError(f"errors of {label!r} must be [n], n > 0, got {list(values.shape)}")
    figure, axis = _chart(WIDTH * 0.75, 4.2)
    if limit is None:
        limit = np.median([np.percentile(values, 99) for values in curves.values()])
    palette = sns.color_palette("colorblind", len(errors))
    for label, colour in zip(errors, palette, strict=True):
        axis.plot(*_fractions(curves[label], limit), color=colour, label=label, linewidth=1.8)
    for label, dash in zip(references or {}, _DASHES * len(curves), strict=False):
        axis.plot(*_fractions(curves[label], limit), color="0.35", label=label, linestyle=dash)
    axis.set(xlabel=xlabel, ylabel="fraction of points", xlim=(0, limit), ylim=(0, 1.01))
    axis.legend(frameon=False, loc="lower right")
    return figure


def error_by_count(frame: DataFrame) -> Figure:
    """Error against the number of annotated images; one colour per embedding, paper dashed.

    ``frame`` columns: embedding, images, error, deviation (NaN for none) and kind, "paper" or
    "ours".
    """
    _need_columns("frame", frame, ("embedding", "images", "error", "deviation", "kind"))
    figure, axis = _chart(WIDTH * 0.8, 4.2)
    embeddings = frame["embedding"].unique()
    palette = dict(zip(embeddings, sns.color_palette("colorblind", len(embeddings)), strict=True))
    for (embedding, kind), rows in frame.groupby(["embedding", "kind"], sort=False):
        hollow = kind == "paper"
        axis.errorbar(
            rows["images"],
            rows["error"],
            yerr=rows["deviation"].astype(float).fillna(0),
            color=palette[embedding],
            label=f"{embedding}, {kind}",
            marker="o",
            markersize=6,
            markerfacecolor="white" if hollow else palette[embedding],
            linestyle="--" if hollow else "-",
            linewidth=1.4,
            capsize=3,
        )
    counts = sorted(frame["images"].unique())
    axis.set(xscale="log", xlabel="annotated images", ylabel="error (% of inter-ocular distance)")
    axis.set_xticks(counts, [str(n) for n in counts])
    axis.minorticks_off()
    legend_below(figure, axis.get_legend_handles_labels()[0])
    return figure


def error_by_labels(frame: DataFrame) -> Figure:
    """Error on a user's pictures against the number of labelled ones, with intervals.

    ``frame`` columns: embedding, labels, error, low and high. The colour, the mark and the line of
    each embedding differ.
    """
    _need_columns("frame", frame, ("embedding", "labels", "error", "low", "high"))
    figure, axis = _chart(WIDTH * 0.8, 4.2)
    names = frame["embedding"].unique()
    colours = sns.color_palette("colorblind", len(names))
    for i, (name, colour) in enumerate(zip(names, colours, strict=True)):
        mark, dash = "os^Dv"[i % 5], ["-", *_DASHES][i % 4]
        rows = frame[frame["embedding"] == name].sort_values("labels")
        error = rows["error"].to_numpy()
        ends = [error - rows["low"].to_numpy(), rows["high"].to_numpy() - error]
        style = {"color": colour, "marker": mark, "linestyle": dash, "capsize": 3}
        axis.errorbar(rows["labels"], error, yerr=np.maximum(ends, 0), label=name, **style)
    counts = sorted(frame["labels"].unique())
    axis.set(xscale="log", xlabel="labelled pictures", ylabel="error (% of the square's side)")
    axis.set_xticks(counts, [str(n) for n in counts])
    axis.set_ylim(bottom=0)
    axis.minorticks_off()
    legend_below(figure, axis.get_legend_handles_labels()[0])
    return figure


def learning_curves(frame: DataFrame, printed: DataFrame | None = None) -> Figure:
    """Errors against the number of training pairs, a panel for each measure, with intervals.

    ``frame`` columns: dimension, exchange, measure, pairs, error, low, high. ``printed``: columns
    dimension, exchange, measure, error; the paper's errors, as thin horizontal lines. Colours are
    dimensions; lines without exchange are dashed.
    """
    columns = ("dimension", "exchange", "measure", "pairs", "error", "low", "high")
    _need_columns("frame", frame, columns)
    measures = frame["measure"].unique()
    figure, axes = chart_axes(len(measures), WIDTH, 4.2, shared=False)
    dimensions = sorted(frame["dimension"].unique())
    palette = dict(zip(dimensions, sns.color_palette("colorblind", len(dimensions)), strict=True))
    for axis, measure in zip(axes, measures, strict=True):
        part = frame[frame["measure"] == measure]
        for (dimension, exchange), rows in part.groupby(["dimension", "exchange"]):
            rows = rows.sort_values("pairs")
            name = f"{dimension}-d {'with' if exchange else 'without'} exchange"
            style = {"color": palette[dimension], "linestyle": "-" if exchange else "--"}
            axis.plot(rows["pairs"], rows["error"], marker="o", ms=4, label=name, **style)
            axis.fill_between(
                rows["pairs"], rows["low"], rows["high"], color=palette[dimension], alpha=0.15, lw=0
            )
        if printed is not None:
            for row in printed[printed["measure"] == measure].itertuples():
                style = {
                    "color": palette[row.dimension],
                    "linestyle": "-" if row.exchange else "--",
                }
                axis.axhline(row.error, linewidth=0.7, alpha=0.6, **style)
        ticks = sorted(part["pairs"].unique())
        axis.set(xscale="log", title=str(measure), xlabel="training pairs")
        axis.set_xticks(ticks, [_thousands(n) for n in ticks], rotation=45)
        axis.minorticks_off()
        axis.set_ylim(bottom=0)
    axes[0].set_ylabel("error")
    legend_below(figure, axes[0].get_legend_handles_labels()[0])
    return figure


def _thousands(count: int) -> str:
    return f"{count / 1000:g}k" if count >= 1000 else str(count)


def _fractions(errors: np.ndarray, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """Sorted errors and the fraction of points up to each, from 0 to beyond the limit."""
    x = np.concatenate([[0], np.sort(errors), [max(limit, errors.max())]])
    fractions = np.arange(len(errors) + 1) / len(errors)
    return x, np.append(fractions, 1)


def _chart(width: float, height: float) -> tuple[Figure, Axes]:
    figure, axes = chart_axes(1, width, height)
    return figure, axes[0]


def _need_columns(name: str, frame: DataFrame, columns: Sequence[str]) -> None:
    if lacking := [column for column in columns if column not in frame]:
        raise ValueError(f"{name} lacks the columns {', '.join(lacking)}")
