"""One chart of all tables: each error of the paper beside ours."""

from __future__ import annotations

import seaborn as sns
from matplotlib.figure import Figure
from pandas import DataFrame

from dvelib.plots.parts import WIDTH, chart_axes, legend_below

__all__ = ["paper_and_ours"]

_MARKERS = "osD^vP"


def paper_and_ours(frame: DataFrame) -> Figure:
    """A dot a number: the paper's from left to right, ours from bottom to top; a panel a unit.

    ``frame`` columns: unit, group (colour and marker), paper, ours. On the diagonal both are equal;
    above it our error is larger. Axes are logarithmic.
    """
    units = frame["unit"].unique()
    figure, axes = chart_axes(len(units), WIDTH, 4.4, shared=False)
    groups = list(frame["group"].unique())
    palette = sns.color_palette("colorblind", len(groups))
    handles = {}
    for axis, unit in zip(axes, units, strict=True):
        part = frame[frame["unit"] == unit]
        low = 0.8 * part[["paper", "ours"]].min().min()
        high = 1.25 * part[["paper", "ours"]].max().max()
        axis.plot([low, high], [low, high], color="0.35", linestyle="--", linewidth=1.1, zorder=0)
        for group, rows in part.groupby("group", sort=False):
            i = groups.index(group)
            handles[group] = axis.scatter(
                rows["paper"],
                rows["ours"],
                s=42,
                color=palette[i],
                marker=_MARKERS[i % len(_MARKERS)],
                edgecolor="white",
                linewidth=0.6,
                label=group,
            )
        axis.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high))
        axis.set(title=str(unit), xlabel="the paper's error", ylabel="our error")
        ticks = [tick for tick in (1, 2, 3, 5, 10, 20, 30) if low <= tick <= high]
        axis.set_xticks(ticks, map(str, ticks))
        axis.set_yticks(ticks, map(str, ticks))
        axis.minorticks_off()
    legend_below(figure, list(handles.values()))
    return figure
