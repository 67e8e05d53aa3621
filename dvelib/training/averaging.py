"""An average of the weights of all steps, the later ones weighted more (polynomial decay).

At step t the average moves towards the weights by (eta + 1) / (t + eta), so that roughly the last
1 / (eta + 1) of all steps count, however long the training is. At a constant learning rate the
average is a result at any time. Source: Shamir and Zhang, "Stochastic gradient descent for
non-smooth optimization", 2013, section 4.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

__all__ = ["averaged_model"]


def averaged_model(network: nn.Module, eta: float) -> AveragedModel:
    """A copy of the network whose ``update_parameters`` takes in the weights after a step.

    Running statistics of batch normalisation are averaged alike; counts of batches are copied.
    """

    @torch.no_grad()
    def update(averages: list[Tensor], values: list[Tensor], count: Tensor | int) -> None:
        weight = (eta + 1) / (int(count) + 1 + eta)
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, values, weight)
        else:
            torch._foreach_copy_(averages, values)

    return AveragedModel(network, multi_avg_fn=update, use_buffers=True)
