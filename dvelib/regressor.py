"""From frozen descriptors to landmarks through virtual keypoints (paper, section 4.2).

Each landmark owns 50 filters on the descriptors. The spatial softmax of each response gives one
virtual keypoint, its expected position; a linear map from those 50 points gives the landmark.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["LandmarkRegressor", "landmark_loss", "normalise_points", "denormalise_points"]


class LandmarkRegressor(nn.Module):
    """Virtual-keypoint regressor; landmarks share nothing with each other.

    Shapes: ``[B,D,H,W] -> (landmarks [B,A,2], virtual [B,A,V,2])``.
    Convention: (x, y) in [-1,1], ``align_corners=True``. ``softmax_scale`` multiplies the
    responses before the softmax (100 as published). State keys ``inner_conv.weight``
    ``[A*V,D,1,1]`` and ``reg_conv.weight`` ``[2A,2V,1,1]``; no biases.
    """

    def __init__(
        self,
        embedding_dim: int,
        landmarks: int,
        virtual_points: int = 50,
        softmax_scale: float = 100.0,
    ):
        super().__init__()
        self.landmarks, self.virtual_points = landmarks, virtual_points
        self.softmax_scale = softmax_scale
        self.inner_conv = nn.Conv2d(embedding_dim, landmarks * virtual_points, 1, bias=False)
        self.reg_conv = nn.Conv2d(
            landmarks * 2 * virtual_points, 2 * landmarks, 1, groups=landmarks, bias=False
        )
        nn.init.normal_(self.inner_conv.weight)
        bound = (2 * virtual_points) ** -0.5
        nn.init.uniform_(self.reg_conv.weight, -bound, bound)

    def forward(self, descriptors: Tensor) -> tuple[Tensor, Tensor]:
        batch, _, height, width = descriptors.shape
        responses = self.inner_conv(descriptors).flatten(2)  # [B,A*V,HW]
        attention = (self.softmax_scale * responses).softmax(2)
        expected = attention @ _positions(height, width, descriptors)  # [B,A*V,2]
        points = self.reg_conv(expected.flatten(1)[..., None, None])
        return (
            points.view(batch, self.landmarks, 2),
            expected.view(batch, self.landmarks, self.virtual_points, 2),
        )


def _positions(height: int, width: int, like: Tensor) -> Tensor:
    options = {"device": like.device, "dtype": like.dtype}
    y, x = torch.meshgrid(
        torch.linspace(-1, 1, height, **options),
        torch.linspace(-1, 1, width, **options),
        indexing="ij",
    )
    return torch.stack([x, y], 2).view(-1, 2)


def landmark_loss(predicted: Tensor, truth: Tensor, alpha: float = 10.0) -> Tensor:
    """Smooth L1 of ``alpha`` times the coordinates, both ``[B,A,2]`` in [-1,1]; a scalar."""
    return F.smooth_l1_loss(alpha * predicted, alpha * truth)


def normalise_points(points: Tensor, size: int) -> Tensor:
    """Pixels of an image of side ``size`` as [-1,1] with ``align_corners=True``."""
    return points * (2 / (size - 1)) - 1


def denormalise_points(points: Tensor, size: int) -> Tensor:
    """The inverse of `normalise_points`."""
    return (points + 1) * ((size - 1) / 2)
