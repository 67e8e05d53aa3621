"""Layers behind the features: background, neck and ears, skin, paint, wrinkles."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from dvelib.data.synthetic.canvas import SKIN, VIVID, Canvas, rgb
from dvelib.data.synthetic.draws import Draws
from dvelib.data.synthetic.geometry import falloff


def background(c: Canvas) -> None:
    d = c.moment
    first, second = d.pick("back a", VIVID, 0.35), d.pick("back b", VIVID, 0.35)
    angle = d.uniform("back angle", 0.0, 2 * math.pi)
    along = torch.cos(angle) * c.screen_x + torch.sin(angle) * c.screen_y
    clutter = d.uniform("clutter")
    noise = d.fractal("back", 3, {3: 0.9, 7: clutter, 20: 0.8 * clutter**2}, 24)
    noise = F.interpolate(noise, (c.side, c.side), mode="bilinear").flatten(2)
    stripes = torch.sin(along * d.uniform("back stripes", 6.0, 30.0)) * 2.0
    mix = 0.5 + 0.4 * along + d.flag("striped", 0.25) * stripes
    c.image = torch.lerp(first, second, mix.clamp(0.0, 1.0)[:, None])
    c.image = (c.image + noise * d.uniform("back contrast", 0.1, 0.8)[..., None]).clamp_(0.0, 1.0)


def neck_and_ears(c: Canvas, skin: Tensor) -> None:
    neck = c.edge(c.person.uniform("neck", 0.30, 0.46) + 0.12 * (c.y - 1.0) ** 2 - c.ax)
    c.solid(neck * c.edge(c.y - 0.5), skin * 0.72)
    collar = c.person.uniform("collar", 0.98, 1.3) - c.person.uniform("v neck", 0.0, 0.5) * (
        c.ax - 0.3
    )
    stripes = 0.25 * torch.sin(c.y * c.person.uniform("shirt stripes", 0.0, 60.0))
    c.solid(c.edge(c.y - collar), c.person.pick("shirt", VIVID, 0.3) + stripes[:, None])
    size = c.person.uniform("ears", 0.7, 1.3)
    ear = c.ellipse(0.71, 0.02, 0.085 * size, 0.17 * size, mirrored=True)
    c.solid(c.edge(ear), skin * 0.88)
    c.over(0.5 * c.edge(ear - 0.035), skin * 0.55)


def skin_tone(d: Draws) -> Tensor:
    position = d.uniform("skin tone", 0.0, len(SKIN) - 1.001)[:, 0]
    low = position.long()
    tone = torch.lerp(SKIN[low], SKIN[low + 1], (position - low)[:, None])
    return (tone + d.uniform("skin hue", -0.06, 0.06, count=3)).clamp(0.08, 1.0)[..., None]


def bare_skin(c: Canvas, skin: Tensor) -> None:
    d = c.person
    c.over(c.edge(c.head), skin)
    mottle = c.texture[:, :3]
    grey = mottle.mean(1, keepdim=True)
    hue = d.uniform("mottle hue", 0.0, 0.8)[..., None]
    strength = d.uniform("mottle", 0.1, 0.7)[..., None]
    c.image += (strength * c.surface[:, None]) * torch.lerp(grey, mottle, hue)
    blush = d.uniform("blush", 0.0, 0.5) * c.glow(0.42, 0.28, 0.16, 0.13)
    c.over(blush, skin * rgb(1.0, 0.55, 0.5))
    freckles = d.flag("freckled", 0.25) * c.edge(c.texture[:, 4] - 0.25, 0.1)
    c.over(0.6 * freckles * c.glow(0.2, 0.2, 0.25, 0.2), skin * 0.5)


def face_paint(c: Canvas, name: str, probability: float) -> None:
    """A region bounded by a random mixture of simple fields: halves, bars, stripes, patches."""
    d = c.person
    weights = d.uniform(name + "/weights", -1.0, 1.0, count=5) ** 3
    weights = weights / weights.abs().amax(1, keepdim=True).clamp(min=0.05)
    angle, rate = d.uniform(name + "/angle", 0.0, math.pi), d.uniform(name + "/rate", 5.0, 22.0)
    level = d.uniform(name + "/level", -0.8, 0.8)
    fields = (
        c.x,
        c.ax - 0.35,
        0.5 * (c.y - level).abs() - 0.12,
        3.0 * c.texture[:, 3],
        0.3 * torch.sin(rate * (torch.cos(angle) * c.x + torch.sin(angle) * c.y)),
    )
    region = sum(weights[:, k : k + 1] * field for k, field in enumerate(fields))
    region = c.edge(region - d.uniform(name + "/threshold", -0.05, 0.2), 0.03)
    alpha = d.flag(name, probability) * d.uniform(name + "/alpha", 0.25, 0.95)
    c.over(region * alpha * c.edge(c.head), d.pick(name + "/colour", VIVID, 0.15))


def wrinkles(c: Canvas) -> None:
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
