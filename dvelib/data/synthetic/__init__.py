"""Synthetic faces with exact dense correspondence, for studies without downloads.

All identities share one *canonical* face coordinate system. A face is painted there and seen
through a closed-form map from pixels to canonical points (`geometry`). Its appearance depends on an
identity and a variant (`draws`) and is painted layer by layer (`paint`).

*Convention.* Canonical (x, y): x right, y down, the head spans about [-1, 1]. Pixels (x, y): pixel
centres at the integers 0..S-1, so a corner pixel's centre is a corner of the normalised square
(``align_corners=True``). 'Left' is the left of the image.

The exact bytes are fixed per platform and PyTorch build (exp and sin may round differently
elsewhere).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from dvelib.data.synthetic.draws import Draws
from dvelib.data.synthetic.geometry import canonical_landmarks, face_geometry, five_landmarks
from dvelib.data.synthetic.paint import paint_faces

__all__ = [
    "SyntheticFaces",
    "canonical_landmarks",
    "canonical_to_pixel",
    "five_landmarks",
    "pixel_to_canonical",
    "render_faces",
]


@dataclass(frozen=True)
class SyntheticFaces:
    """A batch of rendered faces.

    images: [N, 3, S, S] uint8. canonical: [N, S, S, 2] float32 canonical (x, y) of every pixel, NaN
    where it shows no face surface (background, neck, ears, or hair, hat, dark lens, hand in front).
    landmarks: [N, 68, 2] float32 pixels (x, y), iBUG order. identity: [N] int64.
    """

    images: Tensor
    canonical: Tensor
    landmarks: Tensor
    identity: Tensor


def _draws(identities: Tensor, variants: Tensor, seed: int) -> tuple[Draws, Draws]:
    return Draws.keyed(seed, identities), Draws.keyed(seed, identities, variants)


def _checked(identities: Tensor, variants: Tensor, size: int) -> tuple[Tensor, Tensor]:
    for name, ids in (("identities", identities), ("variants", variants)):
        if ids.ndim != 1 or ids.is_floating_point() or ids.dtype == torch.bool:
            raise ValueError(f"{name} must be a one-dimensional integer tensor")
        if len(ids) and int(ids.min()) < 0:
            raise ValueError(f"{name} must not be negative, got {int(ids.min())}")
    if identities.shape != variants.shape:
        raise ValueError(f"{len(identities)} identities do not pair with {len(variants)} variants")
    if size < 16:
        raise ValueError(f"size must be at least 16 pixels, got {size}")
    return identities.long().cpu(), variants.long().cpu()


def pixel_to_canonical(
    points: Tensor, identities: Tensor, variants: Tensor, *, size: int, seed: int = 0
) -> Tensor:
    """Exact canonical points behind pixels [N, K, 2] of N faces -> [N, K, 2], on or off the face.

    Raises ValueError under the conditions of `render_faces`.
    """
    identities, variants = _checked(identities, variants, size)
    return face_geometry(*_draws(identities, variants, seed), size).to_canonical(points)


def canonical_to_pixel(
    points: Tensor, identities: Tensor, variants: Tensor, *, size: int, seed: int = 0
) -> Tensor:
    """Pixels [N, K, 2] float32 at which canonical points [N, K, 2] of N faces appear.

    Raises ValueError under the conditions of `render_faces`.
    """
    identities, variants = _checked(identities, variants, size)
    return face_geometry(*_draws(identities, variants, seed), size).to_pixels(points).float()


def _pixel_grid(size: int, margin: int) -> Tensor:
    line = torch.arange(-margin, size + margin, dtype=torch.float32)
    return torch.stack(torch.meshgrid(line, line, indexing="xy"), -1).view(1, -1, 2)


def _render_chunk(
    identities: Tensor, variants: Tensor, size: int, seed: int, supersample: int
) -> tuple[Tensor, Tensor]:
    person, moment = _draws(identities, variants, seed)
    geometry = face_geometry(person, moment, size)
    # One pixel of margin lets the subsamples of border pixels interpolate instead of clamp.
    wide = geometry.to_canonical(_pixel_grid(size, 1)).view(-1, size + 2, size + 2, 2)
    canonical = wide[:, 1:-1, 1:-1].clone()
    # The map is nearly linear within a pixel, so subsamples are interpolated. The ground truth is
    # evaluated exactly at pixel centres.
    fine = F.interpolate(wide.permute(0, 3, 1, 2), scale_factor=float(supersample), mode="bilinear")
    crop = slice(supersample, -supersample)
    images, surface = paint_faces(fine[:, :, crop, crop], person, moment, supersample=supersample)
    canonical[surface < 0.5] = float("nan")
    return images, canonical


@torch.no_grad()
def render_faces(
    identities: Tensor,
    variants: Tensor,
    *,
    size: int,
    seed: int = 0,
    supersample: int = 2,
    chunk: int = 64,
) -> SyntheticFaces:
    """Draw variant v of identity i for every pair in identities [N], variants [N] (integers >= 0).

    size: image side in pixels (>= 16). supersample: subsamples per pixel side. chunk: faces painted
    at once, which bounds memory. A pair gives the same picture for the same (seed, size) in any
    batch. See the module's *Convention* for coordinates.

    Raises ValueError when size < 16, supersample or chunk < 1, the ids differ in shape, are not
    one-dimensional integers, or are negative.
    """
    identities, variants = _checked(identities, variants, size)
    if supersample < 1 or chunk < 1:
        raise ValueError(f"supersample ({supersample}) and chunk ({chunk}) must be at least 1")
    count = len(identities)
    images = torch.empty(count, 3, size, size, dtype=torch.uint8)
    canonical = torch.empty(count, size, size, 2)
    for start in range(0, count, chunk):
        part = slice(start, start + chunk)
        images[part], canonical[part] = _render_chunk(
            identities[part], variants[part], size, seed, supersample
        )
    template = canonical_landmarks().expand(count, -1, -1)
    landmarks = canonical_to_pixel(template, identities, variants, size=size, seed=seed)
    return SyntheticFaces(images, canonical, landmarks, identities)
