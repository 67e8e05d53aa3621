"""The training step from its first weights on, by any loss, and the operations that it takes."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from dvelib.checkpoints.specifications import EmbeddingSpec
from dvelib.networks import build_network
from dvelib.training.embedding_step import EmbeddingStep, Loss
from dvelib.training.embeddings import initial_network

__all__ = ["first_step", "loss_operations", "step_operations"]


def first_step(
    spec: EmbeddingSpec, device: torch.device, loss: Loss | None = None
) -> EmbeddingStep:
    """The step that training takes, its network in train mode and drawn by ``spec.seed`` alone.

    ``loss``: in place of the specification's.
    """
    return EmbeddingStep(initial_network(spec).train(), spec, device, loss)


def step_operations(spec: EmbeddingSpec) -> float:
    """Multiplications and additions of the network on all views, three times, and of the loss."""
    kept = spec.size - 2 * spec.crop
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        views = torch.empty(2 * spec.batch, 3, kept, kept)
        maps = build_network(spec.architecture, spec.dimension)(views)
    loss = loss_operations(spec.batch, maps.shape[-1], spec.dimension)
    return 3 * counter.get_total_flops() + loss


def loss_operations(batch: int, side: int, dimension: int) -> float:
    """Of the nine products of the exchange loss and its gradients, on maps of that side."""
    return 9 * 2 * batch * side**4 * dimension
