"""The canvas: the picture being painted, and operations that paint on it.

*Convention.* Canonical (x, y): x right, y down, midline at x = 0. Pixels of a face are flattened to
P; masks are [N, P] in [0, 1], colours [N, 3, 1] or [N, 3, P] RGB in [0, 1].
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from dvelib.data.synthetic.draws import Draws
from dvelib.data.synthetic.geometry import falloff

SKIN = torch.tensor(
    [
        (1.00, 0.88, 0.80),
        (0.97, 0.80, 0.68),
        (0.92, 0.72, 0.57),
        (0.84, 0.62, 0.45),
        (0.72, 0.50, 0.34),
        (0.57, 0.38, 0.25),
        (0.42, 0.27, 0.18),
        (0.28, 0.18, 0.13),
    ]
)
HAIR = torch.tensor(
    [
        (0.06, 0.05, 0.05),
        (0.10, 0.07, 0.06),
        (0.24, 0.14, 0.08),
        (0.38, 0.23, 0.12),
        (0.52, 0.22, 0.10),
        (0.78, 0.60, 0.30),
        (0.93, 0.83, 0.58),
        (0.55, 0.55, 0.56),
        (0.88, 0.88, 0.90),
        (0.85, 0.25, 0.45),
        (0.20, 0.35, 0.75),
        (0.30, 0.62, 0.40),
    ]
)
IRIS = torch.tensor(
    [
        (0.20, 0.11, 0.06),
        (0.36, 0.21, 0.10),
        (0.30, 0.45, 0.25),
        (0.28, 0.48, 0.72),
        (0.48, 0.55, 0.60),
        (0.10, 0.08, 0.07),
    ]
)
LIPS = torch.tensor(
    [
        (0.80, 0.42, 0.40),
        (0.72, 0.12, 0.18),
        (0.55, 0.28, 0.24),
        (0.90, 0.55, 0.52),
        (0.40, 0.10, 0.22),
        (0.35, 0.20, 0.17),
        (0.85, 0.30, 0.55),
    ]
)
VIVID = torch.tensor(
    [
        (0.90, 0.15, 0.12),
        (0.10, 0.35, 0.85),
        (0.98, 0.85, 0.15),
        (0.12, 0.62, 0.25),
        (0.97, 0.97, 0.95),
        (0.06, 0.06, 0.08),
        (0.60, 0.20, 0.65),
        (0.98, 0.55, 0.12),
        (0.20, 0.75, 0.80),
        (0.55, 0.35, 0.20),
    ]
)
FRAMES = torch.tensor(
    [
        (0.05, 0.05, 0.06),
        (0.30, 0.16, 0.08),
        (0.75, 0.65, 0.30),
        (0.70, 0.72, 0.75),
        (0.70, 0.10, 0.15),
        (0.92, 0.92, 0.90),
        (0.15, 0.25, 0.60),
    ]
)

# Canonical half-width covered by the identity texture, and its lattice size.
_TEXTURE_REACH = 1.5
_TEXTURE_SIZE = 48


def rgb(red: float, green: float, blue: float) -> Tensor:
    return torch.tensor([[red], [green], [blue]])


class Canvas:
    """Coordinates, random draws and the picture so far, for one chunk of faces."""

    def __init__(self, canonical: Tensor, person: Draws, moment: Draws) -> None:
        count, _, side, _ = canonical.shape
        self.person, self.moment = person, moment
        self.side = side
        self.x, self.y = (plane.reshape(count, side * side) for plane in canonical.unbind(1))
        self.ax = self.x.abs()
        # Edges are ramps over about one subsample; the box filter smooths them further.
        self.edge_width = 2.2 / side * 1.3
        line = torch.linspace(-1.0, 1.0, side)
        self.screen_x, self.screen_y = line.repeat(side)[None], line.repeat_interleave(side)[None]
        self.image = torch.zeros(count, 3, side * side)
        self.texture = self._sample_texture(canonical)
        # Distance inside the head's outline, the share of each subsample that shows the face, and
        # the share that shows any of the person (which the light falls on).
        self.head = self.ellipse(0, -0.1, 0.70, 0.92 + 0.11 * (self.y > -0.1))
        self.surface = self.edge(self.head)
        self.figure = self.surface.clone()

    def _sample_texture(self, canonical: Tensor) -> Tensor:
        roughness = self.person.uniform("roughness", 0.3, 1.0)
        octaves = {4: 0.6 / roughness.sqrt(), 8: 0.7, 16: 0.8 * roughness, 40: 0.7 * roughness}
        lattice = self.person.fractal("texture", 5, octaves, _TEXTURE_SIZE)
        where = canonical.permute(0, 2, 3, 1) / _TEXTURE_REACH
        sampled = F.grid_sample(lattice, where, padding_mode="reflection", align_corners=True)
        return sampled.flatten(2)

    def paint_some(self, wanted: Tensor, layer: Callable[..., None], *colours: Tensor) -> None:
        """Run a layer only on the faces selected by wanted [N, 1]; most extras are rare."""
        index = wanted[:, 0].nonzero()[:, 0]
        part = copy.copy(self)
        part.person, part.moment = self.person.rows(index), self.moment.rows(index)
        fields = ("x", "y", "ax", "image", "texture", "head", "surface", "figure")
        for field in fields:
            setattr(part, field, getattr(self, field)[index])
        layer(part, *(colour[index] for colour in colours))
        for field in ("image", "surface", "figure"):
            getattr(self, field)[index] = getattr(part, field)

    def edge(self, distance: Tensor, softness: float = 0.0) -> Tensor:
        """1 where distance > 0, ramping over a subsample or over `softness` canonical units."""
        return (distance / max(self.edge_width, softness) + 0.5).clamp_(0.0, 1.0)

    def ellipse(
        self,
        cx: float,
        cy: Tensor | float,
        rx: Tensor | float,
        ry: Tensor | float,
        mirrored: bool = False,
    ) -> Tensor:
        """Approximate distance inside an ellipse; a mirrored one appears on both sides."""
        x = self.ax if mirrored else self.x
        radius = torch.hypot((x - cx) / rx, (self.y - cy) / ry)
        return (1.0 - radius) * ((rx + ry) * 0.5)

    def glow(self, cx: float, cy: float, sx: float, sy: float) -> Tensor:
        """A soft spot on both sides of the midline (one spot when cx = 0)."""
        return falloff(((self.ax - cx) / sx) ** 2 + ((self.y - cy) / sy) ** 2)[0]

    def over(self, mask: Tensor, colour: Tensor) -> None:
        self.image.lerp_(colour, mask[:, None])

    def solid(self, mask: Tensor, colour: Tensor) -> None:
        """Paint a part of the person that may stand out from the head."""
        self.over(mask, colour)
        self.figure = torch.maximum(self.figure, mask)

    def shade(self, amount: Tensor) -> None:
        """Multiply by 1 + amount [N, P]."""
        self.image *= (1.0 + amount)[:, None]

    def cover(self, mask: Tensor, colour: Tensor) -> None:
        """Paint something that hides the face surface."""
        self.solid(mask, colour)
        self.surface = self.surface * (1.0 - mask)
