"""Changes of a file's bytes, drawn by a seeded generator: what disks, tools and people do to files.

`mutate` picks among the changes for every file and those for files of that suffix. A change takes
the bytes and a generator and returns other bytes.
"""

from __future__ import annotations

import io
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import PurePath
from random import Random

__all__ = ["mutate"]

Change = Callable[[bytes, Random], bytes]

BYTES = (0, 1, 9, 10, 13, 32, 34, 44, 45, 46, 58, 91, 92, 123, 127, 128, 192, 255)
NUMBERS = b"0 -1 1e999 -1e999 nan inf 9223372036854775808 4294967296 1e-320 0x10 1_000 12,5".split()
TEXTS = (
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    "\u2028ü\u202e".encode(),
    b'"',
    b"../../etc/passwd",
    b"/dev/zero",
    b"a" * 300,
    b"x" * 5000,
    b"\n\n",
    b"\r",
    b"9" * 5000,
    b"NA",
    b"\x1b[2J",
)


def mutate(data: bytes, name: str, chance: Random) -> bytes:
    """These bytes changed once to three times, by changes that suit the file's name."""
    changes = (*ANY, *BY_SUFFIX.get(PurePath(name).suffix.lower(), ()))
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        data = chance.choice(changes)(data, chance)
    return data


def _place(data: bytes, chance: Random) -> int:
    return chance.randrange(len(data) + 1)


def cut(data: bytes, chance: Random) -> bytes:
    return data[: _place(data, chance)]


def emptied(data: bytes, chance: Random) -> bytes:
    return chance.choice((b"", b"\n", b"\x00" * len(data)))


def flipped(data: bytes, chance: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 5, 20)) if data else 0):
        changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def overwritten(data: bytes, chance: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 3)) if data else 0):
        changed[chance.randrange(len(data))] = chance.choice(BYTES)
    return bytes(changed)


def removed(data: bytes, chance: Random) -> bytes:
    at = _place(data, chance)
    return data[:at] + data[at + chance.choice((1, 2, 8, 100)) :]


def repeated(data: bytes, chance: Random) -> bytes:
    at = _place(data, chance)
    return data[:at] + data[at : at + chance.choice((1, 8, 100))] * chance.choice((2, 3, 50))


def zeroed(data: bytes, chance: Random) -> bytes:
    at, length = _place(data, chance), chance.choice((1, 8, 512))
    return data[:at] + bytes(len(data[at : at + length])) + data[at + length :]


def large_number(data: bytes, chance: Random) -> bytes:
    """A 32-bit or 64-bit number in place of some bytes."""
    kind = chance.choice(("<I", ">I", "<Q", ">Q"))
    value = chance.choice((0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**24, 8))
    at = _place(data, chance) // 4 * 4
    packed = struct.pack(kind, value)
    return data[:at] + packed + data[at + len(packed) :]


ANY: tuple[Change, ...] = (
    cut,
    emptied,
    flipped,
    flipped,
    overwritten,
    overwritten,
    removed,
    repeated,
    zeroed,
    large_number,
)


def inserted_text(data: bytes, chance: Random) -> bytes:
    at = _place(data, chance)
    return data[:at] + chance.choice(TEXTS) + data[at:]


def other_number(data: bytes, chance: Random) -> bytes:
    """Another number in place of a word that begins with a digit."""
    words = data.replace(b",", b" , ").split(b" ")
    numbers = [i for i, word in enumerate(words) if word[:1].isdigit()]
    if not numbers:
        return data
    words[chance.choice(numbers)] = chance.choice(NUMBERS)
    return b" ".join(words).replace(b" , ", b",")


def other_lines(data: bytes, chance: Random) -> bytes:
    """A line removed, doubled, swapped, or without its last words."""
    lines = data.split(b"\n")
    at = chance.randrange(len(lines))
    match chance.randrange(4):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, lines[at])
        case 2:
            chance.shuffle(lines)
        case 3:
            lines[at] = lines[at][: len(lines[at]) // 2]
    return b"\n".join(lines)


def long_line(data: bytes, chance: Random) -> bytes:
    at, unit = _place(data, chance), chance.choice((b",", b" ", b"1 ", b"a,", b"7", b'"'))
    return data[:at] + unit * chance.choice((10_000, 300_000)) + data[at:]


def other_encoding(data: bytes, chance: Random) -> bytes:
    text = data.decode("utf-8", "replace")
    return text.encode(chance.choice(("utf-16", "utf-32", "latin-1", "cp037")), "replace")


def deep(data: bytes, chance: Random) -> bytes:
    at, depth = _place(data, chance), chance.choice((50, 1_000, 100_000))
    opening, closing = chance.choice(((b"[", b"]"), (b'{"a":', b"}"), (b"{a: ", b"}")))
    return data[:at] + opening * depth + b"1" + closing * depth + data[at:]


def other_value(data: bytes, chance: Random) -> bytes:
    """Another value after a colon."""
    places = [i for i, byte in enumerate(data) if byte == ord(":")]
    if not places:
        return data
    at = chance.choice(places) + 1
    ends = [i for i in (data.find(b"\n", at), data.find(b",", at), len(data)) if i >= 0]
    return data[:at] + b" " + chance.choice(VALUES) + data[min(ends) :]


VALUES = (
    b"null",
    b"[]",
    b"{}",
    b"true",
    b'""',
    b"-1",
    b"1e400",
    b"NaN",
    b"Infinity",
    b"1" + b"0" * 400,
    b"1" + b"0" * 5000,
    b'"\\ud800"',
    b"2020-99-99",
    b"2020-01-01",
    b"1:2:3",
    b"!!python/object/apply:os.system ['true']",
    b"!!map 3",
    b"!!binary x",
    b"*a",
    b"&a [*a]",
    b"1e999999999",
    b"? [a, b]",
    b"0b2",
    b"'",
)

TEXT: tuple[Change, ...] = (inserted_text, other_number, other_lines, long_line, other_encoding)
STRUCTURED: tuple[Change, ...] = (*TEXT, deep, other_value, other_value)


def inside_gzip(data: bytes, chance: Random) -> bytes:
    """A change of the tar inside a ``.tar.gz``, packed again."""
    try:
        plain = zlib.decompress(data, 31)
    except zlib.error:
        return data
    packer = zlib.compressobj(1, wbits=31)
    return packer.compress(_changed_tar(plain, chance)) + packer.flush()


def _changed_tar(plain: bytes, chance: Random) -> bytes:
    if chance.random() < 0.5:
        return chance.choice(ANY)(plain, chance)
    # A field of a header, with its checksum made right.
    at = chance.randrange(max(1, len(plain) // 512)) * 512
    header = bytearray(plain[at : at + 512].ljust(512, b"\0"))
    where, length = chance.choice(((0, 100), (100, 8), (124, 12), (136, 12), (156, 1), (157, 100)))
    fill = chance.choice(
        (b"\xff" * 12, b"\x80" + b"\xff" * 11, b"7" * 11, b"../../x", b"/x", b"\0", b"xgLKSV"[:1])
    )
    if where == 156:
        fill = chance.choice((b"x", b"g", b"L", b"K", b"S", b"1", b"2", b"3", b"5", b"6", b"Z"))
    header[where : where + length] = fill[:length].ljust(length, b"\0")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return plain[:at] + bytes(header) + plain[at + 512 :]


def odd_member(data: bytes, chance: Random) -> bytes:
    """A tar with one more member at its front."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        info = tarfile.TarInfo(chance.choice(("data/faces/a\0b", "data/faces/\udcff", "a" * 400)))
        info.type = chance.choice((tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.FIFOTYPE))
        info.linkname = chance.choice(("", "..", "/", "a\0b"))
        info.pax_headers = {"size": chance.choice(("-512", "9" * 30, "x", ""))}
        info.pax_headers["mtime"] = chance.choice(("nan", "1e400", "-1", "x"))
        tar.addfile(info)
    return buffer.getvalue()[: chance.choice((None, -8))] + data


def inside_zip(data: bytes, chance: Random) -> bytes:
    """A change of one member of a zip, stored again with the right checksum."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as source:
            members = {name: source.read(name) for name in source.namelist()}
    except Exception:
        return data
    name = chance.choice(sorted(members))
    members[name] = chance.choice((*ANY, pickled_part))(members[name], chance)
    if chance.random() < 0.1:
        del members[name]
    buffer = io.BytesIO()
    kind = chance.choice((zipfile.ZIP_STORED,) * 5 + (zipfile.ZIP_DEFLATED,))
    with zipfile.ZipFile(buffer, "w", kind) as target:
        for name, content in members.items():
            target.writestr(name, content)
    return buffer.getvalue()


OPCODES = [
    value
    for name, value in vars(pickle).items()
    if name in pickle.__all__ and (isinstance(value, bytes) and len(value) == 1)
]


def pickled_part(data: bytes, chance: Random) -> bytes:
    """A few instructions of a pickle put somewhere."""
    at = _place(data, chance)
    added = b"".join(chance.choice(OPCODES) for _ in range(chance.choice((1, 2, 10))))
    return data[:at] + added * chance.choice((1, 1, 1000)) + data[at:]


BY_SUFFIX: dict[str, tuple[Change, ...]] = {
    **dict.fromkeys((".txt", ".csv", ".pts"), TEXT),
    **dict.fromkeys((".json", ".yaml"), STRUCTURED),
    ".gz": (inside_gzip, inside_gzip, odd_member),
    ".pth": (pickled_part, inside_zip, inside_zip),
    ".pt": (inside_zip,),
}
