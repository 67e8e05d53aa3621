"""Hair, headwear and glasses."""

from __future__ import annotations

import torch
from torch import Tensor

from dvelib.data.synthetic.canvas import FRAMES, HAIR, VIVID, Canvas


def hair_colour(c: Canvas) -> Tensor:
    """Base colour streaked along the strands -> [N, 3, P]."""
    d = c.person
    curl = d.uniform("curl", 0.5, 9.0)
    phase = c.x * d.uniform("strands x", 8.0, 40.0) + c.y * d.uniform("strands y", -8.0, 8.0)
    streaks = torch.sin(phase + curl * 2.0 * c.texture[:, 3]) * d.uniform("streaks", 0.05, 0.35)
    shine = d.uniform("shine", 0.0, 0.8) * c.glow(0.0, -0.78, 0.6, 0.07)
    base = d.pick("hair", HAIR, 0.04)
    return base * (1.0 + streaks + shine)[:, None] + 0.1 * shine[:, None]


def hair_style(c: Canvas) -> dict[str, Tensor]:
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
        "line": torch.lerp(
            d.uniform("hairline", -0.90, -0.60), d.uniform("cut", -0.5, -0.42), fringe
        ),
        "parting": d.flag("parted", 0.5) * d.uniform("parting", -0.35, 0.35),
        "ragged": d.uniform("raggedness", 0.02, 0.35),
        "burns": d.uniform("sideburns", -0.35, 0.25),
    }


def _hair_outline(c: Canvas, s: dict[str, Tensor]) -> Tensor:
    wave = s["ragged"] * c.texture[:, 3]
    dome = c.ellipse(0, -0.12, 0.70 + s["volume"], 0.90 + s["volume"]) + wave
    curtain = torch.minimum(0.66 + s["volume"] + wave - c.ax, s["length"] + wave - c.y)
    curtain = torch.minimum(curtain, c.y + 0.12)
    return torch.where(s["long"] > 0, torch.maximum(dome, curtain), dome)


def hair_behind(c: Canvas, hair: Tensor, s: dict[str, Tensor]) -> None:
    reach = torch.where(s["long"] > 0, s["length"], s["burns"])
    c.solid(s["present"] * c.edge(_hair_outline(c, s)) * c.edge(reach - c.y, 0.1), hair * 0.7)


def hair_front(c: Canvas, hair: Tensor, s: dict[str, Tensor]) -> None:
    wave = s["ragged"] * c.texture[:, 3]
    window = torch.hypot(
        (c.x - s["parting"] * (c.y < 0.1) * (0.1 - c.y)) / s["side"],
        (c.y - 0.25) / (0.25 - s["line"]),
    )
    outside = (window - 1.0) * 0.5 + wave
    below = torch.where(s["long"] > 0, s["length"], s["burns"]) - c.y
    mask = torch.minimum(torch.minimum(outside, below + wave), _hair_outline(c, s))
    c.cover(s["present"] * c.edge(mask, 0.03) * (outside > -0.05), hair)


def hat(c: Canvas) -> None:
    d = c.person
    kind = d.uniform("headwear")
    first, second = d.pick("hat", VIVID, 0.15), d.pick("hat band", VIVID, 0.15)
    pattern = (
        torch.sin(c.x * d.uniform("hat x", 0.0, 30.0) + c.y * d.uniform("hat y", 0.0, 40.0)) > 0.2
    ).float()
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


def glasses(c: Canvas) -> None:
    d = c.person
    dark = d.flag("dark lenses", 0.22)
    u = ((c.ax - 0.33) / d.uniform("lens width", 0.17, 0.25)).abs()
    v = ((c.y + 0.07) / d.uniform("lens height", 0.12, 0.22)).abs()
    round_lens, square_lens = torch.hypot(u, v), (u**4 + v**4).sqrt().sqrt()
    radius = torch.where(d.flag("square", 0.5) > 0, square_lens, round_lens)
    inside, rim = (1.0 - radius) * 0.18, d.uniform("rim width", 0.010, 0.035)
    lens = c.edge(inside)
    tint = d.pick("tint", FRAMES, 0.1)
    c.over(lens * (1.0 - dark) * d.uniform("lens tint", 0.0, 0.3), tint)
    c.cover(lens * dark * 0.94, tint * 0.3 + 0.15 * (c.y < -0.1)[:, None])
    frame = rim - inside.abs()
    bridge = torch.minimum(rim - (c.y + 0.10).abs(), 0.15 - c.ax)
    temple = torch.minimum(rim - (c.y + 0.12).abs(), torch.minimum(c.ax - 0.52, c.head + 0.03))
    frame = torch.maximum(frame, torch.maximum(bridge, temple))
    c.over(c.edge(frame), d.pick("frame", FRAMES, 0.05))
