"""Eyes, brows, nose, mouth and beard, at fixed positions in canonical coordinates."""

from __future__ import annotations

import torch
from torch import Tensor

from dvelib.data.synthetic.canvas import HAIR, IRIS, LIPS, VIVID, Canvas, rgb
from dvelib.data.synthetic.geometry import falloff


def beard(c: Canvas, hair: Tensor) -> None:
    d = c.person
    ragged = 0.25 * c.texture[:, 3]
    jaw = 0.30 + ragged - c.head
    full = c.edge(jaw, 0.08) * c.edge(c.y - 0.12 + ragged, 0.1)
    full = torch.maximum(full, c.edge(c.y - 0.72 + ragged, 0.06))
    goatee = c.edge(0.24 - c.ax + ragged, 0.04) * c.edge(c.y - 0.73, 0.04)
    moustache = c.edge(
        d.uniform("moustache size", 0.03, 0.065)
        - (c.y - 0.445 - 0.5 * c.ax**2).abs()
        - 0.2 * ragged,
        0.03,
    )
    moustache *= c.edge(d.uniform("moustache width", 0.16, 0.36) - c.ax, 0.04)
    kind = d.uniform("beard")
    mask = full * (kind < 0.20) + goatee * ((kind > 0.15) & (kind < 0.27))
    mask = torch.maximum(mask, moustache * ((kind > 0.10) & (kind < 0.34)))
    density = torch.where(d.flag("stubble", 0.35) > 0, 0.35, d.uniform("beard density", 0.7, 1.0))
    c.over((mask * density * c.edge(c.head)).clamp_(0, 1), hair * (1 + c.texture[:, 4:5]))


def eye_sockets(c: Canvas, skin: Tensor) -> None:
    d = c.person
    c.shade(-d.uniform("sockets", -0.15, 0.5) * c.glow(0.31, -0.15, 0.17, 0.10))
    lid = c.glow(0.33, -0.19, 0.15, 0.05)
    c.over(d.flag("eye shadow", 0.3) * 0.8 * lid, d.pick("eye shadow colour", VIVID, 0.2))
    fold = (c.y + 0.20 - 1.6 * (c.ax - 0.33) ** 2).abs()
    fold = c.edge(0.012 - fold, 0.02) * c.edge(0.15 - (c.ax - 0.33).abs(), 0.03)
    c.over(d.uniform("lid fold", 0.0, 0.8) * fold, skin * 0.45)


def eyes(c: Canvas) -> None:
    d, m = c.person, c.moment
    arc = 1.0 - ((c.ax - 0.33) / 0.14) ** 2
    above = c.y + 0.09 + 0.079 * arc
    below = 0.055 * arc - 0.09 - c.y
    opening = torch.minimum(above, below)
    white = c.edge(opening)
    c.over(white, rgb(0.95, 0.94, 0.92) * d.uniform("white", 0.75, 1.0)[..., None])
    gaze = m.normal("gaze x", 0.022) * torch.sign(c.x)
    across, down = c.ax - 0.33 - gaze, c.y + 0.098 - m.normal("gaze y", 0.012)
    radius, size = torch.hypot(across, down), d.uniform("iris size", 0.055, 0.075)
    c.over(white * c.edge(size - radius), d.pick("iris", IRIS, 0.06))
    c.over(white * c.edge(0.45 * size - radius), torch.zeros(3, 1))
    glint = torch.hypot(c.x - c.x.sign() * 0.33 - 0.02, c.y + 0.125)
    c.over(white * c.edge(0.018 - glint), torch.ones(3, 1))
    lashes, liner = d.uniform("lashes", 0.008, 0.03), d.uniform("liner", 0.0, 0.012)
    rim = torch.maximum(c.edge(lashes - above.abs()), c.edge(liner - below.abs()))
    ends = c.edge(0.15 - (c.ax - 0.33).abs(), 0.02)
    c.over(rim * ends * d.uniform("rim", 0.5, 1.0), rgb(0.08, 0.05, 0.05))


def brows(c: Canvas, hair: Tensor) -> None:
    d = c.person
    offset = c.ax - 0.38
    height = -0.395 + torch.where(offset < 0, 1.25, 1.96) * offset**2
    taper = (1.0 - ((c.ax - 0.36) / 0.27).abs() ** 3).clamp_(min=0.0)
    thickness = d.uniform("brow thickness", 0.008, 0.06) * taper
    mask = c.edge(thickness - (c.y - height).abs()) * c.edge(taper - 0.05, 0.1)
    own = d.flag("brow colour", 0.2)[..., None]
    colour = torch.lerp(hair * 0.7, d.pick("brow paint", HAIR), own)
    c.over(mask * d.uniform("brow strength", 0.35, 1.0), colour)


def nose(c: Canvas, skin: Tensor) -> None:
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


def mouth(c: Canvas, skin: Tensor) -> None:
    d = c.person
    outer, inner = 1.0 - (c.ax / 0.27) ** 2, 1.0 - (c.ax / 0.22) ** 2
    dip = 0.023 * falloff((c.x / 0.032) ** 2)[0]
    upper = torch.minimum(c.y - 0.575 + 0.083 * outer - dip, 0.575 + 0.132 * outer - c.y)
    gap = torch.minimum(c.y - 0.577 + 0.022 * inner, 0.577 + 0.030 * inner - c.y)
    tint = d.uniform("lip tint", 0.1, 1.0)[..., None]
    lips = torch.lerp(skin * 0.85, d.pick("lips", LIPS, 0.06), tint)
    c.over(c.edge(upper), lips * torch.where(c.y < 0.58, 0.85, 1.0)[:, None])
    c.shade(d.uniform("gloss", 0.0, 0.4) * c.glow(0.0, 0.65, 0.08, 0.015))
    c.over(c.edge(gap + 0.004), rgb(0.22, 0.05, 0.06))
    teeth = c.edge(gap) * c.edge(c.moment.uniform("teeth", 0.575, 0.60) - c.y, 0.004)
    c.over(teeth * c.moment.flag("toothy", 0.8), rgb(0.95, 0.93, 0.88))
    c.shade(-d.uniform("under lip", 0.0, 0.4) * c.glow(0.0, 0.745, 0.12, 0.025))
