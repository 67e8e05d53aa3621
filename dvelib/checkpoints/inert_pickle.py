"""Reading a pickle as the data it is, without carrying out what it says.

Python's own unpickler calls what a file names, and even where the names are limited a file may set
attributes of whatever it is given. Here `pickletools` decodes the instructions and a small stack
machine keeps values only:

- a global is a `Global`, its name and nothing more: no module is imported, nothing is looked up;
- an instance of a class is that same name: it is never made, and its state is dropped;
- where the file wants something called, `InertPickle.made` says what stands for the result;
- of mappings only the keys that are text are kept, for no other is ever looked up.
"""

from __future__ import annotations

import pickletools
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from dataclasses import dataclass
from typing import BinaryIO

__all__ = ["ForbiddenPickle", "Global", "InertPickle"]

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
FRESH = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_SET": list,
    "EMPTY_DICT": dict,
}


class ForbiddenPickle(Exception):
    """A pickle asks for what it may not have; the text says what, as in ``names os.system``."""


@dataclass(frozen=True)
class Global:
    """The name of a class or function; it also stands for every instance of that class."""

    module: str
    name: str

    def __str__(self) -> str:
        return ascii(f"{self.module}.{self.name}"[:80])[1:-1]


class InertPickle:
    """Reads one pickle from a stream, up to its last instruction; to be subclassed.

    `load` raises ForbiddenPickle where a global is not `allowed` and at instructions that a
    checkpoint has no use for. Where the bytes are no whole pickle it raises what Python happens
    to: ValueError, IndexError, KeyError, TypeError, OverflowError or MemoryError.
    """

    def __init__(self, stream: BinaryIO):
        self.stream = stream
        self.stack: list = []
        self.below: list[list] = []  # the stacks under each mark
        self.memo: dict[int, object] = {}

    def allowed(self, named: Global) -> bool:
        """Whether the file may name this global."""
        return False

    def made(self, function: Global, arguments: tuple) -> object:
        """What stands for calling a global: its name alone, an instance without contents."""
        return function

    def persistent(self, identity: object) -> object:
        """What stands for an object that is kept outside the pickle."""
        raise ForbiddenPickle("refers to an object outside itself")

    def load(self) -> object:
        for opcode, argument, _ in pickletools.genops(self.stream):
            if opcode.name in CONSTANTS:
                self.stack.append(argument)
            elif opcode.name in FRESH:
                self.stack.append(FRESH[opcode.name]())
            elif not (self._remember(opcode.name, argument) or self._collect(opcode.name)):
                self._refer(opcode.name, argument)
        return self.stack.pop()

    def _remember(self, instruction: str, index: int | None) -> bool:
        """Instructions of the stack and the memo; false where it is another kind."""
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
        """Instructions that make or fill containers; false where it is another kind."""
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
        """Instructions that name, call or set up objects: noted at most, never carried out."""
        match instruction:
            case "GLOBAL":
                module, name = named.split(" ", 1)
                # This instruction is of a time that wrote the names of Python 2.
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
        """The values above the last mark, which leave the stack with it."""
        values, self.stack = self.stack, self.below.pop()
        return values

    def _fill(self, values: list) -> None:
        """Put values in the container on top of the stack; into an instance goes nothing."""
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
            raise ValueError("a call of what is no function")
        self.stack.append(self.made(function, arguments))
