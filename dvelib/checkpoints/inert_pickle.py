"""Reading a pickle as plain data, without executing anything.

Python's unpickler calls functions that a file names. Even with restricted names, a file can set
attributes of the objects it gets. Here `pickletools` decodes the instructions, and a small stack
machine builds plain values:

- a global is a `Global`, which holds its name only: no module is imported, nothing is looked up;
- an instance of a class is represented by the `Global` of the class; its state is dropped;
- a call is replaced by the result of `InertPickle.made`;
- mappings keep text keys only, since no others are used;
- `Limits` bounds the instructions, the bytes and the values that a file can ask for, before the
  work is done.

PyTorch's restricted loader (``weights_only=True``) executes nothing either, but has no bounds: a
file of a megabyte can crash it, or take hours or all memory. It also lacks some instructions of the
published files, and needs their classes to exist.
"""

from __future__ import annotations

import pickletools
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from dataclasses import dataclass
from typing import BinaryIO

__all__ = ["ForbiddenPickle", "Global", "InertPickle", "Limits"]

CONSTANTS = {
    "INT",
    "BININT",
    "BININT1",
    "BININT2",
    "LONG",
    "LONG1",
    "LONG4",
    "FLOAT",
    "BINFLOAT",
    "STRING",
    "BINSTRING",
    "SHORT_BINSTRING",
    "UNICODE",
    "BINUNICODE",
    "SHORT_BINUNICODE",
    "BINUNICODE8",
    "BINBYTES",
    "SHORT_BINBYTES",
    "BINBYTES8",
    "BYTEARRAY8",
}
TOO_MUCH = "more work than any published file needs"
LONGEST_NUMBER = 2**12  # bits
LONGEST_LINE = 2**12  # bytes, of a name
FRESH = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_SET": list,
    "EMPTY_DICT": dict,
}


@dataclass
class Limits:
    """What all pickles of a file together may still ask for; beyond it a ValueError is raised.

    ``values`` counts the elements that are put into containers, also those of a list that a call
    copies. The largest published file needs 150,000 instructions and half a megabyte.
    """

    instructions: int = 400_000
    size: int = 2**26  # bytes
    values: int = 2_000_000

    def spend_instruction(self) -> None:
        self.instructions -= 1
        if self.instructions < 0:
            raise ValueError(TOO_MUCH)

    def spend_bytes(self, count: int) -> None:
        self.size -= count
        if self.size < 0:
            raise ValueError(TOO_MUCH)

    def spend_values(self, count: int) -> None:
        self.values -= count
        if self.values < 0:
            raise ValueError(TOO_MUCH)


class _Limited:
    """A stream of which no more may be read than the limits allow."""

    def __init__(self, stream: BinaryIO, limits: Limits):
        self.stream, self.limits = stream, limits
        if hasattr(stream, "tell"):
            self.tell = stream.tell

    def read(self, size: int) -> bytes:
        self.limits.spend_bytes(size)
        return self.stream.read(size)

    def readline(self) -> bytes:
        line = self.stream.readline(LONGEST_LINE)
        self.limits.spend_bytes(len(line))
        return line


class ForbiddenPickle(Exception):
    """A pickle uses something forbidden; the message says what, as in ``names os.system``."""


@dataclass(frozen=True)
class Global:
    """The name of a class or function; it also stands for every instance of that class."""

    module: str
    name: str

    def __str__(self) -> str:
        return ascii(f"{self.module}.{self.name}"[:80])[1:-1]


class InertPickle:
    """Reads one pickle from a stream, up to its last instruction; a base class.

    `load` raises ForbiddenPickle for a global that is not `allowed` and for instructions that
    checkpoints do not need. For damaged bytes it raises ValueError, IndexError, KeyError,
    TypeError, OverflowError or MemoryError. Exceeded `Limits` raise ValueError.
    """

    def __init__(self, stream: BinaryIO, limits: Limits | None = None):
        self.limits = limits or Limits()
        self.stream = _Limited(stream, self.limits)
        self.stack: list = []
        self.below: list[list] = []  # the stacks under each mark
        self.memo: dict[int, object] = {}

    def allowed(self, named: Global) -> bool:
        """Whether the file may name this global."""
        return False

    def made(self, function: Global, arguments: tuple) -> object:
        """The replacement for a call of a global; by default the `Global` itself."""
        return function

    def persistent(self, identity: object) -> object:
        """The replacement for an object that is stored outside the pickle."""
        raise ForbiddenPickle("refers to an object outside itself")

    def load(self) -> object:
        for opcode, argument, _ in pickletools.genops(self.stream):
            self.limits.spend_instruction()
            if opcode.name in CONSTANTS:
                if type(argument) is int and argument.bit_length() > LONGEST_NUMBER:
                    raise ValueError("a number of thousands of digits")
                self.stack.append(argument)
            elif opcode.name in FRESH:
                self.stack.append(FRESH[opcode.name]())
            elif not (self._remember(opcode.name, argument) or self._collect(opcode.name)):
                self._refer(opcode.name, argument)
        return self.stack.pop()

    def _remember(self, instruction: str, index: int | None) -> bool:
        """Carry out an instruction of the stack or the memo; False if it is of another kind."""
        match instruction:
            case "PROTO" | "FRAME" | "STOP":
                pass
            case "MARK":
                self.below.append(self.stack)
                self.stack = []
            case "POP":
                self.stack.pop()
            case "POP_MARK":
                self._to_mark()
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                self.memo[index] = self.stack[-1]
            case "MEMOIZE":
                self.memo[len(self.memo)] = self.stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                self.stack.append(self.memo[index])
            case _:
                return False
        return True

    def _collect(self, instruction: str) -> bool:
        """Carry out an instruction that makes or fills containers; False if of another kind."""
        match instruction:
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                values = [self.stack.pop() for _ in range(int(instruction[-1]))]
                self.stack.append(tuple(reversed(values)))
            case "TUPLE":
                values = self._to_mark()
                self.stack.append(tuple(values))
            case "LIST" | "FROZENSET":
                values = self._to_mark()
                self.stack.append(values)
            case "DICT":
                values = self._to_mark()
                self.stack.append({})
                self._fill(values)
            case "APPEND":
                self._fill([self.stack.pop()])
            case "SETITEM":
                value, key = self.stack.pop(), self.stack.pop()
                self._fill([key, value])
            case "APPENDS" | "ADDITEMS" | "SETITEMS":
                self._fill(self._to_mark())
            case _:
                return False
        return True

    def _refer(self, instruction: str, named: str | None) -> None:
        """Replace an instruction that names, calls or sets up objects; never carry it out."""
        match instruction:
            case "GLOBAL":
                module, name = named.split(" ", 1)
                # Pickles with this instruction use the module names of Python 2.
                module, name = NAME_MAPPING.get((module, name), (module, name))
                self._name(IMPORT_MAPPING.get(module, module), name)
            case "STACK_GLOBAL":
                name, module = self.stack.pop(), self.stack.pop()
                self._name(module, name)
            case "REDUCE" | "NEWOBJ":
                arguments, function = self.stack.pop(), self.stack.pop()
                self._call(function, arguments)
            case "NEWOBJ_EX":
                _, arguments, function = (self.stack.pop() for _ in range(3))
                self._call(function, arguments)
            case "BUILD":
                self.stack.pop()
            case "BINPERSID":
                self.stack.append(self.persistent(self.stack.pop()))
            case _:
                raise ForbiddenPickle(f"uses the pickle instruction {instruction}")

    def _to_mark(self) -> list:
        """Remove the last mark and the values above it from the stack; returns the values."""
        values, self.stack = self.stack, self.below.pop()
        self.limits.spend_values(len(values))
        return values

    def _fill(self, values: list) -> None:
        """Add values to the container on top of the stack; ignored for an instance."""
        container = self.stack[-1]
        if isinstance(container, list):
            container.extend(values)
        elif isinstance(container, dict):
            pairs = zip(values[::2], values[1::2], strict=True)
            container.update((key, value) for key, value in pairs if isinstance(key, str))

    def _name(self, module: str, name: str) -> None:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise ValueError("a global without a name")
        named = Global(module, name)
        if not self.allowed(named):
            raise ForbiddenPickle(f"names {named}")
        self.stack.append(named)

    def _call(self, function: Global, arguments: tuple) -> None:
        if not isinstance(function, Global) or not isinstance(arguments, tuple):
            raise ValueError("a call of something that is not a function")
        copied = (argument for argument in arguments if isinstance(argument, (list, dict, tuple)))
        self.limits.spend_values(sum(map(len, copied)))
        self.stack.append(self.made(function, arguments))
