"""The tables and captions of the benchmark notebook, and its record ``results.json``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from dvelib.benchmarks.comparisons import precisions, run
from dvelib.benchmarks.endings import CONTROL, by_seed, ends, gaps, sentences
from dvelib.benchmarks.measure import Machine
from dvelib.benchmarks.scaling import DIMENSION, SIDE, growth
from dvelib.benchmarks.sizes import data_sizes, first_limits, measure_rates
from dvelib.checkpoints.provenance import provenance
from dvelib.common.devices import resolve_device
from dvelib.common.files import outputs_folder, write_json
from dvelib.study.hours import measure_rate
from dvelib.study.plan import Study

__all__ = ["RESULTS", "Benchmark"]

RESULTS = "results.json"
PUBLISHED_IMAGES, PUBLISHED_EPOCHS = 146_501, 100
HEADLINES = {"loss": "one sample at a time", "step": "plain pipeline and loss"}


class Benchmark:
    """One run of the benchmark on one machine.

    ``small``: tiny problems, only for tests. ``outputs``: the folder of ``results.json``.
    Raises StudyError if a GPU is requested and there is none.
    """

    def __init__(
        self,
        device: str = "auto",
        *,
        repeats: int = 5,
        small: bool = False,
        outputs: Path | str | None = None,
    ):
        self.device, self.repeats, self.small = resolve_device(device), repeats, small
        self.folder = Path(outputs) if outputs else outputs_folder() / "benchmark"
        self.machine = Machine(self.device)
        self.frames: dict[str, pd.DataFrame] = {}

    def machine_facts(self) -> dict[str, str]:
        """Hardware, versions and the two rates from which floors are computed."""
        made = provenance(self.device)
        return {
            "Hardware": made["hardware"],
            "Versions": ", ".join(f"{k} {v}" for k, v in made["versions"].items()),
            "Commit": str(made["commit"]),
            "Matrix products": "; ".join(
                f"{self.machine.operations(precision) / 1e9:,.0f} billion operations per second, "
                f"{precision}"
                for precision in precisions(self.device, self.small)
            ),
            "Copies": f"{self.machine.bytes / 1e9:,.1f} GB per second, read and written",
            "Repeats": str(self.repeats),
            **({} if self.device.type == "cuda" else {"Not measured": "performance on a GPU"}),
        }

    def measure(self, kind: str) -> pd.DataFrame:
        """All comparisons of a kind, measured once (see `dvelib.benchmarks.run`)."""
        if kind not in self.frames:
            self.frames[kind] = run(kind, str(self.device), self.repeats, self.small, self.machine)
        return self.frames[kind]

    def shown(self, kind: str) -> pd.DataFrame:
        """The comparisons of a kind as a table for display."""
        frame = self.frames[kind]
        milliseconds = frame[["seconds", "low", "high", "floor"]] * 1e3
        table = pd.DataFrame(
            {
                "milliseconds": milliseconds["seconds"],
                "lowest": milliseconds["low"],
                "highest": milliseconds["high"],
                "floor": milliseconds["floor"],
                frame["unit"].iloc[0]: frame["rate"],
                "times ours": frame["ratio"],
            }
        )
        if frame["memory"].notna().any():
            table["peak MiB"] = frame["memory"] / 2**20
            table["memory, times ours"] = frame["memory ratio"]
        table.index = pd.MultiIndex.from_frame(frame[["problem", "form"]])
        return table

    def caption(self, kind: str) -> str:
        frame = self.frames[kind]
        text = f"{frame['comparison'].iloc[0].capitalize()}: median of {self.repeats} repeats, "
        return text + "their range, and the floor of this machine."

    def growth(self) -> pd.DataFrame:
        """Time and memory of the loss by side and dimension (see `dvelib.benchmarks.growth`)."""
        self.frames["growth"] = growth(str(self.device), min(self.repeats, 3), self.small)
        return self.frames["growth"]

    def growth_caption(self) -> str:
        return f"Maps of {SIDE}x{SIDE}; the chart above has {DIMENSION} dimensions."

    def endings(self) -> pd.DataFrame:
        """Errors after training with each form (see `dvelib.benchmarks.endings.ends`)."""
        self.frames["endings"] = ends(str(self.device), self.small)
        self.frames["endings gaps"] = gaps(self.frames["endings"])
        return self.frames["endings"]

    def endings_shown(self) -> pd.DataFrame:
        """Errors after training by seed, as a table for display."""
        return by_seed(self.frames["endings"])

    def endings_caption(self) -> str:
        return f"Errors after training, on unseen faces. Control: {CONTROL}."

    def endings_text(self) -> str:
        """Text: whether errors differ more between the losses than between seeds."""
        return sentences(self.frames["endings"])

    def published_study(self) -> pd.DataFrame:
        """Pairs per second and hours for each embedding that the paper trained on CelebA.

        One seed each, at the published image size, batch size and precision.
        """
        study = Study.load("paper", without_data=True)
        lines = {}
        for name, spec in study.embeddings.items():
            if name in study.parents or (self.small and lines):
                continue
            if self.device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(self.device)
            rate = measure_rate(spec, str(self.device), 0.1 if self.small else 10.0)
            pairs = PUBLISHED_IMAGES // spec.batch * spec.batch * PUBLISHED_EPOCHS
            lines[spec.label] = {"pairs/s": rate, "hours": pairs / rate / 3600}
            if self.device.type == "cuda":
                peak = torch.cuda.max_memory_allocated(self.device)
                lines[spec.label]["peak GiB"] = peak / 2**30
        table = pd.DataFrame.from_dict(lines, orient="index")
        self.frames["study"] = table.reset_index(names="embedding")
        return table

    def study_caption(self) -> str:
        study = self.frames["study"]
        return (
            f"{PUBLISHED_IMAGES:,} images, {PUBLISHED_EPOCHS} epochs, at the rates measured here: "
            f"{study['hours'].sum():,.0f} hours for all {len(study)} embeddings in sequence."
        )

    def headline(self) -> str:
        """How much faster the loss and the training step are; measures them if need be."""
        return "; ".join(self._headline(*item) for item in HEADLINES.items())

    def data_sizes(self) -> pd.DataFrame:
        """What other numbers of pictures would cost (see `dvelib.benchmarks.sizes`)."""
        rates = measure_rates(str(self.device), 0.1 if self.small else 10.0, small=self.small)
        table = data_sizes(rates)
        self.frames["sizes"] = table.reset_index(names="data")
        self.frames["reading"] = pd.DataFrame([rates])
        return table

    def sizes_text(self) -> str:
        """Markdown: what the first limit is for each number of pictures."""
        return "\n".join(
            f"- {line}" for line in first_limits(self.frames["sizes"].set_index("data"))
        )

    def sizes_caption(self) -> str:
        rates = self.frames["reading"].iloc[0]
        return (
            f"Computed, not run, from rates measured here: pictures of {rates['bytes'] / 1e3:.1f} "
            f"kB, {rates['counted']:,.0f} a second counted, {rates['read']:,.0f} read and decoded, "
            f"{rates['trained']:,.0f} trained (SmallNet 64-d with exchange)."
        )

    def record(self) -> str:
        """Write ``results.json``; returns its headline."""
        made, headline = self.machine_facts(), self.headline()
        frames = {
            kind: frame.replace({np.nan: None}).to_dict("records")
            for kind, frame in self.frames.items()
        }
        write_json(
            self.folder / RESULTS,
            {
                "headline": headline,
                "made": made,
                "device": self.device.type,
                "small": self.small,
                **frames,
                "recorded": datetime.now(UTC).isoformat(timespec="seconds"),
            },
        )
        return headline

    def _headline(self, kind: str, form: str) -> str:
        frame = self.measure(kind)
        ratios = frame.loc[frame["form"] == form, "ratio"]
        name = frame["comparison"].iloc[0]
        return f"{name}: {ratios.min():.0f} to {ratios.max():.0f} times as fast as {form}"
