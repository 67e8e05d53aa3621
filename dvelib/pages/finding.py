"""What a finding is, and the pieces that findings share: sentences and frames for charts."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

__all__ = ["PERCENT", "PIXELS", "Finding", "and_list", "directions", "dots"]

PERCENT, PIXELS = "%", "px of a 70-pixel face"


@dataclass(frozen=True)
class Finding:
    """``title``: the finding in one sentence; ``text``: its numbers, markdown; ``figure`` and its
    text alternative ``alt``; ``name``: for its file."""

    name: str
    title: str
    text: str
    figure: Figure
    alt: str


def directions(effects: pd.DataFrame, numbers: bool = False) -> str:
    """Such as "lowers the error at 16-d and 64-d, and raises it at 3-d", by the intervals."""
    groups = {
        "lowers {} at": effects[effects.low > 0],
        "raises {} at": effects[effects.high < 0],
        "hardly changes {} at": effects[(effects.low <= 0) & (effects.high >= 0)],
    }
    texts = []
    for verb, part in groups.items():
        names = [
            f"{int(row.dimension)}-d" + (f" (by {abs(row.value):.2f} px)" if numbers else "")
            for row in part.sort_values("dimension").itertuples()
        ]
        if names:
            texts.append(f"{verb.format('it' if texts else 'the error')} {and_list(names)}")
    return ", and ".join(texts)


def dots(labels: pd.Series, setting: str, values: pd.Series) -> pd.DataFrame:
    nothing = float("nan")
    return pd.DataFrame(
        {
            "label": list(labels),
            "setting": setting,
            "error": list(values),
            "low": nothing,
            "high": nothing,
            "kind": "ours",
        }
    )


def and_list(items: list) -> str:
    texts = [str(item) for item in items]
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts) or "none"
