"""Reading Matlab files of version 5, as far as datasets need them, without trusting them.

Numeric arrays, text, cells and structures are read, plain or compressed, of both byte orders.
Anything else is an error. Every length is checked before it is used, so that a damaged or hostile
file raises ValueError and never takes more than `MOST` bytes. (The reader of SciPy can crash the
process on damaged files.)

Source: "MAT-File Format" of MathWorks, chapter 1, Level 5.
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass

import numpy as np

__all__ = ["Cells", "Structure", "parse_mat"]

MOST = 2**28  # bytes after decompression
DEEPEST = 8  # cells and structures inside each other
MOST_DIMENSIONS, MOST_FIELDS = 8, 1000
HEADER = 128
# Types of stored numbers. 16 is UTF-8, read like bytes.
STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8"}
STORED |= {13: "u8", 16: "u1", 17: "u2", 18: "u4"}
MATRIX, COMPRESSED = 14, 15
CELL, STRUCT, TEXT = 1, 2, 4
CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4"}
CLASSES |= {14: "i8", 15: "u8"}
COMPLEX = 0x0800

Value = "np.ndarray | str | Cells | Structure"


@dataclass(frozen=True)
class Cells:
    """A cell array: its values in Matlab's order, the first index fastest."""

    shape: tuple[int, ...]
    values: list[Value]


@dataclass(frozen=True)
class Structure:
    """A structure array: for each of its elements, values by the name of the field."""

    shape: tuple[int, ...]
    elements: list[dict[str, Value]]


def parse_mat(data: bytes) -> dict[str, Value]:
    """The variables of a Matlab file by name; raises ValueError where it is damaged or differs."""
    if len(data) < HEADER:
        raise ValueError("it is shorter than the header of a Matlab file")
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    version = struct.unpack(f"{order}H", data[124:126])[0] if order else None
    if version != 0x0100:
        raise ValueError("it is no Matlab file of version 5: save it with -v6 or -v7")
    reader, found = _Reader(order), {}
    for kind, content in reader.elements(memoryview(data)[HEADER:]):
        if kind == COMPRESSED:
            ((kind, content),) = reader.elements(memoryview(reader.unpacked(content)))
        if kind == MATRIX:
            name, value = reader.matrix(content, 0)
            found[name] = value
    return found


class _Reader:
    """``order``: < or >, of the bytes. Counts the bytes that compressed parts have become."""

    def __init__(self, order: str):
        self.order, self.unpacked_bytes = order, 0

    def unpacked(self, content: memoryview) -> bytes:
        unpacker = zlib.decompressobj()
        try:
            data = unpacker.decompress(content, MOST - self.unpacked_bytes)
        except zlib.error as error:
            raise ValueError(f"a compressed part is damaged, {error}") from None
        if not unpacker.eof:
            raise ValueError("a compressed part is cut off or too large")
        self.unpacked_bytes += len(data)
        return data

    def elements(self, data: memoryview):
        """Type and content of each element; the tag of a short one holds its content."""
        at = 0
        while at + 8 <= len(data):
            kind, length = struct.unpack_from(f"{self.order}2I", data, at)
            if kind >> 16:  # at most four bytes, in the tag itself
                kind, length, start, end = kind & 0xFFFF, kind >> 16, at + 4, at + 8
                if length > 4:
                    raise ValueError("a short element has more than four bytes")
            else:
                start = at + 8
                padding = 0 if kind == COMPRESSED else -length % 8
                end = start + length + padding
            if start + length > len(data):
                raise ValueError("an element is longer than the file")
            yield kind, data[start : start + length]
            at = end

    def matrix(self, data: memoryview, depth: int) -> tuple[str, Value]:
        """Name and value of an array."""
        if not len(data):
            return "", np.empty((0, 0))
        if depth > DEEPEST:
            raise ValueError(f"more than {DEEPEST} cells or structures inside each other")
        parts = self.elements(data)
        flags = self._numbers(parts)
        if len(flags) != 2:
            raise ValueError("an array without flags")
        kind = int(flags[0]) & 0xFF
        shape = self._shape(parts)
        name = self._numbers(parts).astype("u1").tobytes().decode("latin-1")
        if kind == CELL:
            return name, Cells(shape, self._nested(parts, math.prod(shape), depth))
        if kind == STRUCT:
            return name, self._structure(parts, shape, depth)
        if kind == TEXT:
            return name, self._text(parts)
        if kind not in CLASSES or int(flags[0]) & COMPLEX:
            raise ValueError(f"an array of a kind that is not read (class {kind})")
        numbers = self._numbers(parts)
        if len(numbers) != math.prod(shape):
            raise ValueError(f"an array of shape {shape} holds {len(numbers)} numbers")
        with np.errstate(invalid="ignore", over="ignore"):
            return name, numbers.astype(CLASSES[kind]).reshape(shape, order="F")

    def _shape(self, parts) -> tuple[int, ...]:
        shape = tuple(int(n) for n in self._numbers(parts))
        if not 2 <= len(shape) <= MOST_DIMENSIONS or min(shape) < 0 or math.prod(shape) > MOST:
            raise ValueError(f"an array of the impossible shape {shape[:MOST_DIMENSIONS]}")
        return shape

    def _numbers(self, parts) -> np.ndarray:
        kind, content = _next(parts)
        if kind not in STORED:
            raise ValueError(f"numbers of an unknown type ({kind})")
        dtype = np.dtype(STORED[kind]).newbyteorder(self.order)
        if len(content) % dtype.itemsize:
            raise ValueError("numbers that are cut off")
        return np.frombuffer(content, dtype)

    def _text(self, parts) -> str:
        kind, content = _next(parts)
        encoding = {16: "utf-8", 17: "utf-16", 18: "utf-32"}.get(kind)
        if encoding is None:  # a number for each character
            codes = np.frombuffer(
                content, np.dtype(STORED.get(kind, "u1")).newbyteorder(self.order)
            )
            if codes.dtype.kind != "u":
                raise ValueError("text of an unknown type")
            return "".join(map(chr, codes.tolist()))
        ending = "" if kind == 16 else {"<": "-le", ">": "-be"}[self.order]
        return bytes(content).decode(encoding + ending)

    def _nested(self, parts, count: int, depth: int) -> list[Value]:
        values = []
        for kind, content in parts:
            if kind != MATRIX or len(values) == count:
                break
            values.append(self.matrix(content, depth + 1)[1])
        if len(values) != count:
            raise ValueError(f"{count} values are announced, and {len(values)} are there")
        return values

    def _structure(self, parts, shape: tuple[int, ...], depth: int) -> Structure:
        length = self._numbers(parts)
        text = self._numbers(parts).astype("u1").tobytes()
        if len(length) != 1 or not 0 < length[0] <= 64 or len(text) % int(length[0]):
            raise ValueError("a structure without names of its fields")
        step = int(length[0])
        fields = [text[i : i + step].split(b"\0")[0] for i in range(0, len(text), step)]
        if len(fields) > MOST_FIELDS or len(set(fields)) < len(fields):
            raise ValueError("a structure with too many or equal fields")
        names, count = [field.decode("latin-1") for field in fields], math.prod(shape)
        if not names:
            raise ValueError("a structure without fields")
        values = self._nested(parts, count * len(names), depth)
        return Structure(
            shape,
            [
                dict(zip(names, values[i : i + len(names)], strict=True))
                for i in range(0, len(values), len(names))
            ],
        )


def _next(parts) -> tuple[int, memoryview]:
    found = next(parts, None)
    if found is None:
        raise ValueError("an array is cut off")
    return found
