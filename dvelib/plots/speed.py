"""Charts of benchmarks: ratios to our time and memory, scaling, errors after training."""

from __future__ import annotations

from collections.abc import Mapping

import seaborn as sns
from matplotlib.figure import Figure
from pandas import DataFrame

from dvelib.plots.parts import WIDTH, chart_axes, legend_below

__all__ = ["ending_dots", "growth_lines", "ratio_bars"]


def ratio_bars(frame: DataFrame, value: str = "ratio", xlabel: str = "times ours") -> Figure:
    """One bar per problem and form on a logarithmic axis, labelled with its value.

    ``frame`` columns: problem, form and ``value``; rows without a value are left out.
    """
    frame = frame.dropna(subset=value)
    labels = [f"{row.problem}: {row.form}" for row in frame.itertuples()]
    figure, (axis,) = chart_axes(1, WIDTH, 1.1 + 0.32 * len(labels))
    forms = list(frame["form"].unique())
    palette = dict(zip(forms, sns.color_palette("colorblind", len(forms)), strict=True))
    bars = axis.barh(range(len(labels)), frame[value], color=[palette[f] for f in frame["form"]])
    axis.bar_label(bars, [f"{v:,.1f}" for v in frame[value]], padding=3, fontsize=8)
    axis.set_yticks(range(len(labels)), labels, fontsize=8)
    axis.invert_yaxis()
    limits = min(0.5, 0.8 * frame[value].min()), 2.5 * frame[value].max()
    axis.set(xscale="log", xlabel=xlabel, xlim=limits)
    axis.axvline(1, color="0.35", linewidth=1)
    return figure


def growth_lines(frame: DataFrame, along: str, xlabel: str) -> Figure:
    """Time and memory against a size, on logarithmic axes, with one line per form.

    ``frame`` columns: form, along, at, seconds, memory (bytes).
    """
    frame = frame[frame["along"] == along]
    figure, axes = chart_axes(2, WIDTH, 3.6, shared=False)
    for axis, (column, label, unit) in zip(
        axes, [("seconds", "seconds", 1), ("memory", "MiB beyond the input", 2**20)], strict=True
    ):
        for form, rows in frame.groupby("form", sort=False):
            axis.plot(rows["at"], rows[column] / unit, marker="o", label=form)
        axis.set(xscale="log", yscale="log", xlabel=xlabel, ylabel=label)
        places = sorted(frame["at"].unique())
        axis.set_xticks(places, [str(p) for p in places])
        axis.minorticks_off()
    legend_below(figure, axes[0].get_legend_handles_labels()[0])
    return figure


def ending_dots(frame: DataFrame, measures: Mapping[str, str]) -> Figure:
    """One row per seed and one panel per measure; the forms are dots, rings and crosses, in order.

    ``frame`` columns: seed, form (at most three) and those of ``measures``, which name the axes.
    """
    forms, seeds = list(frame["form"].unique()), list(frame["seed"].unique())
    if len(forms) > 3:
        raise ValueError(f"frame must hold at most three forms, got {', '.join(forms)}")
    figure, axes = chart_axes(len(measures), WIDTH, 1.4 + 0.32 * len(seeds))
    dot, ring, cross = sns.color_palette("colorblind", 3)
    looks = [
        {"s": 28, "color": dot, "zorder": 3},
        {"s": 150, "facecolor": "none", "edgecolor": ring, "linewidth": 1.6},
        {"s": 40, "color": cross, "marker": "x"},
    ]
    for axis, (column, label) in zip(axes, measures.items(), strict=True):
        for form, look in zip(forms, looks, strict=False):
            rows = frame[frame["form"] == form]
            axis.scatter(rows[column], rows["seed"].map(seeds.index), label=form, **look)
        axis.set(xlabel=label, ylim=(len(seeds) - 0.5, -0.5))
        axis.set_yticks(range(len(seeds)), [f"seed {seed}" for seed in seeds])
    legend_below(figure, axes[0].get_legend_handles_labels()[0])
    return figure
