"""Random numbers of a face, looked up by name.

They come from a counter-based hash of (seed, identity, variant), never from a stream, so a face
does not depend on its batch.
"""

from __future__ import annotations

import math
import zlib

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Draws"]


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

    def fractal(
        self, name: str, channels: int, octaves: dict[int, Tensor | float], size: int
    ) -> Tensor:
        """Value noise about zero [N, C, size, size]: a weighted sum of lattices {width: weight}."""
        total = torch.zeros(len(self._state), channels, size, size)
        for width, weight in octaves.items():
            lattice = self.uniform(f"{name}/{width}", -0.5, 0.5, channels * width * width)
            lattice = lattice.view(-1, channels, width, width)
            smooth = F.interpolate(lattice, (size, size), mode="bilinear", align_corners=True)
            total += torch.as_tensor(weight)[..., None, None] * smooth
        return total
