"""Light, occluders in front of the face, and camera effects."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dvelib.data.synthetic.canvas import HAIR, Canvas
from dvelib.data.synthetic.draws import Draws


def light(c: Canvas) -> None:
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


def occluders(c: Canvas, skin: Tensor) -> None:
    """Per variant: a hand or a microphone from the image border, or a loose strand of hair."""
    m = c.moment
    kind, angle = m.uniform("occluder"), m.uniform("occluder angle", 0.15 * math.pi, 0.85 * math.pi)
    away = torch.cos(angle) * c.screen_x + torch.sin(angle) * c.screen_y
    cross = torch.cos(angle) * c.screen_y - torch.sin(angle) * c.screen_x + m.normal("aside", 0.15)
    finger = (cross * 15.0).cos().abs()
    hand = torch.minimum(
        away - m.uniform("reach", 0.25, 0.7) + 0.1 * finger,
        m.uniform("hand", 0.2, 0.35) - cross.abs(),
    )
    creases = 1.0 - 0.45 * (1.0 - finger) ** 3
    c.cover(c.edge(hand) * (kind < 0.07), skin * creases[:, None])
    stick = torch.minimum(0.06 - cross.abs(), away - 0.62)
    ball = 0.15 - torch.hypot(away - 0.58, cross)
    mesh = 0.25 + 0.12 * torch.sin(c.screen_x * 70.0) * torch.sin(c.screen_y * 70.0)
    c.cover(
        c.edge(torch.maximum(stick, ball)) * (kind > 0.07) * (kind < 0.11),
        mesh[:, None].expand(-1, 3, -1),
    )
    strand = 0.02 - (c.x - m.uniform("strand", -0.5, 0.5) - 0.25 * torch.sin(3.0 * c.y)).abs()
    strand = torch.minimum(strand, m.uniform("strand end", -0.1, 0.7) - c.y)
    c.cover(c.edge(strand) * (kind > 0.94), c.person.pick("hair", HAIR))


def camera(image: Tensor, moment: Draws) -> Tensor:
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
    image = torch.lerp(
        image,
        grey,
        per_face(torch.maximum(moment.flag("greyscale", 0.08), moment.uniform("fade", 0.0, 0.3))),
    )
    noise = moment.uniform("noise", -1.0, 1.0, count=side * side).view(-1, 1, side, side)
    return image + per_face(moment.uniform("noise level", 0.0, 0.06)) * noise
