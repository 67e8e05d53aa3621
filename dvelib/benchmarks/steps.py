"""One training step from its parts: what is timed, and what trains by a loss of choice."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from dvelib.checkpoints.specifications import EmbeddingSpec
from dvelib.networks import build_network
from dvelib.training.embeddings import build_optimizer

__all__ = ["Step", "loss_operations", "step_operations"]

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


class Step:
    """Network, loss, gradients and optimizer; the pairs come from the caller.

    The first weights depend on ``spec.seed`` alone. ``spec.precision`` is that of the network:
    bfloat16 under autocast, as in training.
    """

    def __init__(self, spec: EmbeddingSpec, loss: Loss, device: torch.device):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(spec.seed)
            network = build_network(spec.architecture, spec.dimension)
        self.network = network.to(device, memory_format=torch.channels_last).train()
        self.optimizer = build_optimizer(self.network, spec)
        self.loss, self.device, self.low = loss, device, spec.precision == "bfloat16"

    def __call__(self, views: Tensor, grid: Tensor) -> None:
        """Learn from both views of each image ``[2B,3,s,s]``, the first ones first, and a warp."""
        views = views.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.low):
            features = self.network(views)
        self.optimizer.zero_grad(set_to_none=True)
        self.loss(*features.chunk(2), grid).backward()
        self.optimizer.step()


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
