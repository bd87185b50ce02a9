"""Read pickles without running them: plain values, and stand-ins for the few functions that files need.

Python's unpickler calls what a file names. Checking the names is not enough, since functions such as
``numpy.ndarray.__setstate__`` trust their arguments and can be made to read any memory. Here a file can
call nothing but the stand-ins that its reader gives, which check what they are given.
"""

from __future__ import annotations

import abc
import codecs
import dataclasses
import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attnxai.data.short_repr import shown_name

# of a hundred bytes each at most, so that a file of opcodes alone stays below half a gigabyte
_MOST_OPERATIONS = 5_000_000
_DEEPEST = 50
_LONGEST_NUMBER = 16
_MOST_REPEATED = 10
_BYTES_OF_ITEM = 20
_PLAIN = (type(None), bool, int, float, str, bytes)


class PickleFault(ValueError):
    """Why a pickle was refused, as a clause that begins with "it"."""


class ForbiddenName(PickleFault):
    """The pickle names something that is not among the stand-ins, such as ``os.system``."""

    def __init__(self, name: str) -> None:
        self.name = shown_name(name)
        super().__init__(f"it asks for {self.name}, and nothing in a file is run")


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class StandIn:
    """What a name in a pickle means.

    ``call`` takes the arguments that the pickle gives and checks them; it may raise any ``Exception``. A
    stand-in without it can only be passed to other stand-ins.
    """

    call: Callable[..., Any] | None = None


class Unbuilt(abc.ABC):
    """A value whose content follows in the pickle."""

    def __init__(self) -> None:
        self.memo_keys: list[int] = []

    @abc.abstractmethod
    def built(self, state: Any) -> Any:
        """The value, from the content that the pickle gives for it."""


def unpickle(
    content: bytes,
    names: Mapping[str, Any],
    *,
    leaves: tuple[type, ...] = (),
    persistent: Callable[[Any], Any] | None = None,
    start: int = 0,
) -> tuple[Any, int]:
    """Read a pickle of any protocol, from ``start`` on; text of Python 2 is taken for Latin-1.

    ``names`` gives the meaning of ``"module name"``, a :class:`StandIn` or a plain value; ``persistent`` that
    of a persistent id, which is refused without it. The value is made of dictionaries, lists, tuples, plain
    values and ``leaves``, has no cycles, is at most 50 deep and, written out, at most ten times as long as
    ``content``. It is returned with the position of the pickle's end.
    """
    machine = _Machine(content, names, persistent, start)
    try:
        value = machine.run()
        _written_length(value, (*_PLAIN, *leaves), most=_most_bytes(content))
    except PickleFault:
        raise
    except Exception as error:  # damage can raise anything, in stand-ins as well
        raise PickleFault("it is damaged") from error
    return value, machine.at


def _most_bytes(content: bytes) -> int:
    return _MOST_REPEATED * len(content) + 10_000


class _Machine:
    """The stack machine that a pickle is a program of."""

    def __init__(
        self,
        content: bytes,
        names: Mapping[str, Any],
        persistent: Callable[[Any], Any] | None,
        start: int,
    ) -> None:
        self.content, self.at = content, start
        self.names, self.persistent = names, persistent
        self.stack: list[Any] = []
        self.below_marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.most_given = _most_bytes(content)

    def run(self) -> Any:
        for _ in range(_MOST_OPERATIONS):
            code = self.take(1)
            if code == b".":
                return self.stack.pop()
            operation = _OPERATIONS.get(code)
            if operation is None:
                raise PickleFault(
                    f"it is damaged, or needs the operation {code!r}, which can run code"
                )
            operation(self)
        raise PickleFault(f"it has more than {_MOST_OPERATIONS} operations")

    # --- arguments ---------------------------------------------------------------------------------

    def take(self, length: int) -> bytes:
        taken = self.content[self.at : self.at + length]
        if length < 0 or len(taken) < length:
            raise PickleFault("it is truncated")
        self.at += length
        return taken

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def counted(self, form: str) -> bytes:
        return self.take(self.number(form))

    def line(self) -> bytes:
        end = self.content.find(b"\n", self.at)
        if end < 0:
            raise PickleFault("it is truncated")
        return self.take(end + 1 - self.at)[:-1]

    # --- operations --------------------------------------------------------------------------------

    def push_whole(self, data: bytes) -> None:
        if len(data) > _LONGEST_NUMBER:
            raise PickleFault(f"it holds a whole number of {len(data)} bytes")
        self.stack.append(int.from_bytes(data, "little", signed=True))

    def push_decimal(self) -> None:
        line = self.line()
        if len(line) > 2 * _LONGEST_NUMBER:
            raise PickleFault(f"it holds a whole number of {len(line)} digits")
        # Python 2 had no other way to write true and false
        self.stack.append({b"01": True, b"00": False}.get(line, int(line.rstrip(b"L"))))

    def push_text(self, data: bytes, encoding: str = "utf-8") -> None:
        try:
            text = data.decode(encoding)
            text.encode()  # half of a surrogate pair can be neither written nor printed
        except UnicodeError:
            raise PickleFault("it holds text that is not Unicode") from None
        self.stack.append(text)

    def push_quoted(self) -> None:
        line = self.line().strip()
        if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
            raise PickleFault("it is damaged")
        self.stack.append(codecs.escape_decode(line[1:-1])[0].decode("latin-1"))

    def mark(self) -> None:
        self.below_marks.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[Any]:
        values, self.stack = self.stack, self.below_marks.pop()
        return values

    def tuple_of(self, length: int) -> None:
        if length > len(self.stack):
            raise PickleFault("it is damaged")
        values = tuple(self.stack[len(self.stack) - length :])
        self.stack[len(self.stack) - length :] = [values]

    def append(self, values: list[Any]) -> None:
        self.target(list).extend(values)

    def set_items(self, values: list[Any]) -> None:
        target = self.target(dict)
        if len(values) % 2:
            raise PickleFault("it is damaged")
        for key, value in zip(values[::2], values[1::2], strict=True):
            if not isinstance(key, _PLAIN):
                raise PickleFault(f"it has a key that is a {type(key).__name__}")
            target[key] = value

    def target(self, kind: type) -> Any:
        # the exact class: what stand-ins give is not to be changed
        if type(self.stack[-1]) is not kind:
            raise PickleFault("it is damaged")
        return self.stack[-1]

    def put(self, key: int) -> None:
        value = self.memo[key] = self.stack[-1]
        if isinstance(value, Unbuilt):
            value.memo_keys.append(key)

    def look_up(self, module: str, name: str) -> None:
        key = f"{module} {name}"
        if key not in self.names:
            raise ForbiddenName(f"{module}.{name}")
        self.stack.append(self.names[key])

    def look_up_from_stack(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise PickleFault("it is damaged")
        self.look_up(module, name)

    def reduce(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if (
            not isinstance(function, StandIn)
            or function.call is None
            or type(arguments) is not tuple
        ):
            raise PickleFault("it is damaged, or calls what it has put together itself")
        self.count_given(arguments)
        self.stack.append(function.call(*arguments))

    def build(self) -> None:
        state, target = self.stack.pop(), self.stack.pop()
        if isinstance(target, Unbuilt):
            self.count_given(state)
            built = target.built(state)
            while target.memo_keys:
                self.memo[target.memo_keys.pop()] = built
            target = built
        elif not isinstance(target, dict):  # attributes of an ordered dictionary are left out
            raise PickleFault("it is damaged")
        self.stack.append(target)

    def count_given(self, values: Iterable[Any]) -> None:
        """Limit what stand-ins copy: a few bytes can pass the same long value once more."""
        for value in values:
            if isinstance(value, str | bytes):
                self.most_given -= len(value)
            elif isinstance(value, list | tuple | dict):
                self.most_given -= _BYTES_OF_ITEM * len(value)
        if self.most_given < 0:
            raise PickleFault(
                "it passes the same values so often that they would not fit into memory"
            )

    def push_persistent(self) -> None:
        if self.persistent is None:
            raise PickleFault("it refers to something outside of it")
        self.stack.append(self.persistent(self.stack.pop()))


def _push(value: Callable[[_Machine], Any]) -> Callable[[_Machine], None]:
    def push(machine: _Machine) -> None:
        pushed = value(machine)  # which may change the stack
        machine.stack.append(pushed)

    return push


_OPERATIONS: dict[bytes, Callable[[_Machine], Any]] = {
    # what only frames and versions it
    b"\x80": lambda m: m.take(1),
    b"\x95": lambda m: m.take(8),
    # plain values
    b"N": lambda m: m.stack.append(None),
    b"\x88": lambda m: m.stack.append(True),
    b"\x89": lambda m: m.stack.append(False),
    b"I": lambda m: m.push_decimal(),
    b"L": lambda m: m.push_decimal(),
    b"J": _push(lambda m: m.number("<i")),
    b"K": _push(lambda m: m.number("<B")),
    b"M": _push(lambda m: m.number("<H")),
    b"\x8a": lambda m: m.push_whole(m.counted("<B")),
    b"\x8b": lambda m: m.push_whole(m.counted("<i")),
    b"F": _push(lambda m: float(m.line())),
    b"G": _push(lambda m: m.number(">d")),
    b"S": lambda m: m.push_quoted(),
    b"T": lambda m: m.push_text(m.counted("<i"), "latin-1"),
    b"U": lambda m: m.push_text(m.counted("<B"), "latin-1"),
    b"V": lambda m: m.push_text(m.line(), "raw-unicode-escape"),
    b"X": lambda m: m.push_text(m.counted("<I")),
    b"\x8c": lambda m: m.push_text(m.counted("<B")),
    b"\x8d": lambda m: m.push_text(m.counted("<Q")),
    b"B": _push(lambda m: m.counted("<I")),
    b"C": _push(lambda m: m.counted("<B")),
    b"\x8e": _push(lambda m: m.counted("<Q")),
    b"\x96": _push(lambda m: m.counted("<Q")),
    # containers
    b"]": lambda m: m.stack.append([]),
    b"l": _push(lambda m: m.since_mark()),
    b"a": lambda m: m.append([m.stack.pop()]),
    b"e": lambda m: m.append(m.since_mark()),
    b")": lambda m: m.stack.append(()),
    b"t": _push(lambda m: tuple(m.since_mark())),
    b"\x85": lambda m: m.tuple_of(1),
    b"\x86": lambda m: m.tuple_of(2),
    b"\x87": lambda m: m.tuple_of(3),
    b"}": lambda m: m.stack.append({}),
    b"d": lambda m: _new_dictionary(m),
    b"s": lambda m: m.set_items([m.stack.pop(), m.stack.pop()][::-1]),
    b"u": lambda m: m.set_items(m.since_mark()),
    # the stack and the memo
    b"(": lambda m: m.mark(),
    b"0": lambda m: m.stack.pop() if m.stack else m.since_mark(),
    b"1": lambda m: m.since_mark(),
    b"2": _push(lambda m: m.stack[-1]),
    b"g": _push(lambda m: m.memo[int(m.line())]),
    b"h": _push(lambda m: m.memo[m.number("<B")]),
    b"j": _push(lambda m: m.memo[m.number("<I")]),
    b"p": lambda m: m.put(int(m.line())),
    b"q": lambda m: m.put(m.number("<B")),
    b"r": lambda m: m.put(m.number("<I")),
    b"\x94": lambda m: m.put(len(m.memo)),
    # names and calls
    b"c": lambda m: m.look_up(m.line().decode(), m.line().decode()),
    b"\x93": lambda m: m.look_up_from_stack(),
    b"R": lambda m: m.reduce(),
    # a new object of a class: here, as every call, that of a stand-in
    b"\x81": lambda m: m.reduce(),
    b"b": lambda m: m.build(),
    b"Q": lambda m: m.push_persistent(),
}


def _new_dictionary(machine: _Machine) -> None:
    items = machine.since_mark()
    machine.stack.append({})
    machine.set_items(items)


def _written_length(
    value: Any,
    leaves: tuple[type, ...],
    *,
    most: int,
    depth: int = 0,
    known: dict[int, int | None] | None = None,
) -> int:
    """Length of a value if it were printed, compared or copied, refused above ``most``.

    What occurs several times counts as often: a few hundred bytes of lists within lists can stand for
    more values than any memory holds. ``known`` has the length of every container by its id, None within it.
    """
    if not isinstance(value, dict | list | tuple):
        if not isinstance(value, leaves):
            raise PickleFault("it is damaged, or holds a function as a value")
        return 1 + (len(value) if isinstance(value, str | bytes) else 0)
    known = {} if known is None else known
    if id(value) in known:
        length = known[id(value)]
        if length is None:
            raise PickleFault("it holds a container that contains itself")
        return length
    if depth == _DEEPEST:
        raise PickleFault(f"it holds containers that are more than {_DEEPEST} deep")
    known[id(value)] = None
    length = 1
    for item in (*value, *value.values()) if isinstance(value, dict) else value:
        length += _written_length(item, leaves, most=most, depth=depth + 1, known=known)
        if length > most:
            raise PickleFault("it repeats its values so often that it would not fit into memory")
    known[id(value)] = length
    return length
