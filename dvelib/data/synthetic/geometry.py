"""The exact map between the pixels of a synthetic face and the canonical face.

The map is a similarity followed by steps. Each step moves ONE coordinate by a sum of smooth bumps
whose slope along that coordinate stays below one, so every step is invertible. The dense ground
truth is therefore exact, and a landmark needs the solution of one scalar equation per step.

*Convention.* Canonical (x, y): x right, y down, the head spans about [-1, 1]. Pixels (x, y): pixel
centres at the integers 0..S-1 (``align_corners=True``). 'Left' is the left of the image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from dvelib.data.synthetic.draws import Draws

__all__ = ["Geometry", "canonical_landmarks", "face_geometry", "falloff", "five_landmarks"]

# Canonical units along the image side and the canonical point at the image centre: these two
# reproduce the framing of aligned CelebA crops (eyes at 42 % of the height, 30 % apart).
_SIDE_UNITS = 2.2
_CENTRE_Y = 0.08
# Largest slope any step may reach along its own coordinate; 1 would let the map fold.
_MAX_SLOPE = 0.9


def canonical_landmarks() -> Tensor:
    """The 68 template points in canonical coordinates, iBUG order -> [68, 2] float32."""
    jaw = [
        (-0.70 * math.cos(t), -0.10 + 1.03 * math.sin(t))
        for t in (math.pi * k / 16 for k in range(17))
    ]
    brow = [(-0.60, -0.30), (-0.50, -0.367), (-0.38, -0.395), (-0.26, -0.377), (-0.15, -0.329)]
    nose = [
        (0.0, -0.12),
        (0.0, 0.01),
        (0.0, 0.13),
        (0.0, 0.25),
        (-0.135, 0.33),
        (-0.07, 0.355),
        (0.0, 0.375),
        (0.07, 0.355),
        (0.135, 0.33),
    ]
    eye = [
        (-0.47, -0.09),
        (-0.385, -0.157),
        (-0.275, -0.157),
        (-0.19, -0.09),
        (-0.275, -0.043),
        (-0.385, -0.043),
    ]
    mouth = [
        (-0.27, 0.575),
        (-0.17, 0.525),
        (-0.07, 0.498),
        (0.0, 0.515),
        (0.07, 0.498),
        (0.17, 0.525),
        (0.27, 0.575),
        (0.17, 0.655),
        (0.07, 0.698),
        (0.0, 0.707),
        (-0.07, 0.698),
        (-0.17, 0.655),
        (-0.22, 0.577),
        (-0.08, 0.558),
        (0.0, 0.555),
        (0.08, 0.558),
        (0.22, 0.577),
        (0.08, 0.603),
        (0.0, 0.607),
        (-0.08, 0.603),
    ]
    right_brow = [(-x, y) for x, y in reversed(brow)]
    right_eye = [(-eye[k][0], eye[k][1]) for k in (3, 2, 1, 0, 5, 4)]
    return torch.tensor(jaw + brow + right_brow + nose + eye + right_eye + mouth)


def five_landmarks(landmarks: Tensor) -> Tensor:
    """Left eye, right eye, nose tip, left and right mouth corner: [N, 68, 2] -> [N, 5, 2]."""
    if landmarks.ndim != 3 or tuple(landmarks.shape[1:]) != (68, 2):
        raise ValueError(f"landmarks must be [N, 68, 2], got {list(landmarks.shape)}")
    eyes = [landmarks[:, k : k + 6].mean(1) for k in (36, 42)]
    return torch.stack([*eyes, landmarks[:, 30], landmarks[:, 48], landmarks[:, 54]], 1)


def falloff(square: Tensor) -> tuple[Tensor, Tensor]:
    """A compact stand-in for exp(-square / 2), and minus twice its derivative by `square`.

    (1 - square / 8)**4 up to square = 8, zero beyond: three times differentiable along a radius.
    Unlike exp it is exactly rounded arithmetic and never underflows to slow denormal numbers.
    """
    inside = (1.0 - square * 0.125).clamp_(min=0.0)
    cube = inside * inside * inside
    return cube * inside, cube


class _Bump(NamedTuple):
    """value * (push + along * t + across * s) * falloff; t lies on the moved axis, s on the other.

    A bump off the midline (cx != 0) comes with its mirror image. Mirrored bumps stand at least
    3.8 sx apart, so their slopes never add up to more than one of them reaches alone.
    """

    name: str
    cx: float
    cy: float
    sx: float
    sy: float
    push: float = 0.0
    along: float = 0.0
    across: float = 0.0

    def slope_bound(self, axis: int) -> float:
        moved, other = (self.sx, self.sy) if axis == 0 else (self.sy, self.sx)
        tail = 0.674  # at least the largest slope of the falloff at unit width
        return abs(self.along) + tail * (abs(self.push) + tail * abs(self.across) * other) / moved


_X, _Y = 0, 1
# In this order from the image to the canonical face: pose, identity shape, then expression, which
# thus acts on features at their template positions.
_STEPS: tuple[tuple[int, tuple[_Bump, ...]], ...] = (
    (_X, (_Bump("yaw", 0, 0.1, 0.55, 0.75, push=0.45), _Bump("yaw", 0, 0.3, 0.13, 0.2, push=0.17))),
    (
        _Y,
        (
            _Bump("pitch", 0, 0.1, 0.6, 0.65, push=0.45),
            _Bump("pitch", 0, 0.3, 0.15, 0.16, push=0.15),
        ),
    ),
    (
        _X,
        (
            _Bump("jaw width", 0, 0.85, 0.9, 0.42, along=0.13),
            _Bump("cheek width", 0, 0.25, 0.9, 0.36, along=0.09),
            _Bump("forehead width", 0, -0.6, 0.9, 0.3, along=0.10),
            _Bump("eye spacing", 0, -0.1, 0.4, 0.14, along=0.09),
            _Bump("nose width", 0, 0.3, 0.14, 0.13, along=0.20),
            _Bump("mouth width", 0, 0.58, 0.26, 0.13, along=0.14),
            _Bump("lopsided", 0, 0.5, 0.5, 0.4, push=0.02),
        ),
    ),
    (
        _Y,
        (
            _Bump("chin length", 0, 1.0, 0.5, 0.3, push=0.05),
            _Bump("forehead height", 0, -0.8, 0.8, 0.3, push=0.05),
            _Bump("eye size", 0.33, -0.1, 0.14, 0.08, along=0.20),
            _Bump("eye tilt", 0.33, -0.1, 0.16, 0.12, across=0.10),
            _Bump("nose length", 0, 0.33, 0.2, 0.15, push=0.03),
            _Bump("mouth height", 0, 0.6, 0.5, 0.2, push=0.03),
            _Bump("lip size", 0, 0.59, 0.25, 0.12, along=0.18),
        ),
    ),
    (
        _Y,
        (
            _Bump("brow height", 0.375, -0.37, 0.19, 0.11, push=0.028),
            _Bump("brow tilt", 0.375, -0.37, 0.19, 0.11, across=0.10),
            _Bump("smile", 0.26, 0.58, 0.11, 0.12, push=0.028),
            _Bump("smirk", 0, 0.58, 0.25, 0.15, across=0.07),
        ),
    ),
    (_X, (_Bump("pucker", 0, 0.58, 0.26, 0.13, along=0.15),)),
    (
        _Y,
        (
            _Bump("mouth shut", 0, 0.581, 0.19, 0.10, along=1.0),
            _Bump("blink", 0.33, -0.09, 0.17, 0.09, along=1.0),
        ),
    ),
    (_Y, (_Bump("blink", 0.33, -0.09, 0.17, 0.09, along=1.0),)),
)


@dataclass(frozen=True)
class Geometry:
    """Everything that fixes the map between pixels and canonical points; all entries [N, 1]."""

    linear: Tensor  # [N, 2, 2] centred pixels -> canonical units
    centre: Tensor  # [N, 2] pixel position of the canonical image centre
    gains: tuple[dict[str, Tensor], ...]  # per step: bump value after the slope limit

    def to_canonical(self, points: Tensor) -> Tensor:
        """Pixels [N, K, 2] -> canonical [N, K, 2], same dtype."""
        lin, mid = self.linear.to(points.dtype), self.centre.to(points.dtype)
        dx, dy = points[..., 0] - mid[:, :1], points[..., 1] - mid[:, 1:]
        moved = [
            lin[:, 0, :1] * dx + lin[:, 0, 1:] * dy,
            lin[:, 1, :1] * dx + lin[:, 1, 1:] * dy + _CENTRE_Y,
        ]
        for (axis, bumps), gains in zip(_STEPS, self.gains, strict=True):
            moved[axis] = moved[axis] + _displacement(moved, axis, bumps, gains)[0]
        return torch.stack(moved, -1)

    def to_pixels(self, points: Tensor) -> Tensor:
        """Canonical [N, K, 2] -> pixels [N, K, 2] float64, steps undone last to first."""
        moved = list(points.double().unbind(-1))
        for (axis, bumps), gains in reversed(tuple(zip(_STEPS, self.gains, strict=True))):
            moved[axis] = _undo_step(moved, axis, bumps, gains)
        view = torch.stack([moved[0], moved[1] - _CENTRE_Y], -1)
        return view @ torch.linalg.inv(self.linear.double()).mT + self.centre.double()[:, None]


def _displacement(
    at: list[Tensor], axis: int, bumps: tuple[_Bump, ...], gains: dict[str, Tensor]
) -> tuple[Tensor, Tensor]:
    """Displacement of one step at coordinates [N, K] and its slope along the moved axis."""
    shift, slope = torch.zeros_like(at[0]), torch.zeros_like(at[0])
    for bump in bumps:
        for side in (1.0, -1.0) if bump.cx else (1.0,):
            dx, dy = at[0] - side * bump.cx, at[1] - bump.cy
            level, decay = falloff((dx / bump.sx) ** 2 + (dy / bump.sy) ** 2)
            t, s, width = (dx, dy, bump.sx) if axis == _X else (dy, dx, bump.sy)
            value = bump.push + bump.along * t + (bump.across * side) * s
            gain = gains[bump.name].to(dx.dtype)
            shift += gain * value * level
            slope += gain * (bump.along * level - value * t * decay / width**2)
    return shift, slope


def _undo_step(
    at: list[Tensor], axis: int, bumps: tuple[_Bump, ...], gains: dict[str, Tensor]
) -> Tensor:
    """The coordinate w with w + displacement(w) = at[axis]: contraction, then Newton."""
    target, trial = at[axis], list(at)
    for iteration in range(14):
        shift, slope = _displacement(trial, axis, bumps, gains)
        excess = trial[axis] + shift - target
        # Plain steps first: the map is a contraction everywhere, Newton only near the solution.
        trial[axis] = trial[axis] - (excess if iteration < 6 else excess / (1.0 + slope))
    return trial[axis]


def _shape_values(person: Draws, moment: Draws) -> dict[str, Tensor]:
    """The value of every bump by name, [N, 1] float64."""
    names = {bump.name for _, bumps in _STEPS for bump in bumps}
    values = {name: person.normal(name) for name in sorted(names)}
    # Most jaws are broader than the template's ellipse (a negative value widens).
    values["jaw width"] -= 0.6
    values["yaw"] = torch.sin(moment.normal("yaw", 15 * math.pi / 180).clamp(-0.62, 0.62))
    values["pitch"] = torch.sin(moment.normal("pitch", 8 * math.pi / 180).clamp(-0.4, 0.4))
    values["smile"] = 0.5 * values["smile"] + moment.normal("smile", 1.0)
    values["smirk"] = moment.normal("smirk")
    values["pucker"] = moment.normal("pucker")
    values["brow height"] = 0.8 * values["brow height"] + 0.6 * moment.normal("brow")
    # The template's mouth is slightly open: positive values close it, negative ones open it wide.
    opened = moment.flag("opened", 0.4)
    values["mouth shut"] = 0.85 * (1.0 - opened) - opened * moment.uniform("gape", 0.1, 0.8)
    asleep = moment.flag("asleep", 0.07)
    values["blink"] = (1.0 - asleep) * moment.normal("lid", 0.12) + 0.85 * asleep
    return {name: value.double() for name, value in values.items()}


def _limit_slope(
    axis: int, bumps: tuple[_Bump, ...], values: dict[str, Tensor]
) -> dict[str, Tensor]:
    """Scale a step's values down wherever their slopes could sum to more than the limit."""
    bound = sum(values[bump.name].abs() * bump.slope_bound(axis) for bump in bumps)
    factor = (_MAX_SLOPE / bound).clamp(max=1.0)
    return {bump.name: values[bump.name] * factor for bump in bumps}


def face_geometry(person: Draws, moment: Draws, size: int) -> Geometry:
    values = _shape_values(person, moment)
    gains = tuple(_limit_slope(axis, bumps, values) for axis, bumps in _STEPS)
    turn = moment.normal("roll", 5 * math.pi / 180).double()
    scale = (_SIDE_UNITS / size) * (1.0 - moment.normal("scale", 0.05).double())
    # A turned head looks narrower; heads also differ in proportion.
    aspect = 1.0 + person.normal("aspect", 0.04).double() + 0.35 * values["yaw"] ** 2
    cos, sin = torch.cos(turn) * scale, torch.sin(turn) * scale
    rows = [torch.cat([cos, sin], 1) * aspect, torch.cat([-sin, cos], 1)]
    jitter = torch.cat([moment.normal("shift x", 0.03), moment.normal("shift y", 0.03)], 1)
    centre = (size - 1) / 2 + jitter.double() * size
    return Geometry(torch.stack(rows, 1), centre, gains)
