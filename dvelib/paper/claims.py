"""The paper's claims, one sentence each, and the effects that test them.

An effect is the error of one row of a table less that of another; every table records its effects
in the same form (`dvelib.tables.results.Effect`). `dvelib.pages.verdicts` judges the claims.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["CLAIMS", "Claim"]


@dataclass(frozen=True)
class Claim:
    """A sentence, and the effects that test it.

    ``kind``: of the tables that record these effects; ``compares`` and ``measure``: which effects,
    where ``among`` holds for the second row; ``expected``: a rule of
    `dvelib.pages.verdicts.RULES`.
    """

    topic: str
    sentence: str
    kind: str
    compares: str
    measure: str
    expected: str
    among: Callable[[Any], bool] = lambda row: True


ACROSS, WITHIN = "different-identity", "same-identity"
MATCHING, FINETUNED_MATCHING = "ablation_exchange_matching", "finetuned_matching"
LANDMARKS, EXCHANGE = "landmark_regression", "ablation_exchange_regression"
FINETUNING, FEW = "ablation_finetuning", "limited_annotations"
HANDFUL = 5  # annotated images

CLAIMS = (
    Claim(
        "Matching",
        "At 3 dimensions, training without exchange already matches points across identities "
        "clearly better than answering the same place.",
        MATCHING,
        "baseline",
        ACROSS,
        "clearly smaller",
        lambda row: row.dimension == 3 and not row.exchange,
    ),
    Claim(
        "Matching",
        "At 3 dimensions, exchange changes the matching error across identities little.",
        MATCHING,
        "exchange",
        ACROSS,
        "little different",
        lambda row: row.dimension == 3,
    ),
    Claim(
        "Matching",
        "Without exchange, 16 and more dimensions match worse across identities than 3.",
        MATCHING,
        "dimension",
        ACROSS,
        "larger",
        lambda row: not row.exchange,
    ),
    Claim(
        "Matching",
        "From 16 dimensions on, exchange lowers the matching error across identities.",
        MATCHING,
        "exchange",
        ACROSS,
        "smaller",
        lambda row: row.dimension >= 16,
    ),
    Claim(
        "Matching",
        "Exchange does not raise the matching error within an identity.",
        MATCHING,
        "exchange",
        WITHIN,
        "not larger",
    ),
    Claim(
        "Matching",
        "With exchange, 16 and more dimensions match better across identities than 3.",
        "learned_embeddings",
        "dimension",
        ACROSS,
        "smaller",
    ),
    Claim(
        "Matching",
        "A larger network, the hourglass, matches better across identities.",
        "learned_embeddings",
        "architecture",
        ACROSS,
        "smaller",
    ),
    Claim(
        "Landmarks",
        "A regressor on descriptors learned without labels finds landmarks better than the mean "
        "training shape does.",
        LANDMARKS,
        "baseline",
        "iod",
        "smaller",
    ),
    Claim(
        "Landmarks",
        "From 16 dimensions on, exchange lowers landmark errors.",
        EXCHANGE,
        "exchange",
        "iod",
        "smaller",
        lambda row: row.dimension >= 16,
    ),
    Claim(
        "Landmarks",
        "At 3 dimensions, exchange changes landmark errors little.",
        EXCHANGE,
        "exchange",
        "iod",
        "little different",
        lambda row: row.dimension == 3,
    ),
    Claim(
        "Landmarks",
        "With exchange, 16 and more dimensions find landmarks better than 3.",
        LANDMARKS,
        "dimension",
        "iod",
        "smaller",
    ),
    Claim(
        "Landmarks",
        "A larger network, the hourglass, finds landmarks better.",
        LANDMARKS,
        "architecture",
        "iod",
        "smaller",
    ),
    Claim(
        "Fine-tuning",
        "Fine-tuning without labels on the benchmark's own images lowers the "
        "landmark errors of a SmallNet of 16 or more dimensions.",
        FINETUNING,
        "finetuned",
        "iod",
        "smaller",
        lambda row: row.dimension >= 16 and row.architecture == "smallnet",
    ),
    Claim(
        "Fine-tuning",
        "Fine-tuning raises the matching error within an identity, by raw products of descriptors "
        "as in the paper.",
        FINETUNED_MATCHING,
        "finetuned",
        WITHIN,
        "larger",
    ),
    Claim(
        "Fine-tuning",
        "By cosine, the form of descriptors that fine-tuning compares, fine-tuning does not raise "
        "the matching error within an identity. (A question of this study; the paper makes no "
        "such claim.)",
        FINETUNED_MATCHING,
        "finetuned",
        f"{WITHIN}, published, by cosine",
        "not larger",
    ),
    Claim(
        "Few annotated images",
        f"{HANDFUL} or more annotated images suffice to find landmarks better than the mean shape "
        "of all training faces does.",
        FEW,
        "baseline",
        "mean_iod",
        "smaller",
        lambda row: row.exchange and row.annotations >= HANDFUL,
    ),
    Claim(
        "Few annotated images",
        "From the same number of annotated images, 64 dimensions learned with exchange find "
        "landmarks better than 3 learned without.",
        FEW,
        "embedding",
        "mean_iod",
        "smaller",
    ),
    Claim(
        "Few annotated images",
        "More annotated images find landmarks better than one.",
        FEW,
        "annotations",
        "mean_iod",
        "smaller",
    ),
)
