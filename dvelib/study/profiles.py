"""What the rows of a table, a table and a profile are: typed, strict, and readable from YAML."""

from __future__ import annotations

from copy import copy
from typing import Annotated, Literal

from pydantic import BaseModel, Field, create_model, model_validator

from dvelib.checkpoints.specifications import (
    BENCHMARKS,
    Architecture,
    BenchmarkData,
    DataSpec,
    EmbeddingSpec,
    Positive,
    RegressorSpec,
    Rising,
    Seeds,
    Strict,
    network_label,
)
from dvelib.common.errors import StudyError
from dvelib.common.parameters import validate

__all__ = ["ProfileSpec", "RowSpec", "TableSpec"]


class RowSpec(Strict):
    """One row of a table: which embedding, and its experiment among the published ones, if any.

    ``finetuned``: the embedding went on learning, without labels, on the table's own benchmark.
    ``annotations``: how many pictures of the benchmark its landmarks were learned from, if few.
    ``pairs``: how many training pairs it has seen, None for as many as the profile says.
    ``recipe``: one of the table's recipes, None for the profile's.
    """

    architecture: Architecture
    dimension: Positive
    exchange: bool
    finetuned: bool = False
    annotations: Positive | None = None
    pairs: Positive | None = None
    recipe: str | None = None
    published: str | None = None

    @property
    def label(self) -> str:
        """Name of the row: SmallNet 64-d with exchange, fine-tuned, 5 images annotated."""
        return self.embedding_label + self._annotated

    @property
    def embedding_label(self) -> str:
        """Name of the row's embedding: SmallNet 64-d with exchange, fine-tuned."""
        return network_label(self.architecture, self.dimension, self.exchange) + self._trained

    @property
    def label_without_pairs(self) -> str:
        """The label of the row's learning curve: SmallNet 64-d with exchange."""
        return self.model_copy(update={"pairs": None}).label

    @property
    def label_without_exchange(self) -> str:
        """The label without the exchange: SmallNet 64-d, fine-tuned, 5 images annotated."""
        network = network_label(self.architecture, self.dimension, None)
        return network + self._trained + self._annotated

    @property
    def _trained(self) -> str:
        finetuned = ", fine-tuned" if self.finetuned else ""
        recipe = f", {self.recipe}" if self.recipe else ""
        return finetuned + recipe + (f", {self.pairs:,} pairs" if self.pairs else "")

    @property
    def _annotated(self) -> str:
        return f", {_images(self.annotations)} annotated" if self.annotations else ""


def _images(count: int) -> str:
    return f"{count} image{'' if count == 1 else 's'}"


def _partial(model: type[BaseModel], without: set[str]) -> type[BaseModel]:
    """The model with every field optional, so that each value is checked where it stands."""
    fields = {}
    for name, known in model.model_fields.items():
        if name not in without:
            fields[name] = (known.annotation, field := copy(known))
            field.default = None
    return create_model("Partial" + model.__name__, __base__=Strict, **fields)


# What the rows of the tables and the seeds of the profile decide is no setting.
Settings = _partial(EmbeddingSpec, without={"architecture", "dimension", "exchange", "seed"})
FinetuningSettings = _partial(
    EmbeddingSpec, without={"architecture", "dimension", "exchange", "seed", "data", "parent"}
)
RegressorSettings = _partial(
    RegressorSpec, without={"embedding", "benchmark", "data", "annotations", "seed"}
)


# What two rows of a table may differ by.
Compared = Literal[
    "exchange", "finetuned", "products", "dimension", "architecture", "annotations", "embedding"
]


class TableSpec(Strict):
    """One table, of the paper or of this study: ``params/<table>.yaml``.

    ``notebook``: that makes it. ``kind``: tables of one kind test the same claims of the paper,
    which name it (`dvelib.paper.claims`). ``claim``: the paper's, or the question of a table of
    this study. ``compares``: which effects between rows (`dvelib.tables.effects`) the page shows;
    the first of them is its finding.
    ``benchmark``: whose faces it is about, none for the faces that the profile matches on.
    ``measures``: matching errors, errors of landmarks regressed on the embeddings, or both of them
    after growing numbers of training pairs, which the profile lists: the learning curve. Or both
    of them of other describers beside the rows' embeddings.
    ``published``: the paper's table, None for one of this study. ``recipes``: by name, values of
    `EmbeddingSpec` that rows of that recipe have in place of the profile's.
    """

    notebook: str
    kind: str
    title: str
    published: str | None = None
    claim: str
    compares: Annotated[tuple[Compared, ...], Field(strict=False)] = ()
    measures: Literal["matching", "landmarks", "learning curve", "describers"]
    benchmark: Literal[BENCHMARKS] | None = None
    recipes: dict[str, Settings] = {}
    rows: Annotated[tuple[RowSpec, ...], Field(strict=False, min_length=1)]

    @model_validator(mode="after")
    def _check(self) -> TableSpec:
        needed = self.has_regressors or any(row.finetuned for row in self.rows)
        if needed and self.benchmark is None:
            raise ValueError("benchmark: a table of landmarks or of fine-tuned embeddings needs it")
        for row in self.rows:
            if row.recipe not in (None, *self.recipes):
                raise ValueError(
                    f"rows: recipe: {row.recipe!r} is none of the table's recipes: "
                    f"{', '.join(self.recipes) or 'it has none'}"
                )
        return self

    @property
    def has_regressors(self) -> bool:
        """Whether landmarks are regressed on its embeddings."""
        return self.measures in ("landmarks", "learning curve")


class MatchingSpec(Strict):
    """What matching is measured on; size and crop are the embedding's own."""

    data: DataSpec


class BenchmarkSpec(Strict):
    """What a profile puts in the place of a benchmark, and how regressors differ there.

    ``stand_in`` says, by split, what the images are where they are not the published ones.
    """

    data: BenchmarkData
    stand_in: dict[Literal["train", "test"], str] = {}
    settings: RegressorSettings = RegressorSettings()


class LearningCurveSpec(Strict):
    """After how many training pairs the learning curve is measured, and its regressors' values."""

    pairs: Annotated[Rising, Field(min_length=2)]
    regressor: RegressorSettings = RegressorSettings()


class DescribersSpec(Strict):
    """Which describers stand beside DVE, and what their landmarks are learned and tested on.

    ``which``: the quick ones that need nothing but the project itself, or all that are installed.
    ``benchmarks``: whose landmarks; ``annotations``: of the last of them, also learned from so many
    annotated images. ``images``: at most so many faces are matched, since some describers are slow.
    ``regressor``: values in place of the profile's.
    """

    which: Literal["core", "installed"] = "core"
    images: Positive | None = None
    benchmarks: Annotated[tuple[Literal[BENCHMARKS], ...], Field(strict=False, min_length=1)]
    annotations: Positive | None = None
    regressor: RegressorSettings = RegressorSettings()


class ProfileSpec(Strict):
    """What one run of the study shares: ``params/profiles/<profile>.yaml``.

    ``embedding`` holds values of `EmbeddingSpec` for all embeddings; ``hourglass`` values that
    differ for hourglasses, ``finetuning`` for embeddings that go on learning on a benchmark.
    ``regressor`` holds values of `RegressorSpec` for all benchmarks; ``few_annotations`` those
    that differ where a regressor learns from few pictures, picked anew for each of
    ``annotation_seeds``. ``architectures``, ``dimensions``, ``finetuned_dimensions`` (the same if
    not given) and ``annotation_counts`` choose which rows of the tables run; ``learning_curve``
    after how many training pairs the learning curve measures them; ``describers`` what stands
    beside DVE. ``recipe_length``: which share of the steps that a table's recipes state they train
    here; only tests shorten them. ``threads``: CPU threads of one training; trainings fill the
    machine side by side.
    """

    title: str
    description: str
    tables: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    architectures: Annotated[tuple[Architecture, ...], Field(strict=False, min_length=1)]
    dimensions: Annotated[tuple[Positive, ...], Field(strict=False, min_length=1)]
    finetuned_dimensions: Annotated[tuple[Positive, ...], Field(strict=False)] | None = None
    annotation_counts: Annotated[tuple[Positive, ...], Field(strict=False)] = ()
    annotation_seeds: Seeds = (0, 1, 2)
    seeds: Seeds = (0,)
    embedding: Settings
    hourglass: Settings = Settings()
    finetuning: FinetuningSettings = FinetuningSettings()
    matching: MatchingSpec
    regressor: RegressorSettings = RegressorSettings()
    few_annotations: RegressorSettings = RegressorSettings()
    learning_curve: LearningCurveSpec | None = None
    describers: DescribersSpec | None = None
    recipe_length: Annotated[float, Field(gt=0, le=1)] = 1.0
    benchmarks: dict[Literal[BENCHMARKS], BenchmarkSpec] = {}
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Positive = 1

    def runs(self, row: RowSpec) -> bool:
        """Whether this profile runs a row."""
        dimensions = self.dimensions
        if row.finetuned and self.finetuned_dimensions is not None:
            dimensions = self.finetuned_dimensions
        return (
            row.architecture in self.architectures
            and row.dimension in dimensions
            and row.annotations in (None, *self.annotation_counts)
        )

    def rows(self, table: TableSpec) -> tuple[RowSpec, ...]:
        """The rows of a table; of a learning curve, each after every number of pairs."""
        if table.measures != "learning curve" or self.learning_curve is None:
            return table.rows
        lengths = self.learning_curve.pairs
        return tuple(
            row.model_copy(update={"pairs": pairs}) for row in table.rows for pairs in lengths
        )

    def embedding_spec(
        self, row: RowSpec, seed: int, where: str, recipe: Settings | None = None
    ) -> EmbeddingSpec:
        """The specification of a row's embedding, before any fine-tuning.

        ``recipe``: values in place of the profile's.
        Raises StudyError naming the place and the key where the profile's values are wrong.
        """
        layers = [self.embedding] if recipe is None else [self.embedding, self._shortened(recipe)]
        values = self._embedding_values(row, *layers)
        if row.pairs:
            steps, rest = divmod(row.pairs, values.get("batch", 1))
            if rest:
                raise StudyError(
                    f"{where}: learning_curve: pairs: {row.pairs} is no multiple of the batch, "
                    f"{values['batch']}"
                )
            values = {**values, "epochs": None, "steps": steps}
        return validate(EmbeddingSpec, values | {"seed": seed}, f"{where}: embedding")

    def _shortened(self, recipe: Settings) -> Settings:
        """A recipe with its numbers of steps times `recipe_length`, each at least one."""
        steps = recipe.model_dump(
            include={"steps", "plain_steps", "early_steps"}, exclude_unset=True
        )
        short = {name: max(1, round(n * self.recipe_length)) for name, n in steps.items() if n}
        return recipe.model_copy(update=short)

    def finetuned_spec(
        self, row: RowSpec, benchmark: str, parent: EmbeddingSpec, where: str
    ) -> EmbeddingSpec:
        """The specification of an embedding that goes on learning on a benchmark's images."""
        values = self._embedding_values(row, self.embedding, self.finetuning)
        data = self.benchmarks[benchmark].data.of("train")
        values |= {"data": data.model_dump(), "parent": parent.model_dump(), "seed": parent.seed}
        return validate(EmbeddingSpec, values, f"{where}: finetuning")

    def _embedding_values(self, row: RowSpec, base: BaseModel, *more: BaseModel) -> dict:
        layers = [base, *([self.hourglass] if row.architecture == "hourglass" else []), *more]
        values: dict = {}
        for layer in layers:
            given = layer.model_dump(exclude_unset=True)
            # A length in steps takes the place of one in epochs, and the other way round.
            if given.keys() & {"steps", "epochs"}:
                values = {k: v for k, v in values.items() if k not in ("steps", "epochs")}
            values |= given
        return values | row.model_dump(include={"architecture", "dimension", "exchange"})

    def regressor_spec(
        self,
        benchmark: str,
        row: RowSpec,
        embedding: str,
        seed: int,
        where: str,
        more: dict | None = None,
    ) -> RegressorSpec:
        """The specification of a row's regressor on an embedding under this profile.

        ``more``: values in place of all others.
        """
        chosen = self.benchmarks[benchmark]
        values = self.regressor.model_dump(exclude_unset=True)
        values |= chosen.settings.model_dump(exclude_unset=True)
        if row.annotations is not None:
            values |= self.few_annotations.model_dump(exclude_unset=True)
        if row.pairs is not None:
            values |= self.learning_curve.regressor.model_dump(exclude_unset=True)
        values |= more or {}
        values |= {
            "embedding": embedding,
            "benchmark": benchmark,
            "annotations": row.annotations,
            "seed": seed,
            "data": chosen.data.model_dump(),
        }
        return validate(RegressorSpec, values, f"{where}: benchmarks: {benchmark}")
