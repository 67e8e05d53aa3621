"""What the published results show, one finding at a time, each with a figure.

All numbers come from files under ``outputs/published``: ``<study>/results.csv``, written by
``dve publish``, and ``campaign/matching.csv``, errors of a long training at several lengths.
Sentences are made from the numbers, so they change when the results do.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from dvelib import plots
from dvelib.common.errors import StudyError
from dvelib.common.files import ROOT, atomic_path
from dvelib.evaluation.matching_errors import PROTOCOLS, SETTINGS
from dvelib.pages.display import say, show
from dvelib.paper.benchmark_titles import BENCHMARK_TITLES
from dvelib.tables.measures import FEW_LANDMARK_ERROR, LANDMARK_ERROR, matching_measure

__all__ = ["Finding", "findings", "show_findings", "write_findings"]

PUBLISHED = ROOT / "outputs" / "published"
WITHIN, ACROSS = (matching_measure(setting, PROTOCOLS[1]).name for setting in SETTINGS)
PERCENT, PIXELS = "%", "px of a 70-pixel face"
AVERAGE, LAST = "eta8", "last"  # weights of the long training: averaged, and of the last step
# Runs of the long training by dimension and exchange.
LONG_RUNS = {
    (64, True): "plainfirst-64x-s0",
    (64, False): "c64p-s0",
    (16, True): "c16x-s0",
    (16, False): "c16p-s0",
    (3, True): "c3x-s0",
    (3, False): "c3p-s0",
}
# Trials of recipes, 64 dimensions with exchange, and what each changes.
TRIALS = {
    "base": "the base",
    "plainfirst": "plain loss for the first 2,000 pairs",
    "small": "small crops first",
    "aux4": "four auxiliary images",
    "b16": "batch of 16, twice the rate",
    "lr1e3": "twice the rate",
}
TRIAL_SECONDS = 480  # of one thread, at which trials are compared; the nearest snapshot counts
BENCHMARKS = ("300w", "aflw", "aflw_mtfl", "mafl")


@dataclass(frozen=True)
class Finding:
    """``title``: the finding in one sentence; ``text``: its numbers, markdown; ``figure`` and its
    text alternative ``alt``; ``name``: for its file."""

    name: str
    title: str
    text: str
    figure: Figure
    alt: str


def findings(study: str = "faces", published: Path | None = None) -> list[Finding]:
    """The findings of a published study and of the long training.

    ``published``: the folder of published results, by default the project's. Findings without
    results are left out. Raises StudyError where the study was not published.
    """
    folder = Path(published or PUBLISHED)
    path = folder / study / "results.csv"
    if not path.exists():
        raise StudyError(f"the study {study} has no published results: {path} does not exist")
    rows = pd.read_csv(path)
    campaign = folder / "campaign" / "matching.csv"
    made = [make(rows) for make in FROM_STUDY]
    if campaign.exists():
        runs = pd.read_csv(campaign)
        made = [make(runs) for make in FROM_CAMPAIGN] + made
    return [finding for finding in made if finding is not None]


def show_findings(study: str = "faces") -> None:
    """Display the findings in a notebook, each with its figure."""
    for finding in findings(study):
        say(f"## {finding.title}\n\n{finding.text}")
        show(finding.figure, alt=finding.alt)


def write_findings(folder: Path, study: str = "faces") -> Path:
    """Write the findings as ``findings.md`` with a picture each into a folder; returns the file."""
    lines = [
        "# Findings",
        "",
        f"From the published study `{study}` and a long training. The notebook "
        "`notebooks/findings.ipynb` shows the same from your own results.",
        "",
    ]
    folder.mkdir(parents=True, exist_ok=True)
    for finding in findings(study):
        picture = folder / f"{finding.name}.png"
        with atomic_path(picture) as temporary:
            finding.figure.savefig(temporary, dpi=80, bbox_inches="tight", format="png")
        lines += [f"## {finding.title}", "", finding.text, ""]
        lines += [f"![{finding.alt}]({picture.name})", ""]
    with atomic_path(folder / "findings.md") as temporary:
        temporary.write_text("\n".join(lines))
    return folder / "findings.md"


def _training_pays(runs: pd.DataFrame) -> Finding | None:
    """Errors against training pairs, for each dimension and loss."""
    parts = []
    for (dimension, exchange), run in LONG_RUNS.items():
        part = runs[(runs.run == run) & (runs.kind == AVERAGE)]
        for measure, column in (("different identity", "across"), ("same identity", "within")):
            parts.append(
                pd.DataFrame(
                    {
                        "dimension": dimension,
                        "exchange": exchange,
                        "measure": measure,
                        "pairs": part.pairs,
                        "error": part[column],
                        "low": float("nan"),
                        "high": float("nan"),
                    }
                )
            )
    frame = pd.concat(parts, ignore_index=True)
    across = frame[frame.measure == "different identity"]
    largest = across.dimension.max()
    lines = [
        f"- {dimension} dimensions, {'with' if exchange else 'without'} exchange: "
        + ", ".join(f"{row.error:.1f} px after {row.pairs:,}" for row in part.itertuples())
        for (dimension, exchange), part in across.groupby(["dimension", "exchange"])
    ]
    widest = across[across.dimension == largest]
    slopes = {exchange: _per_doubling(part) for exchange, part in widest.groupby("exchange")}
    more = "more" if slopes[True] > slopes[False] else "no more"
    return Finding(
        "training_pays",
        f"Exchange gains {more} from longer training than the plain loss",
        f"A line through all lengths falls by {slopes[True]:.1f} px across identities when pairs "
        f"double, at {largest} dimensions with exchange, and by {slopes[False]:.1f} px without. "
        "Mean errors at full resolution on the first 1,000 test faces of AFLW_M, one training "
        "each, averaged weights:\n\n" + "\n".join(lines),
        plots.learning_curves(frame),
        "Matching error against training pairs, with and without exchange, by dimension.",
    )


def _per_doubling(curve: pd.DataFrame) -> float:
    """How far the error falls when pairs double: the slope of a line through all lengths."""
    return -float(np.polyfit(np.log2(curve.pairs), curve.error, 1)[0])


def _recipes(runs: pd.DataFrame) -> Finding | None:
    """Errors of the trials of recipes at about the same processor time, a dot a seed."""
    found = []
    for trial, label in TRIALS.items():
        for run, part in runs[runs.kind == AVERAGE].groupby("run"):
            if run.rsplit("-64x-", 1)[0] == trial:
                nearest = part.iloc[(part.seconds - TRIAL_SECONDS).abs().argmin()]
                found.append({"label": label, "run": run, **nearest[["across", "seconds"]]})
    trials = pd.DataFrame(found)
    if trials.empty:
        return None
    means = trials.groupby("label", sort=False).across.mean()
    base = means[TRIALS["base"]]
    better = means[means < base - 0.5].sort_values()
    lines = [
        f"- {label}: {', '.join(f'{value:.2f}' for value in part.across)} px"
        for label, part in trials.groupby("label", sort=False)
    ]
    frame = _dots(trials.label, "error across identities", trials.across)
    return Finding(
        "recipes",
        "The plain loss for the first pairs helps; more auxiliary images and higher rates do not"
        if better.index[0] == TRIALS["plainfirst"] and means[TRIALS["aux4"]] >= base - 0.5
        else f"The best change of the recipe: {better.index[0]}",
        f"64 dimensions with exchange at about equal processor time, {trials.seconds.min():.0f} to "
        f"{trials.seconds.max():.0f} s of one thread; a number a seed; the first 1,000 test faces "
        "of AFLW_M, full resolution:\n\n" + "\n".join(lines),
        plots.error_bars(frame, {"the base, mean": base}, xlabel=PIXELS),
        "Error across identities of each change of the recipe, beside the base.",
    )


def _averaging(runs: pd.DataFrame) -> Finding | None:
    """Averaged weights less the last step's, for every run and length."""
    both = runs.pivot_table(index=["run", "pairs"], columns="kind", values="across").reset_index()
    both = both[both.run.isin(LONG_RUNS.values())]
    gain = both[LAST] - both[AVERAGE]
    frame = _dots(
        both.run.map({run: _name(*key) for key, run in LONG_RUNS.items()}),
        "error of the last step's weights less that of their average",
        gain,
    )
    return Finding(
        "averaging",
        f"Averaging the weights changes the error by {-gain.mean():+.2f} px in the mean",
        f"The average over the training (exponent 8), at a constant learning rate, in place of the "
        f"last step's weights changes the error across identities by {-gain.max():+.2f} to "
        f"{-gain.min():+.2f} px, over {len(gain)} lengths and trainings.",
        plots.error_bars(frame, {"no change": 0.0}, xlabel=PIXELS),
        "What averaging gains at each length of each training.",
    )


def _dimensions(rows: pd.DataFrame) -> Finding:
    """The effect of exchange on matching, by dimension."""
    effects = _effects(rows, "exchange", [WITHIN, ACROSS], "ablation_exchange_matching")
    across = effects[(effects.measure == ACROSS) & (effects.source == "ours")]
    within = effects[(effects.measure == WITHIN) & (effects.source == "ours")]
    return Finding(
        "dimensions",
        f"Across identities exchange {_directions(across)}",
        f"Across identities it {_directions(across, numbers=True)}. Within one identity it "
        f"{_directions(within, numbers=True)}. Effects at full resolution with 95 % intervals "
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
        f"It lowers the error at {_and(lowered)} dimensions and raises it in "
        f"{(ours.high < 0).sum()} comparisons, at {_and(raised)}. In the others the interval holds "
        "zero. Regressors on frozen descriptors, 95 % intervals over test images.",
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
        f"Fine-tuning without labels lowers landmark errors {_and(counts)}",
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


FROM_CAMPAIGN: tuple[Callable, ...] = (_training_pays, _recipes, _averaging)
FROM_STUDY: tuple[Callable, ...] = (
    _dimensions,
    _landmarks,
    _finetuning,
    _raw_products,
    _few_annotations,
    _lattice,
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


def _directions(effects: pd.DataFrame, numbers: bool = False) -> str:
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
            texts.append(f"{verb.format('it' if texts else 'the error')} {_and(names)}")
    return ", and ".join(texts)


def _changes(picked: pd.DataFrame) -> str:
    """Smallest and largest change of the error by fine-tuning, over tables and dimensions."""
    tuned = picked.assign(tuned=picked.finetuned.astype(str) == "True")
    wide = tuned.pivot_table(index=["table", "dimension"], columns="tuned", values="value").dropna()
    change = wide[True] - wide[False]
    return f"{change.min():+.2f} to {change.max():+.2f}"


def _dots(labels: pd.Series, setting: str, values: pd.Series) -> pd.DataFrame:
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


def _name(dimension: int, exchange: bool) -> str:
    return f"{dimension}-d {'with' if exchange else 'without'} exchange"


def _title(benchmark: str) -> str:
    """A benchmark's name without markup, such as AFLWM for figures and sentences."""
    return re.sub("<[^>]*>", "", BENCHMARK_TITLES[benchmark.replace("_", "-")])


def _and(items: list) -> str:
    texts = [str(item) for item in items]
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts) or "none"
