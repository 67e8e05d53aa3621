"""Drawn faces with exact dense correspondence, for studies that need no download.

Each face is painted in one *canonical* face coordinate system that all identities share, and seen
through a closed-form map from pixels to canonical points. The map is a similarity followed by
steps that each move ONE coordinate by a sum of smooth bumps whose slope along that coordinate
stays below one. Every step is therefore one-to-one, so the dense ground truth is exact and the
68 landmarks follow by solving one scalar equation per step.

*Convention.* Canonical (x, y): x right, y down, the head spans about [-1, 1]. Pixels (x, y): pixel
centres at the integers 0..S-1, so a corner pixel's centre is a corner of the normalised square
(``align_corners=True``). 'Left' is the left of the image.

Random numbers come from a counter-based hash of (seed, identity, variant), never from a stream, so
a face does not depend on its batch. The exact bytes are fixed per platform and PyTorch build (exp
and sin may round differently elsewhere).
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from dvelib.data.synthetic_paint import falloff, paint_faces

# Canonical units along the image side and the canonical point at the image centre: these two
# reproduce the framing of aligned CelebA crops (eyes at 42 % of the height, 30 % apart).
_SIDE_UNITS = 2.2
_CENTRE_Y = 0.08
# Largest slope any step may reach along its own coordinate; 1 would let the map fold.
_MAX_SLOPE = 0.9


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


# --- random numbers keyed by name -----------------------------------------------------------------


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


_GOLDEN = _signed(0x9E3779B97F4A7C15)
_MUL_1 = _signed(0xBF58476D1CE4E5B9)
_MUL_2 = _signed(0x94D049BB133111EB)


def _shift_right(z: Tensor, bits: int) -> Tensor:
    # torch shifts int64 arithmetically; the hash needs zeros shifted in.
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def _mix(z: Tensor) -> Tensor:
    """SplitMix64 finaliser; int64 products wrap, which is the arithmetic mod 2**64 it needs."""
    z = (z ^ _shift_right(z, 30)) * _MUL_1
    z = (z ^ _shift_right(z, 27)) * _MUL_2
    return z ^ _shift_right(z, 31)


class Draws:
    """Independent random numbers per face, looked up by name; results are [N, 1] float32."""

    def __init__(self, state: Tensor) -> None:
        self._state = state

    @classmethod
    def keyed(cls, seed: int, *keys: Tensor) -> Draws:
        state = torch.full_like(keys[0], seed)
        for key in (torch.full_like(keys[0], len(keys)), *keys):
            state = _mix(state * _GOLDEN + _mix(key + 1))
        return cls(state)

    def rows(self, index: Tensor) -> Draws:
        """The same draws for a selection of the faces."""
        return Draws(self._state[index])

    def _bits(self, name: str, count: int) -> Tensor:
        counter = torch.arange(1, count + 1) * _GOLDEN
        start = _mix(self._state ^ _mix(torch.tensor(zlib.crc32(name.encode()))))
        return _mix(start[:, None] + counter)

    def uniform(self, name: str, low: float = 0.0, high: float = 1.0, count: int = 1) -> Tensor:
        # 24 bits fit a float32 exactly, so every value is below `high`.
        unit = _shift_right(self._bits(name, count), 40).float() * 2.0**-24
        return low + (high - low) * unit

    def normal(self, name: str, sd: float = 1.0) -> Tensor:
        """Near-normal and bounded by 3.47 sd: four uniforms, summed without rounding surprises."""
        return (self.uniform(name, count=4).sum(1, keepdim=True) - 2.0) * (math.sqrt(3.0) * sd)

    def flag(self, name: str, probability: float) -> Tensor:
        return (self.uniform(name) < probability).float()

    def pick(self, name: str, table: Tensor, jitter: float = 0.0) -> Tensor:
        """A row of table [K, 3], each entry moved by up to +-jitter -> [N, 3, 1]."""
        row = (self.uniform(name)[:, 0] * len(table)).long()
        noise = self.uniform(name + "/jitter", -jitter, jitter, count=3)
        return (table[row] + noise).clamp(0.0, 1.0)[..., None]

    def fractal(self, name: str, channels: int, octaves: dict[int, Tensor | float],
                size: int) -> Tensor:
        """Value noise about zero [N, C, size, size]: a weighted sum of lattices {width: weight}."""
        total = torch.zeros(len(self._state), channels, size, size)
        for width, weight in octaves.items():
            lattice = self.uniform(f"{name}/{width}", -0.5, 0.5, channels * width * width)
            lattice = lattice.view(-1, channels, width, width)
            smooth = F.interpolate(lattice, (size, size), mode="bilinear", align_corners=True)
            total += torch.as_tensor(weight)[..., None, None] * smooth
        return total


# --- template -------------------------------------------------------------------------------------


def canonical_landmarks() -> Tensor:
    """The 68 template points in canonical coordinates, iBUG order -> [68, 2] float32."""
    jaw = [(-0.70 * math.cos(t), -0.10 + 1.03 * math.sin(t))
           for t in (math.pi * k / 16 for k in range(17))]
    brow = [(-0.60, -0.30), (-0.50, -0.367), (-0.38, -0.395), (-0.26, -0.377), (-0.15, -0.329)]
    nose = [(0.0, -0.12), (0.0, 0.01), (0.0, 0.13), (0.0, 0.25),
            (-0.135, 0.33), (-0.07, 0.355), (0.0, 0.375), (0.07, 0.355), (0.135, 0.33)]
    eye = [(-0.47, -0.09), (-0.385, -0.157), (-0.275, -0.157),
           (-0.19, -0.09), (-0.275, -0.043), (-0.385, -0.043)]
    mouth = [(-0.27, 0.575), (-0.17, 0.525), (-0.07, 0.498), (0.0, 0.515), (0.07, 0.498),
             (0.17, 0.525), (0.27, 0.575), (0.17, 0.655), (0.07, 0.698), (0.0, 0.707),
             (-0.07, 0.698), (-0.17, 0.655),
             (-0.22, 0.577), (-0.08, 0.558), (0.0, 0.555), (0.08, 0.558), (0.22, 0.577),
             (0.08, 0.603), (0.0, 0.607), (-0.08, 0.603)]
    right_brow = [(-x, y) for x, y in reversed(brow)]
    right_eye = [(-eye[k][0], eye[k][1]) for k in (3, 2, 1, 0, 5, 4)]
    return torch.tensor(jaw + brow + right_brow + nose + eye + right_eye + mouth)


def five_landmarks(landmarks: Tensor) -> Tensor:
    """Left eye, right eye, nose tip, left and right mouth corner: [N, 68, 2] -> [N, 5, 2]."""
    if landmarks.ndim != 3 or tuple(landmarks.shape[1:]) != (68, 2):
        raise ValueError(f"landmarks must be [N, 68, 2], got {list(landmarks.shape)}")
    eyes = [landmarks[:, k:k + 6].mean(1) for k in (36, 42)]
    return torch.stack([*eyes, landmarks[:, 30], landmarks[:, 48], landmarks[:, 54]], 1)


# --- geometry -------------------------------------------------------------------------------------


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
# Applied in this order on the way from the image to the canonical face: pose, identity shape,
# then expression, which so acts on features at their template places.
_STEPS: tuple[tuple[int, tuple[_Bump, ...]], ...] = (
    (_X, (_Bump("yaw", 0, 0.1, 0.55, 0.75, push=0.45), _Bump("yaw", 0, 0.3, 0.13, 0.2, push=0.17))),
    (_Y, (_Bump("pitch", 0, 0.1, 0.6, 0.65, push=0.45),
          _Bump("pitch", 0, 0.3, 0.15, 0.16, push=0.15))),
    (_X, (_Bump("jaw width", 0, 0.85, 0.9, 0.42, along=0.13),
          _Bump("cheek width", 0, 0.25, 0.9, 0.36, along=0.09),
          _Bump("forehead width", 0, -0.6, 0.9, 0.3, along=0.10),
          _Bump("eye spacing", 0, -0.1, 0.4, 0.14, along=0.09),
          _Bump("nose width", 0, 0.3, 0.14, 0.13, along=0.20),
          _Bump("mouth width", 0, 0.58, 0.26, 0.13, along=0.14),
          _Bump("lopsided", 0, 0.5, 0.5, 0.4, push=0.02))),
    (_Y, (_Bump("chin length", 0, 1.0, 0.5, 0.3, push=0.05),
          _Bump("forehead height", 0, -0.8, 0.8, 0.3, push=0.05),
          _Bump("eye size", 0.33, -0.1, 0.14, 0.08, along=0.20),
          _Bump("eye tilt", 0.33, -0.1, 0.16, 0.12, across=0.10),
          _Bump("nose length", 0, 0.33, 0.2, 0.15, push=0.03),
          _Bump("mouth height", 0, 0.6, 0.5, 0.2, push=0.03),
          _Bump("lip size", 0, 0.59, 0.25, 0.12, along=0.18))),
    (_Y, (_Bump("brow height", 0.375, -0.37, 0.19, 0.11, push=0.028),
          _Bump("brow tilt", 0.375, -0.37, 0.19, 0.11, across=0.10),
          _Bump("smile", 0.26, 0.58, 0.11, 0.12, push=0.028),
          _Bump("smirk", 0, 0.58, 0.25, 0.15, across=0.07))),
    (_X, (_Bump("pucker", 0, 0.58, 0.26, 0.13, along=0.15),)),
    (_Y, (_Bump("mouth shut", 0, 0.581, 0.19, 0.10, along=1.0),
          _Bump("blink", 0.33, -0.09, 0.17, 0.09, along=1.0))),
    (_Y, (_Bump("blink", 0.33, -0.09, 0.17, 0.09, along=1.0),)),
)


@dataclass(frozen=True)
class _Geometry:
    """Everything that fixes the map between pixels and canonical points; all entries [N, 1]."""

    linear: Tensor  # [N, 2, 2] centred pixels -> canonical units
    centre: Tensor  # [N, 2] pixel position of the canonical image centre
    gains: tuple[dict[str, Tensor], ...]  # per step: bump value after the slope limit

    def to_canonical(self, points: Tensor) -> Tensor:
        """Pixels [N, K, 2] -> canonical [N, K, 2], same dtype."""
        lin, mid = self.linear.to(points.dtype), self.centre.to(points.dtype)
        dx, dy = points[..., 0] - mid[:, :1], points[..., 1] - mid[:, 1:]
        moved = [lin[:, 0, :1] * dx + lin[:, 0, 1:] * dy,
                 lin[:, 1, :1] * dx + lin[:, 1, 1:] * dy + _CENTRE_Y]
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


def _geometry(person: Draws, moment: Draws, size: int) -> _Geometry:
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
    return _Geometry(torch.stack(rows, 1), centre, gains)


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
    return _geometry(*_draws(identities, variants, seed), size).to_canonical(points)


def canonical_to_pixel(
    points: Tensor, identities: Tensor, variants: Tensor, *, size: int, seed: int = 0
) -> Tensor:
    """Pixels [N, K, 2] float32 at which canonical points [N, K, 2] of N faces appear.

    Raises ValueError under the conditions of `render_faces`.
    """
    identities, variants = _checked(identities, variants, size)
    return _geometry(*_draws(identities, variants, seed), size).to_pixels(points).float()


# --- rendering ------------------------------------------------------------------------------------


def _pixel_grid(size: int, margin: int) -> Tensor:
    line = torch.arange(-margin, size + margin, dtype=torch.float32)
    return torch.stack(torch.meshgrid(line, line, indexing="xy"), -1).view(1, -1, 2)


def _render_chunk(
    identities: Tensor, variants: Tensor, size: int, seed: int, supersample: int
) -> tuple[Tensor, Tensor]:
    person, moment = _draws(identities, variants, seed)
    geometry = _geometry(person, moment, size)
    # One pixel of margin lets the subsamples of border pixels interpolate instead of clamp.
    wide = geometry.to_canonical(_pixel_grid(size, 1)).view(-1, size + 2, size + 2, 2)
    canonical = wide[:, 1:-1, 1:-1].clone()
    # The map bends so little within a pixel that its subsamples may interpolate it; ground truth
    # is evaluated at the pixel centres themselves.
    fine = F.interpolate(wide.permute(0, 3, 1, 2), scale_factor=float(supersample), mode="bilinear")
    crop = slice(supersample, -supersample)
    images, surface = paint_faces(
        fine[:, :, crop, crop], person, moment, supersample=supersample)
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
            identities[part], variants[part], size, seed, supersample)
    template = canonical_landmarks().expand(count, -1, -1)
    landmarks = canonical_to_pixel(template, identities, variants, size=size, seed=seed)
    return SyntheticFaces(images, canonical, landmarks, identities)
