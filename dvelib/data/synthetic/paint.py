"""Appearance layers of the synthetic faces: the colour of each canonical point.

Every layer is a smooth function of canonical coordinates and of named random draws, painted over
the previous layers. Features have fixed POSITIONS in canonical space. Colour, texture, paint, hair,
beard, glasses and drawing style vary between identities, so that features of different identities
cannot be matched by a common appearance.

*Convention.* Canonical (x, y): x right, y down, midline at x = 0. Pixels of a face are flattened to
P; masks are [N, P] in [0, 1], colours [N, 3, 1] or [N, 3, P] RGB in [0, 1].
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dvelib.data.synthetic.camera import camera, light, occluders
from dvelib.data.synthetic.canvas import Canvas
from dvelib.data.synthetic.draws import Draws
from dvelib.data.synthetic.features import beard, brows, eye_sockets, eyes, mouth, nose
from dvelib.data.synthetic.hair import (
    glasses,
    hair_behind,
    hair_colour,
    hair_front,
    hair_style,
    hat,
)
from dvelib.data.synthetic.head import (
    background,
    bare_skin,
    face_paint,
    neck_and_ears,
    skin_tone,
    wrinkles,
)


def paint_faces(
    canonical: Tensor, person: Draws, moment: Draws, *, supersample: int
) -> tuple[Tensor, Tensor]:
    """Paint N faces over their canonical coordinates at every subsample, [N, 2, S*ss, S*ss].

    person, moment: random draws of the identity and of (identity, variant). Returns images
    [N, 3, S, S] uint8 and the share of every pixel that shows the face surface, [N, S, S] float32.
    """
    c = Canvas(canonical, person, moment)
    skin, hair, style = skin_tone(person), hair_colour(c), hair_style(c)
    background(c)
    hair_behind(c, hair, style)
    neck_and_ears(c, skin)
    bare_skin(c, skin)
    face_paint(c, "paint one", 0.5)
    face_paint(c, "paint two", 0.3)
    wrinkles(c)
    c.paint_some(person.uniform("beard") < 0.34, beard, hair)
    eye_sockets(c, skin)
    eyes(c)
    brows(c, hair)
    nose(c, skin)
    mouth(c, skin)
    hair_front(c, hair, style)
    headwear, occluder = person.uniform("headwear"), moment.uniform("occluder")
    c.paint_some((headwear < 0.17) | (headwear > 0.93), hat)
    c.paint_some(person.flag("glasses", 0.24), glasses)
    light(c)
    c.paint_some((occluder < 0.11) | (occluder > 0.94), occluders, skin)
    count = len(c.image)
    planes = torch.cat([c.image.clamp_(0.0, 1.0), c.surface[:, None]], 1)
    planes = F.avg_pool2d(planes.view(count, 4, c.side, c.side), supersample)
    images = camera(planes[:, :3], moment).clamp(0.0, 1.0) * 255.0
    return images.round().to(torch.uint8), planes[:, 3]
