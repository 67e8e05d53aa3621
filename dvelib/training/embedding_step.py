"""One step of training an embedding: two views of each image, network, loss, gradients, Adam."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from dvelib.augment import PhotometricNoise, add_noise, normalise
from dvelib.checkpoints.specifications import EmbeddingSpec
from dvelib.common.devices import autocast_type
from dvelib.losses import equivariance_loss, exchange_loss
from dvelib.training import distributed
from dvelib.warps import TRAINING_WARP, WarpedPair, draw_weights, warp_pair

__all__ = ["EmbeddingStep", "Loss", "build_optimizer", "training_pair"]

NOISE = {
    "published": PhotometricNoise(),
    "colour": PhotometricNoise(jpeg_quality=None),
    "none": None,
}
# Maps of the first and of the second views [B,D,H,W], warp [B,s,s,2]: a scalar.
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


class EmbeddingStep:
    """A network that is trained as its specification says; every call is one step.

    ``network`` is moved to the device. ``loss``: another one than the specification's, for
    experiments. Under torchrun the gradients are averaged over the processes, and the loss of each
    is weighted by its share of the batch.
    """

    def __init__(
        self,
        network: nn.Module,
        spec: EmbeddingSpec,
        device: torch.device,
        loss: Loss | None = None,
    ):
        self.spec, self.device = spec, device
        self.network = network.to(device, memory_format=torch.channels_last)
        self.optimizer = build_optimizer(self.network, spec)
        self._loss = loss
        self.autocast = autocast_type(spec.precision, device)
        self._model = distributed.wrap(self.network, device)

    def __call__(
        self,
        images: Tensor,
        generator: torch.Generator,
        host: torch.Generator | None = None,
        *,
        step: int = 0,
    ) -> Tensor:
        """Learn from images ``[B,3,S,S]`` uint8 (generators as in `training_pair`).

        ``step``: counted from zero; it chooses the loss (see `specified_loss`) and the crop.
        Returns the loss, a scalar on the device.
        """
        first, second, pair = training_pair(images, self.spec, generator, host, step=step)
        return self.learn(torch.cat([first, second]), pair.grid, step)

    def learn(self, views: Tensor, grid: Tensor, step: int = 0) -> Tensor:
        """Learn from both views of each image ``[2B,3,s,s]``, the first views first, and a warp.

        ``grid [B,s,s,2]`` as in `dvelib.losses`. Returns the loss, a scalar on the device.
        """
        views = views.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, self.autocast, enabled=self.autocast is not None):
            maps = self._model(views)
        loss = (self._loss or specified_loss(self.spec, step))(*maps.chunk(2), grid)
        loss = distributed.weighted(loss, len(grid), self.spec.batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss.detach()


def specified_loss(spec: EmbeddingSpec, step: int = 0) -> Loss:
    """The loss that a specification asks for at a step, counted from zero."""
    options = {"distance_power": spec.distance_power, "scale": spec.scale}
    if spec.exchange and step >= spec.plain_steps:
        return partial(exchange_loss, auxiliaries=spec.auxiliaries, **options)
    return partial(equivariance_loss, **options)


def training_pair(
    images: Tensor,
    spec: EmbeddingSpec,
    generator: torch.Generator,
    host: torch.Generator | None = None,
    *,
    step: int = 0,
) -> tuple[Tensor, Tensor, WarpedPair]:
    """uint8 images ``[B,3,S,S]`` to two views ``[B,3,s,s]``, noisy and normalised, and the warp.

    ``generator`` is on the device of the images, ``host`` (see `dvelib.augment.add_noise`) on the
    CPU. ``step``: counted from zero; early ones may have a larger crop (``spec.early_crop``).
    """
    crop = spec.early_crop if step < spec.early_steps else spec.crop
    weights = draw_weights(len(images), TRAINING_WARP, generator)
    pair = warp_pair(images.float(), *weights, crop)
    views = torch.cat([pair.first, pair.second])
    if noise := NOISE[spec.noise]:
        views = add_noise(views, noise, generator, host)
    first, second = normalise(views).chunk(2)
    return first, second, pair


def build_optimizer(network: nn.Module, spec: EmbeddingSpec) -> torch.optim.Adam:
    """Adam with the specification's rates; ``bias_lr`` for the biases of convolutions alone."""
    biases = [
        module.bias
        for module in network.modules()
        if isinstance(module, nn.Conv2d) and module.bias is not None and spec.bias_lr is not None
    ]
    chosen = {id(bias) for bias in biases}
    rest = [p for p in network.parameters() if id(p) not in chosen]
    groups = [{"params": rest, "lr": spec.learning_rate}]
    if biases:
        groups.append({"params": biases, "lr": spec.bias_lr})
    return torch.optim.Adam(
        groups, weight_decay=spec.weight_decay, amsgrad=spec.amsgrad, fused=True
    )
