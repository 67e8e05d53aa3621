"""The paper's claims, one sentence each, and the effects that test them.

An effect is the error of one row of a table less that of another; tables record them all in one
form (`dvelib.tables.effects`). What results say of a claim is in `dvelib.pages.verdicts`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["CLAIMS", "Claim"]


@dataclass(frozen=True)
class Claim:
    """A sentence, and the effects that test it.

    ``tables``: what their names begin with; ``compares`` and ``measure``: which of their effects,
    if ``among`` holds for the row that is compared (the second); ``expected``: one of
    `dvelib.pages.verdicts.RULES`.
    """

    topic: str
    sentence: str
    tables: str
    compares: str
    measure: str
    expected: str
    among: Callable[[dict], bool] = lambda row: True


ACROSS, WITHIN = "different-identity", "same-identity"
MATCHING, FINETUNED_MATCHING = "ablation_exchange_matching", "finetuned_matching_"
LANDMARKS, EXCHANGE = "landmark_regression_", "ablation_exchange_regression_"
FINETUNING, FEW = "ablation_finetuning_", "limited_annotations"
HANDFUL = 5

CLAIMS = (
    Claim(
        "Matching",
        "At 3 dimensions equivariance alone already matches points across identities, "
        "clearly better than answering the same place.",
        MATCHING,
        "baseline",
        ACROSS,
        "clearly smaller",
        lambda row: row["dimension"] == 3 and not row["exchange"],
    ),
    Claim(
        "Matching",
        "At 3 dimensions exchange changes matching across identities little.",
        MATCHING,
        "exchange",
        ACROSS,
        "little different",
        lambda row: row["dimension"] == 3,
    ),
    Claim(
        "Matching",
        "From 16 dimensions on, equivariance alone matches worse across identities "
        "than it does at 3.",
        MATCHING,
        "dimension",
        ACROSS,
        "larger",
        lambda row: not row["exchange"],
    ),
    Claim(
        "Matching",
        "Exchange repairs that: from 16 dimensions on it lowers the matching error "
        "across identities.",
        MATCHING,
        "exchange",
        ACROSS,
        "smaller",
        lambda row: row["dimension"] >= 16,
    ),
    Claim(
        "Matching",
        "Exchange costs nothing within an identity.",
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
        "Descriptors learned without labels carry landmarks: a regressor on top finds "
        "them better than the mean training shape does.",
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
        lambda row: row["dimension"] >= 16,
    ),
    Claim(
        "Landmarks",
        "At 3 dimensions exchange changes landmark errors little.",
        EXCHANGE,
        "exchange",
        "iod",
        "little different",
        lambda row: row["dimension"] == 3,
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
        lambda row: row["dimension"] >= 16 and row["architecture"] == "smallnet",
    ),
    Claim(
        "Fine-tuning",
        "Fine-tuning raises the matching error within an identity, as printed: by "
        "raw products of descriptors.",
        FINETUNED_MATCHING,
        "finetuned",
        WITHIN,
        "larger",
    ),
    Claim(
        "Fine-tuning",
        "That rise is the raw products': by cosine, the form that fine-tuning "
        "trains, the error within an identity does not rise. (Not the paper's claim but our "
        "question to it.)",
        FINETUNED_MATCHING,
        "finetuned",
        f"{WITHIN}, published, by cosine",
        "not larger",
    ),
    Claim(
        "Few annotated images",
        f"A handful of annotated images, {HANDFUL} or more, suffices to "
        "find landmarks better than the mean shape of all training faces does.",
        FEW,
        "baseline",
        "mean_iod",
        "smaller",
        lambda row: row["exchange"] and row["annotations"] >= HANDFUL,
    ),
    Claim(
        "Few annotated images",
        "As few annotated images go further on 64 dimensions learned with "
        "exchange than on 3 learned without.",
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
