"""Findings from a published study, one function each.

``rows``: rows of ``outputs/published/<study>/results.csv``.
"""

from __future__ import annotations

import re

import pandas as pd
from matplotlib.figure import Figure

from dvelib import plots
from dvelib.evaluation.matching_errors import PROTOCOLS, SETTINGS
from dvelib.pages.finding import PERCENT, PIXELS, Finding, and_list, directions
from dvelib.paper.benchmark_titles import BENCHMARK_TITLES
from dvelib.tables.measures import FEW_LANDMARK_ERROR, LANDMARK_ERROR, matching_measure

__all__ = ["ACROSS", "FROM_STUDY"]

WITHIN, ACROSS = (matching_measure(setting, PROTOCOLS[1]).name for setting in SETTINGS)
BENCHMARKS = ("300w", "aflw", "aflw_mtfl", "mafl")


def _dimensions(rows: pd.DataFrame) -> Finding:
    """The effect of exchange on matching, by dimension."""
    effects = _effects(rows, "exchange", [WITHIN, ACROSS], "ablation_exchange_matching")
    across = effects[(effects.measure == ACROSS) & (effects.source == "ours")]
    within = effects[(effects.measure == WITHIN) & (effects.source == "ours")]
    return Finding(
        "dimensions",
        f"Across identities exchange {directions(across)}",
        f"Across identities it {directions(across, numbers=True)}. Within one identity it "
        f"{directions(within, numbers=True)}. Effects at full resolution with 95 % intervals "
        "over image pairs; right of zero, exchange lowers the error. The paper's effects are by "
        "its own protocol.",
        _effect_figure(
            effects.assign(setting=effects.measure.str.removesuffix(", full resolution")), PIXELS
        ),
        "Effect of exchange on matching within and across identities, by dimension.",
    )


def _landmarks(rows: pd.DataFrame) -> Finding:
    """The effect of exchange on landmarks, by dimension and benchmark."""
    effects = _by_benchmark(rows, "ablation_exchange_regression", "exchange")
    effects = effects[effects.finetuned.astype(str) != "True"]
    ours = effects[effects.source == "ours"]
    lowered, raised = (
        sorted(ours[rule].dimension.astype(int).unique()) for rule in (ours.low > 0, ours.high < 0)
    )
    return Finding(
        "landmarks",
        f"Exchange lowers landmark errors in {(ours.low > 0).sum()} of {len(ours)} comparisons",
        f"It lowers the error at {and_list(lowered)} dimensions and raises it in "
        f"{(ours.high < 0).sum()} comparisons, at {and_list(raised)}. In the others the interval "
        "holds zero. Regressors on frozen descriptors, 95 % intervals over test images.",
        _effect_figure(effects, PERCENT),
        "Effect of exchange on landmark errors, by dimension, a panel a benchmark.",
    )


def _finetuning(rows: pd.DataFrame) -> Finding:
    """The effect of fine-tuning without labels on landmarks."""
    effects = _by_benchmark(rows, "ablation_finetuning", "finetuned")
    ours = effects[effects.source == "ours"].sort_values("dimension", kind="stable")
    lines = [
        f"- {setting}: "
        + ", ".join(f"{int(row.dimension)}-d {row.value:+.2f}" for row in part.itertuples())
        for setting, part in ours.groupby("setting", sort=False)
    ]
    lowered = ours[ours.low > 0].groupby("dimension").size()
    benchmarks = ours.setting.nunique()
    counts = [
        f"on {lowered.get(dimension, 0)} of {benchmarks} benchmarks at {int(dimension)} dimensions"
        for dimension in sorted(ours.dimension.unique())
    ]
    return Finding(
        "finetuning",
        f"Fine-tuning without labels lowers landmark errors {and_list(counts)}",
        "Embeddings with exchange; percent of the inter-ocular distance, above zero where "
        "fine-tuning lowers the error:\n\n" + "\n".join(lines),
        _effect_figure(effects, PERCENT),
        "Effect of fine-tuning on landmark errors, by dimension, a panel a benchmark.",
    )


def _raw_products(rows: pd.DataFrame) -> Finding:
    """Matching before and after fine-tuning, by raw dot products and by cosine."""
    same = SETTINGS[0]
    names = {
        matching_measure(same, PROTOCOLS[0]).name: "raw dot product",
        f"{same}, published, by cosine": "cosine",
    }
    tables = rows.table.str.startswith("finetuned_matching_")
    picked = rows[
        tables & (rows.kind == "row") & (rows.source == "ours") & rows.measure.isin(names)
    ]
    tuned = picked[picked.finetuned.astype(str) == "True"].dimension
    picked = picked[picked.dimension.isin(tuned)].copy()
    picked["benchmark"] = picked.table.str.removeprefix("finetuned_matching_")
    labels = picked.label.str.replace("SmallNet ", "").str.replace(" with exchange", "")
    frame = picked.assign(
        label=labels + " on " + picked.benchmark.map(_title),
        setting=picked.measure.map(names),
        error=picked.value,
        kind="ours",
    ).sort_values(["benchmark", "dimension", "finetuned"], kind="stable")
    changes = {name: _changes(picked[picked.measure == measure]) for measure, name in names.items()}
    return Finding(
        "raw_products",
        "Matching errors after fine-tuning depend on normalising the descriptors",
        "Fine-tuning compares unit vectors, so the length of the raw descriptors is free, and the "
        "published protocol compares raw descriptors. Within one identity, on the cells of the "
        "published protocol, fine-tuning changes the error by "
        + "; by ".join(f"{text} px with the {name}" for name, text in changes.items())
        + ".",
        plots.error_bars(frame, xlabel=PIXELS),
        "Error within one identity before and after fine-tuning, raw dot products and cosine.",
    )


def _few_annotations(rows: pd.DataFrame) -> Finding:
    """Error against the number of annotated images."""
    few = rows[(rows.table == "limited_annotations") & (rows.measure == FEW_LANDMARK_ERROR.name)]
    few = few[(few.kind == "row") & few.label.isin(few[few.source == "ours"].label)]
    frame = pd.DataFrame(
        {
            "embedding": few.label.str.rsplit(", ", n=1).str[0],
            "images": few.annotations.astype(int),
            "error": few.value,
            "deviation": few.spread,
            "kind": few.source,
        }
    )
    ours = frame[frame.kind == "ours"]
    most = ours[ours.images == ours.images.max()].sort_values("error")
    mean = rows[(rows.table == "limited_annotations") & (rows.kind == "reference")].value.iloc[0]
    return Finding(
        "few_annotations",
        f"From few annotated images, {most.embedding.iloc[0]} has the lowest error",
        f"With {most.images.iloc[0]} annotated images: "
        + ", ".join(f"{row.embedding} {row.error:.2f} %" for row in most.itertuples())
        + f". The mean shape of all training faces has {mean:.2f} %.",
        plots.error_by_count(frame),
        "Landmark error against the number of annotated images, ours and the paper's.",
    )


def _lattice(rows: pd.DataFrame) -> Finding:
    """The lowest error that each protocol allows, beside the embeddings' errors."""
    table = rows[(rows.table == "ablation_exchange_matching") & (rows.source == "ours")]
    measures = {
        matching_measure(SETTINGS[0], PROTOCOLS[0]).name: PROTOCOLS[0],
        WITHIN: PROTOCOLS[1],
    }
    table = table[table.measure.isin(measures)]
    perfect = table[(table.kind == "reference") & (table.label == "perfect features")]
    floors = {measures[row.measure]: row.value for row in perfect.itertuples()}
    ours = table[table.kind == "row"]
    frame = ours.assign(
        label=ours.label.str.removeprefix("SmallNet "),
        setting=ours.measure.map(measures),
        error=ours.value,
        kind="ours",
    )
    return Finding(
        "lattice",
        "The published protocol cannot tell good descriptors apart within one identity",
        f"Its cells are two pixels apart. Perfect features have an error of "
        f"{floors[PROTOCOLS[0]]:.2f} px there, and of {floors[PROTOCOLS[1]]:.2f} px when "
        "descriptors are interpolated to every pixel.",
        plots.error_bars(frame, {"perfect features": floors}, xlabel=PIXELS),
        "Errors within one identity by both protocols, with the error of perfect features.",
    )


def _effects(rows: pd.DataFrame, compares: str, measures: list[str], table: str) -> pd.DataFrame:
    """Effects of a setting on SmallNets in one table; the paper's where they have our measure."""
    effects = rows[
        (rows.table == table) & (rows.kind == "effect") & (rows.compares == compares)
    ].copy()
    # The paper has no errors at full resolution: its own protocol's stand beside ours.
    paper = effects.source == "paper"
    full = {name.split(",")[0]: name for name in measures}
    effects.loc[paper, "measure"] = effects.measure[paper].map(full).fillna(effects.measure[paper])
    kept = effects.measure.isin(measures) & (effects.architecture == "smallnet")
    measured = effects[effects.source == "ours"].dimension.unique()
    return effects[kept & effects.dimension.isin(measured)]


def _by_benchmark(rows: pd.DataFrame, kind: str, compares: str) -> pd.DataFrame:
    """Effects on the landmark error of embeddings with exchange, with the benchmark as setting."""
    parts = []
    for benchmark in BENCHMARKS:
        part = _effects(rows, compares, [LANDMARK_ERROR.name], f"{kind}_{benchmark}")
        parts.append(part.assign(setting=_title(benchmark)))
    effects = pd.concat(parts, ignore_index=True)
    return effects[effects.exchange.astype(str) == "True"]


def _effect_figure(effects: pd.DataFrame, unit: str) -> Figure:
    effects = effects.sort_values("dimension", kind="stable")
    frame = effects.assign(
        label=effects.dimension.astype(int).astype(str) + "-d",
        error=effects.value,
        kind=effects.source,
    )
    return plots.error_bars(frame, {"no effect": 0.0}, xlabel=f"fall of the error ({unit})")


def _changes(picked: pd.DataFrame) -> str:
    """Smallest and largest change of the error by fine-tuning, over tables and dimensions."""
    tuned = picked.assign(tuned=picked.finetuned.astype(str) == "True")
    wide = tuned.pivot_table(index=["table", "dimension"], columns="tuned", values="value").dropna()
    change = wide[True] - wide[False]
    return f"{change.min():+.2f} to {change.max():+.2f}"


def _title(benchmark: str) -> str:
    """A benchmark's name without markup, such as AFLWM for figures and sentences."""
    return re.sub("<[^>]*>", "", BENCHMARK_TITLES[benchmark.replace("_", "-")])


FROM_STUDY = (
    _dimensions,
    _landmarks,
    _finetuning,
    _raw_products,
    _few_annotations,
    _lattice,
)
