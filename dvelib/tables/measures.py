"""What tables measure: the names that results, effects and claims use, and titles to read.

A matching error has a setting and a protocol (`dvelib.evaluation.matching_errors`). Under the
published protocol its name is the setting alone, as the paper prints it.
"""

from __future__ import annotations

from dvelib.evaluation.matching_errors import PROTOCOLS, SETTINGS
from dvelib.paper.benchmark_titles import BENCHMARK_TITLES
from dvelib.tables.results import Measure

__all__ = [
    "DENSE_ERROR",
    "FEW_LANDMARK_ERROR",
    "LANDMARK_ERROR",
    "landmark_measure",
    "matching_measure",
    "matching_measures",
]

PUBLISHED = PROTOCOLS[0]
SETTING_TITLES = dict(zip(SETTINGS, ("Same identity", "Different identity"), strict=True))

LANDMARK_ERROR = Measure(name="iod", title="Error, % of inter-ocular distance")
# The same quantity, a mean over picks of annotated images; the paper prints it with its deviation.
FEW_LANDMARK_ERROR = Measure(name="mean_iod", title="Mean error, % of inter-ocular distance")


# Of every visible pixel of drawn faces, at full resolution.
DENSE_ERROR = Measure(name="dense", title="Dense error on drawn faces, px", unit="px")


def landmark_measure(benchmark: str, annotations: int | None = None) -> Measure:
    """The landmark error on a benchmark, for tables that measure it on several."""
    where = BENCHMARK_TITLES[benchmark]
    few = f"{annotations} annotated images of " if annotations else ""
    name = f"iod, {f'{annotations} of ' if annotations else ''}{benchmark}"
    return Measure(name=name, title=f"Landmarks, {few}{where}, %", unit="%")


def matching_measure(setting: str, protocol: str = PUBLISHED) -> Measure:
    """The matching error of a setting under a protocol."""
    other = "" if protocol == PUBLISHED else f", {protocol}"
    title = SETTING_TITLES[setting] + other
    return Measure(name=setting + other, title=title, setting=setting, protocol=protocol)


def matching_measures(protocols: tuple[str, ...] = PROTOCOLS) -> tuple[Measure, ...]:
    """All matching errors under these protocols."""
    return tuple(matching_measure(setting, p) for p in protocols for setting in SETTINGS)
