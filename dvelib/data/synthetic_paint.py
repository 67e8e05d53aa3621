"""Appearance layers of the synthetic faces: what colour a canonical point has.

Every layer is a smooth function of canonical coordinates and of named random draws, painted over
the layers before it. Faces of different identities share the PLACES of their features (those are
fixed in canonical space) and little else: colour, texture, paint, hair, beard, glasses and drawing
style all vary, so that a feature cannot be matched across identities by one common look.

*Convention.* Canonical (x, y): x right, y down, midline at x = 0. Pixels of a face are flattened to
P; masks are [N, P] in [0, 1], colours [N, 3, 1] or [N, 3, P] RGB in [0, 1].
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from dvelib.data.synthetic import Draws

_SKIN = torch.tensor([
    (1.00, 0.88, 0.80), (0.97, 0.80, 0.68), (0.92, 0.72, 0.57), (0.84, 0.62, 0.45),
    (0.72, 0.50, 0.34), (0.57, 0.38, 0.25), (0.42, 0.27, 0.18), (0.28, 0.18, 0.13)])
_HAIR = torch.tensor([
    (0.06, 0.05, 0.05), (0.10, 0.07, 0.06), (0.24, 0.14, 0.08), (0.38, 0.23, 0.12),
    (0.52, 0.22, 0.10), (0.78, 0.60, 0.30), (0.93, 0.83, 0.58), (0.55, 0.55, 0.56),
    (0.88, 0.88, 0.90), (0.85, 0.25, 0.45), (0.20, 0.35, 0.75), (0.30, 0.62, 0.40)])
_IRIS = torch.tensor([
    (0.20, 0.11, 0.06), (0.36, 0.21, 0.10), (0.30, 0.45, 0.25), (0.28, 0.48, 0.72),
    (0.48, 0.55, 0.60), (0.10, 0.08, 0.07)])
_LIPS = torch.tensor([
    (0.80, 0.42, 0.40), (0.72, 0.12, 0.18), (0.55, 0.28, 0.24), (0.90, 0.55, 0.52),
    (0.40, 0.10, 0.22), (0.35, 0.20, 0.17), (0.85, 0.30, 0.55)])
_VIVID = torch.tensor([
    (0.90, 0.15, 0.12), (0.10, 0.35, 0.85), (0.98, 0.85, 0.15), (0.12, 0.62, 0.25),
    (0.97, 0.97, 0.95), (0.06, 0.06, 0.08), (0.60, 0.20, 0.65), (0.98, 0.55, 0.12),
    (0.20, 0.75, 0.80), (0.55, 0.35, 0.20)])
_FRAMES = torch.tensor([
    (0.05, 0.05, 0.06), (0.30, 0.16, 0.08), (0.75, 0.65, 0.30), (0.70, 0.72, 0.75),
    (0.70, 0.10, 0.15), (0.92, 0.92, 0.90), (0.15, 0.25, 0.60)])

# Canonical half-width covered by the identity texture, and its lattice size.
_TEXTURE_REACH = 1.5
_TEXTURE_SIZE = 48


def _rgb(red: float, green: float, blue: float) -> Tensor:
    return torch.tensor([[red], [green], [blue]])


def falloff(square: Tensor) -> tuple[Tensor, Tensor]:
    """A compact stand-in for exp(-square / 2), and minus twice its derivative by `square`.

    (1 - square / 8)**4 up to square = 8, zero beyond: three times differentiable along a radius.
    Unlike exp it is exactly rounded arithmetic and never underflows to slow denormal numbers.
    """
    inside = (1.0 - square * 0.125).clamp_(min=0.0)
    cube = inside * inside * inside
    return cube * inside, cube


class _Canvas:
    """Coordinates, random draws and the picture so far, for one chunk of faces."""

    def __init__(self, canonical: Tensor, person: Draws, moment: Draws) -> None:
        count, _, side, _ = canonical.shape
        self.person, self.moment = person, moment
        self.side = side
        self.x, self.y = (plane.reshape(count, side * side) for plane in canonical.unbind(1))
        self.ax = self.x.abs()
        # Edges ramp over about one subsample; box filtering the subsamples does the rest.
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
        octaves = {4: 0.6 / roughness.sqrt(), 8: 0.7, 16: 0.8 * roughness,
                   40: 0.7 * roughness}
        lattice = self.person.fractal("texture", 5, octaves, _TEXTURE_SIZE)
        where = canonical.permute(0, 2, 3, 1) / _TEXTURE_REACH
        sampled = F.grid_sample(lattice, where, padding_mode="reflection", align_corners=True)
        return sampled.flatten(2)

    def paint_some(self, wanted: Tensor, layer: Callable[..., None], *colours: Tensor) -> None:
        """Run a layer on the faces that have wanted [N, 1] only; most extras are rare."""
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
        self, cx: float, cy: Tensor | float, rx: Tensor | float, ry: Tensor | float,
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


# --- behind the head ------------------------------------------------------------------------------


def _background(c: _Canvas) -> None:
    d = c.moment
    first, second = d.pick("back a", _VIVID, 0.35), d.pick("back b", _VIVID, 0.35)
    angle = d.uniform("back angle", 0.0, 2 * math.pi)
    along = torch.cos(angle) * c.screen_x + torch.sin(angle) * c.screen_y
    clutter = d.uniform("clutter")
    noise = d.fractal("back", 3, {3: 0.9, 7: clutter, 20: 0.8 * clutter**2}, 24)
    noise = F.interpolate(noise, (c.side, c.side), mode="bilinear").flatten(2)
    stripes = torch.sin(along * d.uniform("back stripes", 6.0, 30.0)) * 2.0
    mix = 0.5 + 0.4 * along + d.flag("striped", 0.25) * stripes
    c.image = torch.lerp(first, second, mix.clamp(0.0, 1.0)[:, None])
    c.image = (c.image + noise * d.uniform("back contrast", 0.1, 0.8)[..., None]).clamp_(0.0, 1.0)


def _neck_and_ears(c: _Canvas, skin: Tensor) -> None:
    neck = c.edge(c.person.uniform("neck", 0.30, 0.46) + 0.12 * (c.y - 1.0) ** 2 - c.ax)
    c.solid(neck * c.edge(c.y - 0.5), skin * 0.72)
    collar = c.person.uniform("collar", 0.98, 1.3) - c.person.uniform("v neck", 0.0, 0.5) * (
        c.ax - 0.3)
    stripes = 0.25 * torch.sin(c.y * c.person.uniform("shirt stripes", 0.0, 60.0))
    c.solid(c.edge(c.y - collar), c.person.pick("shirt", _VIVID, 0.3) + stripes[:, None])
    size = c.person.uniform("ears", 0.7, 1.3)
    ear = c.ellipse(0.71, 0.02, 0.085 * size, 0.17 * size, mirrored=True)
    c.solid(c.edge(ear), skin * 0.88)
    c.over(0.5 * c.edge(ear - 0.035), skin * 0.55)


# --- skin -----------------------------------------------------------------------------------------


def _skin_tone(d: Draws) -> Tensor:
    position = d.uniform("skin tone", 0.0, len(_SKIN) - 1.001)[:, 0]
    low = position.long()
    tone = torch.lerp(_SKIN[low], _SKIN[low + 1], (position - low)[:, None])
    return (tone + d.uniform("skin hue", -0.06, 0.06, count=3)).clamp(0.08, 1.0)[..., None]


def _skin(c: _Canvas, skin: Tensor) -> None:
    d = c.person
    c.over(c.edge(c.head), skin)
    mottle = c.texture[:, :3]
    grey = mottle.mean(1, keepdim=True)
    hue = d.uniform("mottle hue", 0.0, 0.8)[..., None]
    strength = d.uniform("mottle", 0.1, 0.7)[..., None]
    c.image += (strength * c.surface[:, None]) * torch.lerp(grey, mottle, hue)
    blush = d.uniform("blush", 0.0, 0.5) * c.glow(0.42, 0.28, 0.16, 0.13)
    c.over(blush, skin * _rgb(1.0, 0.55, 0.5))
    freckles = d.flag("freckled", 0.25) * c.edge(c.texture[:, 4] - 0.25, 0.1)
    c.over(0.6 * freckles * c.glow(0.2, 0.2, 0.25, 0.2), skin * 0.5)


def _face_paint(c: _Canvas, name: str, probability: float) -> None:
    """A region bounded by a random mixture of simple fields: halves, bars, stripes, patches."""
    d = c.person
    weights = d.uniform(name + "/weights", -1.0, 1.0, count=5) ** 3
    weights = weights / weights.abs().amax(1, keepdim=True).clamp(min=0.05)
    angle, rate = d.uniform(name + "/angle", 0.0, math.pi), d.uniform(name + "/rate", 5.0, 22.0)
    level = d.uniform(name + "/level", -0.8, 0.8)
    fields = (
        c.x, c.ax - 0.35, 0.5 * (c.y - level).abs() - 0.12, 3.0 * c.texture[:, 3],
        0.3 * torch.sin(rate * (torch.cos(angle) * c.x + torch.sin(angle) * c.y)))
    region = sum(weights[:, k:k + 1] * field for k, field in enumerate(fields))
    region = c.edge(region - d.uniform(name + "/threshold", -0.05, 0.2), 0.03)
    alpha = d.flag(name, probability) * d.uniform(name + "/alpha", 0.25, 0.95)
    c.over(region * alpha * c.edge(c.head), d.pick(name + "/colour", _VIVID, 0.15))


def _wrinkles(c: _Canvas) -> None:
    d = c.person
    age = d.uniform("age") ** 2
    fold = c.ax - (0.17 + 0.42 * (c.y - 0.30) + 0.35 * (c.y - 0.30) ** 2)
    inside = c.edge(c.y - 0.30, 0.1) * c.edge(0.68 - c.y, 0.1)
    lines = inside * falloff((fold / 0.026) ** 2)[0]
    furrows = torch.sin(c.y * d.uniform("furrows", 45.0, 70.0) + 3.0 * c.ax**2).clamp_(min=0.0)
    lines += furrows * c.glow(0.0, -0.58, 0.3, 0.09)
    bags = falloff((c.ellipse(0.33, -0.08, 0.17, 0.13, mirrored=True) / 0.02) ** 2)[0]
    lines += d.uniform("bags", 0.0, 1.0) * bags * c.edge(c.y - 0.0, 0.04)
    c.shade(-0.4 * (0.04 + age) * lines * c.edge(c.head))
    at_x, at_y = d.uniform("mole x", -0.5, 0.5), d.uniform("mole y", -0.1, 0.8)
    mole = d.uniform("mole size", 0.01, 0.04) - torch.hypot(c.x - at_x, c.y - at_y)
    c.shade(-0.7 * d.flag("mole", 0.35) * c.edge(mole))


# --- features -------------------------------------------------------------------------------------


def _beard(c: _Canvas, hair: Tensor) -> None:
    d = c.person
    ragged = 0.25 * c.texture[:, 3]
    jaw = 0.30 + ragged - c.head
    full = c.edge(jaw, 0.08) * c.edge(c.y - 0.12 + ragged, 0.1)
    full = torch.maximum(full, c.edge(c.y - 0.72 + ragged, 0.06))
    goatee = c.edge(0.24 - c.ax + ragged, 0.04) * c.edge(c.y - 0.73, 0.04)
    moustache = c.edge(d.uniform("moustache size", 0.03, 0.065) - (
        c.y - 0.445 - 0.5 * c.ax**2).abs() - 0.2 * ragged, 0.03)
    moustache *= c.edge(d.uniform("moustache width", 0.16, 0.36) - c.ax, 0.04)
    kind = d.uniform("beard")
    mask = full * (kind < 0.20) + goatee * ((kind > 0.15) & (kind < 0.27))
    mask = torch.maximum(mask, moustache * ((kind > 0.10) & (kind < 0.34)))
    density = torch.where(d.flag("stubble", 0.35) > 0, 0.35, d.uniform("beard density", 0.7, 1.0))
    c.over((mask * density * c.edge(c.head)).clamp_(0, 1), hair * (1 + c.texture[:, 4:5]))


def _eye_sockets(c: _Canvas, skin: Tensor) -> None:
    d = c.person
    c.shade(-d.uniform("sockets", -0.15, 0.5) * c.glow(0.31, -0.15, 0.17, 0.10))
    lid = c.glow(0.33, -0.19, 0.15, 0.05)
    c.over(d.flag("eye shadow", 0.3) * 0.8 * lid, d.pick("eye shadow colour", _VIVID, 0.2))
    fold = (c.y + 0.20 - 1.6 * (c.ax - 0.33) ** 2).abs()
    fold = c.edge(0.012 - fold, 0.02) * c.edge(0.15 - (c.ax - 0.33).abs(), 0.03)
    c.over(d.uniform("lid fold", 0.0, 0.8) * fold, skin * 0.45)


def _eyes(c: _Canvas) -> None:
    d, m = c.person, c.moment
    arc = 1.0 - ((c.ax - 0.33) / 0.14) ** 2
    above = c.y + 0.09 + 0.079 * arc
    below = 0.055 * arc - 0.09 - c.y
    opening = torch.minimum(above, below)
    white = c.edge(opening)
    c.over(white, _rgb(0.95, 0.94, 0.92) * d.uniform("white", 0.75, 1.0)[..., None])
    gaze = m.normal("gaze x", 0.022) * torch.sign(c.x)
    across, down = c.ax - 0.33 - gaze, c.y + 0.098 - m.normal("gaze y", 0.012)
    radius, size = torch.hypot(across, down), d.uniform("iris size", 0.055, 0.075)
    c.over(white * c.edge(size - radius), d.pick("iris", _IRIS, 0.06))
    c.over(white * c.edge(0.45 * size - radius), torch.zeros(3, 1))
    glint = torch.hypot(c.x - c.x.sign() * 0.33 - 0.02, c.y + 0.125)
    c.over(white * c.edge(0.018 - glint), torch.ones(3, 1))
    lashes, liner = d.uniform("lashes", 0.008, 0.03), d.uniform("liner", 0.0, 0.012)
    rim = torch.maximum(c.edge(lashes - above.abs()), c.edge(liner - below.abs()))
    ends = c.edge(0.15 - (c.ax - 0.33).abs(), 0.02)
    c.over(rim * ends * d.uniform("rim", 0.5, 1.0), _rgb(0.08, 0.05, 0.05))


def _brows(c: _Canvas, hair: Tensor) -> None:
    d = c.person
    offset = c.ax - 0.38
    height = -0.395 + torch.where(offset < 0, 1.25, 1.96) * offset**2
    taper = (1.0 - ((c.ax - 0.36) / 0.27).abs() ** 3).clamp_(min=0.0)
    thickness = d.uniform("brow thickness", 0.008, 0.06) * taper
    mask = c.edge(thickness - (c.y - height).abs()) * c.edge(taper - 0.05, 0.1)
    own = d.flag("brow colour", 0.2)[..., None]
    colour = torch.lerp(hair * 0.7, d.pick("brow paint", _HAIR), own)
    c.over(mask * d.uniform("brow strength", 0.35, 1.0), colour)


def _nose(c: _Canvas, skin: Tensor) -> None:
    d = c.person
    c.shade(d.uniform("bridge", -0.1, 0.45) * c.glow(0.0, 0.08, 0.04, 0.2))
    c.shade(d.uniform("tip", -0.2, 0.5) * c.glow(0.0, 0.25, 0.06, 0.05))
    c.shade(-d.uniform("flanks", 0.0, 0.4) * c.glow(0.09, 0.08, 0.035, 0.16))
    c.shade(-d.uniform("base", 0.05, 0.5) * c.glow(0.0, 0.405, 0.13, 0.03))
    wing = c.ellipse(0.095, 0.305, 0.055, 0.065, mirrored=True).abs()
    wing = c.edge(0.010 - wing, 0.02) * c.edge(c.ax - 0.09, 0.03)
    c.over(d.uniform("wings", 0.2, 0.9) * wing, skin * 0.4)
    nostril = c.edge(c.ellipse(0.066, 0.348, 0.036, 0.018, mirrored=True))
    c.over(d.uniform("nostrils", 0.4, 1.0) * nostril, skin * 0.2)


def _mouth(c: _Canvas, skin: Tensor) -> None:
    d = c.person
    outer, inner = 1.0 - (c.ax / 0.27) ** 2, 1.0 - (c.ax / 0.22) ** 2
    dip = 0.023 * falloff((c.x / 0.032) ** 2)[0]
    upper = torch.minimum(c.y - 0.575 + 0.083 * outer - dip, 0.575 + 0.132 * outer - c.y)
    gap = torch.minimum(c.y - 0.577 + 0.022 * inner, 0.577 + 0.030 * inner - c.y)
    tint = d.uniform("lip tint", 0.1, 1.0)[..., None]
    lips = torch.lerp(skin * 0.85, d.pick("lips", _LIPS, 0.06), tint)
    c.over(c.edge(upper), lips * torch.where(c.y < 0.58, 0.85, 1.0)[:, None])
    c.shade(d.uniform("gloss", 0.0, 0.4) * c.glow(0.0, 0.65, 0.08, 0.015))
    c.over(c.edge(gap + 0.004), _rgb(0.22, 0.05, 0.06))
    teeth = c.edge(gap) * c.edge(c.moment.uniform("teeth", 0.575, 0.60) - c.y, 0.004)
    c.over(teeth * c.moment.flag("toothy", 0.8), _rgb(0.95, 0.93, 0.88))
    c.shade(-d.uniform("under lip", 0.0, 0.4) * c.glow(0.0, 0.745, 0.12, 0.025))


# --- hair, hats, glasses --------------------------------------------------------------------------


def _hair_colour(c: _Canvas) -> Tensor:
    """Base colour streaked along the strands -> [N, 3, P]."""
    d = c.person
    curl = d.uniform("curl", 0.5, 9.0)
    phase = c.x * d.uniform("strands x", 8.0, 40.0) + c.y * d.uniform("strands y", -8.0, 8.0)
    streaks = torch.sin(phase + curl * 2.0 * c.texture[:, 3]) * d.uniform("streaks", 0.05, 0.35)
    shine = d.uniform("shine", 0.0, 0.8) * c.glow(0.0, -0.78, 0.6, 0.07)
    base = d.pick("hair", _HAIR, 0.04)
    return base * (1.0 + streaks + shine)[:, None] + 0.1 * shine[:, None]


def _hair_style(c: _Canvas) -> dict[str, Tensor]:
    d = c.person
    style = d.uniform("hair style")
    bald, long = (style < 0.10).float(), (style > 0.55).float()
    fringe = d.flag("fringe", 0.35)
    return {
        "present": 1.0 - bald,
        "long": long,
        "length": d.uniform("hair length", 0.5, 1.5),
        "volume": d.uniform("volume", 0.03, 0.28),
        "side": torch.lerp(d.uniform("sides", 0.60, 0.72), d.uniform("drape", 0.44, 0.68), long),
        "line": torch.lerp(d.uniform("hairline", -0.90, -0.60), d.uniform("cut", -0.5, -0.42),
                           fringe),
        "parting": d.flag("parted", 0.5) * d.uniform("parting", -0.35, 0.35),
        "ragged": d.uniform("raggedness", 0.02, 0.35),
        "burns": d.uniform("sideburns", -0.35, 0.25),
    }


def _hair_outline(c: _Canvas, s: dict[str, Tensor]) -> Tensor:
    wave = s["ragged"] * c.texture[:, 3]
    dome = c.ellipse(0, -0.12, 0.70 + s["volume"], 0.90 + s["volume"]) + wave
    curtain = torch.minimum(0.66 + s["volume"] + wave - c.ax, s["length"] + wave - c.y)
    curtain = torch.minimum(curtain, c.y + 0.12)
    return torch.where(s["long"] > 0, torch.maximum(dome, curtain), dome)


def _hair_behind(c: _Canvas, hair: Tensor, s: dict[str, Tensor]) -> None:
    reach = torch.where(s["long"] > 0, s["length"], s["burns"])
    c.solid(s["present"] * c.edge(_hair_outline(c, s)) * c.edge(reach - c.y, 0.1), hair * 0.7)


def _hair_front(c: _Canvas, hair: Tensor, s: dict[str, Tensor]) -> None:
    wave = s["ragged"] * c.texture[:, 3]
    window = torch.hypot((c.x - s["parting"] * (c.y < 0.1) * (0.1 - c.y)) / s["side"],
                         (c.y - 0.25) / (0.25 - s["line"]))
    outside = (window - 1.0) * 0.5 + wave
    below = torch.where(s["long"] > 0, s["length"], s["burns"]) - c.y
    mask = torch.minimum(torch.minimum(outside, below + wave), _hair_outline(c, s))
    c.cover(s["present"] * c.edge(mask, 0.03) * (outside > -0.05), hair)


def _headwear(c: _Canvas) -> None:
    d = c.person
    kind = d.uniform("headwear")
    first, second = d.pick("hat", _VIVID, 0.15), d.pick("hat band", _VIVID, 0.15)
    pattern = (torch.sin(c.x * d.uniform("hat x", 0.0, 30.0) + c.y * d.uniform("hat y", 0.0, 40.0))
               > 0.2).float()
    cloth = torch.lerp(first, second, pattern[:, None] * d.flag("patterned", 0.5)[..., None])
    brim = d.uniform("brim", -0.62, -0.48) + 0.15 * c.ax**2
    size = d.uniform("hat size", 0.12, 0.35)
    hat = torch.minimum(brim - c.y, c.ellipse(0, -0.3, 0.70 + 0.4 * size, 0.75 + size))
    visor = torch.minimum(0.05 - (c.y - brim).abs(), 0.85 - c.ax)
    c.cover(c.edge(hat) * (kind < 0.11), cloth)
    c.cover(c.edge(visor) * (kind < 0.07), second)
    band = torch.minimum(0.07 - (c.y - brim + 0.12).abs(), c.head + 0.1)
    c.cover(c.edge(band) * (kind > 0.11) * (kind < 0.17), cloth)
    open_face = torch.hypot(c.x / 0.60, (c.y - 0.17) / 0.80) - 1.0
    wrap = torch.minimum(c.ellipse(0, 0.1, 0.85, 1.15), open_face * 0.6)
    wrap = torch.maximum(wrap, torch.minimum(c.y - 0.95, 0.75 - c.ax + 0.4 * (c.y - 0.9)))
    folds = 1.0 - 0.3 * c.edge(0.06 - open_face, 0.1)
    c.cover(c.edge(wrap) * (kind > 0.93), cloth * folds[:, None])


def _glasses(c: _Canvas) -> None:
    d = c.person
    dark = d.flag("dark lenses", 0.22)
    u = ((c.ax - 0.33) / d.uniform("lens width", 0.17, 0.25)).abs()
    v = ((c.y + 0.07) / d.uniform("lens height", 0.12, 0.22)).abs()
    round_lens, square_lens = torch.hypot(u, v), (u**4 + v**4).sqrt().sqrt()
    radius = torch.where(d.flag("square", 0.5) > 0, square_lens, round_lens)
    inside, rim = (1.0 - radius) * 0.18, d.uniform("rim width", 0.010, 0.035)
    lens = c.edge(inside)
    tint = d.pick("tint", _FRAMES, 0.1)
    c.over(lens * (1.0 - dark) * d.uniform("lens tint", 0.0, 0.3), tint)
    c.cover(lens * dark * 0.94, tint * 0.3 + 0.15 * (c.y < -0.1)[:, None])
    frame = rim - inside.abs()
    bridge = torch.minimum(rim - (c.y + 0.10).abs(), 0.15 - c.ax)
    temple = torch.minimum(rim - (c.y + 0.12).abs(), torch.minimum(c.ax - 0.52, c.head + 0.03))
    frame = torch.maximum(frame, torch.maximum(bridge, temple))
    c.over(c.edge(frame), d.pick("frame", _FRAMES, 0.05))


# --- light, occluders, camera ---------------------------------------------------------------------


def _light(c: _Canvas) -> None:
    m = c.moment
    bump = c.person.uniform("nose relief", 1.0, 3.0) * c.glow(0.0, 0.22, 0.10, 0.2)
    nx, ny = c.x / 0.85 + bump * c.x * 2.0, (c.y - 0.05) / 1.25
    nz = (1.0 - nx**2 - ny**2).clamp_(min=0.06).sqrt()
    lx, ly = m.normal("light x", 0.55), -0.25 + m.normal("light y", 0.35)
    facing = (nx * lx + ny * ly + nz) / torch.sqrt(lx**2 + ly**2 + 1.0)
    ambient = m.uniform("ambient", 0.15, 0.75)
    level = ambient + (1.15 - ambient) * facing.clamp_(min=0.0) * m.uniform("strength", 1.0, 1.35)
    tint = 1.0 + m.uniform("light colour", -0.15, 0.15, count=3)[..., None]
    c.image *= 1.0 + c.figure[:, None] * (level[:, None] * tint - 1.0)


def _occluders(c: _Canvas, skin: Tensor) -> None:
    """Per variant: a hand or a microphone from the image border, or a loose strand of hair."""
    m = c.moment
    kind, angle = m.uniform("occluder"), m.uniform("occluder angle", 0.15 * math.pi, 0.85 * math.pi)
    away = torch.cos(angle) * c.screen_x + torch.sin(angle) * c.screen_y
    cross = torch.cos(angle) * c.screen_y - torch.sin(angle) * c.screen_x + m.normal("aside", 0.15)
    finger = (cross * 15.0).cos().abs()
    hand = torch.minimum(away - m.uniform("reach", 0.25, 0.7) + 0.1 * finger,
                         m.uniform("hand", 0.2, 0.35) - cross.abs())
    creases = 1.0 - 0.45 * (1.0 - finger) ** 3
    c.cover(c.edge(hand) * (kind < 0.07), skin * creases[:, None])
    stick = torch.minimum(0.06 - cross.abs(), away - 0.62)
    ball = 0.15 - torch.hypot(away - 0.58, cross)
    mesh = 0.25 + 0.12 * torch.sin(c.screen_x * 70.0) * torch.sin(c.screen_y * 70.0)
    c.cover(c.edge(torch.maximum(stick, ball)) * (kind > 0.07) * (kind < 0.11),
            mesh[:, None].expand(-1, 3, -1))
    strand = 0.02 - (c.x - m.uniform("strand", -0.5, 0.5) - 0.25 * torch.sin(3.0 * c.y)).abs()
    strand = torch.minimum(strand, m.uniform("strand end", -0.1, 0.7) - c.y)
    c.cover(c.edge(strand) * (kind > 0.94), c.person.pick("hair", _HAIR))


def _camera(image: Tensor, moment: Draws) -> Tensor:
    """Blur, colour cast, contrast, greyscale and sensor noise at the final resolution [N,3,S,S]."""
    def per_face(value: Tensor) -> Tensor:
        return value[..., None, None]
    side = image.shape[-1]
    weight = per_face(moment.flag("blurred", 0.5) * moment.uniform("blur", 0.0, 0.25))
    for axis in (2, 3):
        ends = image.narrow(axis, 0, 1), image.narrow(axis, side - 1, 1)
        before = torch.cat([ends[0], image.narrow(axis, 0, side - 1)], axis)
        after = torch.cat([image.narrow(axis, 1, side - 1), ends[1]], axis)
        image = image + weight * (before + after - 2.0 * image)
    cast = 1.0 + moment.uniform("cast", -0.12, 0.12, count=3)[..., None, None]
    image = image * cast * per_face(moment.uniform("exposure", 0.8, 1.15))
    image = 0.45 + (image - 0.45) * per_face(moment.uniform("contrast", 0.75, 1.25))
    grey = image.mean(1, keepdim=True)
    image = torch.lerp(image, grey, per_face(
        torch.maximum(moment.flag("greyscale", 0.08), moment.uniform("fade", 0.0, 0.3))))
    noise = moment.uniform("noise", -1.0, 1.0, count=side * side).view(-1, 1, side, side)
    return image + per_face(moment.uniform("noise level", 0.0, 0.06)) * noise


def paint_faces(
    canonical: Tensor, person: Draws, moment: Draws, *, supersample: int
) -> tuple[Tensor, Tensor]:
    """Paint N faces over their canonical coordinates at every subsample, [N, 2, S*ss, S*ss].

    person, moment: random draws of the identity and of (identity, variant). Returns images
    [N, 3, S, S] uint8 and the share of every pixel that shows the face surface, [N, S, S] float32.
    """
    c = _Canvas(canonical, person, moment)
    skin, hair, style = _skin_tone(person), _hair_colour(c), _hair_style(c)
    _background(c)
    _hair_behind(c, hair, style)
    _neck_and_ears(c, skin)
    _skin(c, skin)
    _face_paint(c, "paint one", 0.5)
    _face_paint(c, "paint two", 0.3)
    _wrinkles(c)
    c.paint_some(person.uniform("beard") < 0.34, _beard, hair)
    _eye_sockets(c, skin)
    _eyes(c)
    _brows(c, hair)
    _nose(c, skin)
    _mouth(c, skin)
    _hair_front(c, hair, style)
    headwear, occluder = person.uniform("headwear"), moment.uniform("occluder")
    c.paint_some((headwear < 0.17) | (headwear > 0.93), _headwear)
    c.paint_some(person.flag("glasses", 0.24), _glasses)
    _light(c)
    c.paint_some((occluder < 0.11) | (occluder > 0.94), _occluders, skin)
    count = len(c.image)
    planes = torch.cat([c.image.clamp_(0.0, 1.0), c.surface[:, None]], 1)
    planes = F.avg_pool2d(planes.view(count, 4, c.side, c.side), supersample)
    images = _camera(planes[:, :3], moment).clamp(0.0, 1.0) * 255.0
    return images.round().to(torch.uint8), planes[:, 3]
