"""Pickles that do harm to readers that trust them, and random programs of pickle operations."""

from __future__ import annotations

import itertools
import pickletools
import struct
from collections.abc import Sequence

from hypothesis import strategies as st

from tests.hostile.mutations import fractions

PROTO = b"\x80\x02"
_NAMES = (
    *(
        "os system",
        "posix system",
        "builtins eval",
        "builtins getattr",
        "subprocess Popen",
        "numpy load",
    ),
    *("numpy ndarray", "numpy dtype", "numpy.core.multiarray _reconstruct", "_codecs encode"),
    *(
        "numpy._core.multiarray scalar",
        "numpy._core.numeric _frombuffer",
        "collections OrderedDict",
    ),
    *("torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter", "torch FloatStorage"),
    *("torch LongStorage", "torch float32", "torch Size", "torch.storage UntypedStorage"),
    *("torch._utils _rebuild_sparse_tensor", "torch._utils _rebuild_meta_tensor_no_storage"),
)


def text(value: str) -> bytes:
    """The operation that pushes text."""
    data = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(data)) + data


def name(module: str, attribute: str) -> bytes:
    """The operation that looks up a name."""
    return f"c{module}\n{attribute}\n".encode()


def calling(module: str, attribute: str, argument: str) -> bytes:
    """A pickle that calls a function with one text."""
    return PROTO + name(module, attribute) + text(argument) + b"\x85R."


def array(dtype: str, shape: bytes, content: bytes, *, flags: int = 0) -> bytes:
    """Operations for a NumPy array of whatever type, shape (operations as well) and content."""
    made = name("numpy.core.multiarray", "_reconstruct") + b"(" + name("numpy", "ndarray")
    made += b"K\x00\x85C\x01btR(K\x01" + shape + name("numpy", "dtype") + b"(" + text(dtype)
    made += b"K\x00K\x01tR(K\x03" + text("|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff"
    return made + b"K" + bytes([flags]) + b"tb\x89" + content + b"tb"


def long_number(digits: int) -> bytes:
    """The operation that pushes ten to a power."""
    value: int = 10**digits
    data = value.to_bytes(value.bit_length() // 8 + 1, "little")
    return b"\x8b" + struct.pack("<i", len(data)) + data


HARMFUL: dict[str, bytes] = {
    "object array of raw bytes": PROTO + array("O8", b"K\x01\x85", b"C\x08AAAAAAAA") + b".",
    "array longer than its bytes": PROTO + array("u1", b"J\xff\xff\xff\x7f\x85", b"C\x01A") + b".",
    "array of negative length": PROTO + array("u1", b"J\xff\xff\xff\xff\x85", b"C\x01A") + b".",
    "array of 2 ** 70 axes of 1": PROTO
    + array("u1", b"(" + b"K\x01" * 100 + b"t", b"C\x01A")
    + b".",
    "array of structures": PROTO + array("V8", b"K\x01\x85", b"C\x08AAAAAAAA") + b".",
    "text of no characters": PROTO + array("U1", b"K\x01\x85", b"C\x04\xff\xff\xff\xff") + b".",
    "object scalar": PROTO
    + name("numpy.core.multiarray", "scalar")
    + name("numpy", "dtype")
    + b"("
    + text("O8")
    + b"K\x00K\x01tRC\x08AAAAAAAA\x86R.",
    "array before its content": PROTO
    + b"]"
    + name("numpy.core.multiarray", "_reconstruct")
    + b")Ra.",
    "key of nested tuples": PROTO + b"}K\x00" + b"\x85" * 200_000 + b"K\x00s.",
    "list of nested lists": PROTO + b"]" * 100_000 + b"a" * 99_999 + b".",
    "list within itself": PROTO + b"]q\x00h\x00a.",
    "lists that double": PROTO
    + b"]q\x00"
    + b"".join(b"]q%c(h%ch%ce" % (i + 1, i, i) for i in range(40))
    + b".",
    "memo at two thousand million": PROTO + b"]r\xff\xff\xff\x7f.",
    "bytes of an exbibyte": b"\x80\x05\x96" + struct.pack("<Q", 1 << 60) + b".",
    "text of an exbibyte": b"\x80\x05\x8d" + struct.pack("<Q", 1 << 60) + b".",
    "negative length": PROTO + b"T\xff\xff\xff\xff.",
    "ten to 400": PROTO + long_number(400) + b".",
    "ten to 400 in digits": b"L1" + b"0" * 400 + b"L\n.",
    "ten to 400 as a real number": b"F1" + b"0" * 400 + b"\n.",
    "half of a surrogate pair": PROTO + text("\ud800") + b".",
    "half of a surrogate pair, escaped": b"V\\ud800\n.",
    "instance": PROTO + b"(" + text("true") + b"ios\nsystem\n.",
    "object": PROTO + b"(" + name("os", "system") + text("true") + b"o.",
    "new object": PROTO + name("os", "system") + text("true") + b"\x85\x81.",
    "extension": PROTO + b"\x82\x01.",
    "persistent id": b"Pos.system\n.",
    "call of text": PROTO + text("numpy.dtype") + text("u1") + b"\x85R.",
    "function as a value": PROTO + name("numpy", "ndarray") + b".",
    "content for a list": PROTO + b"]}b.",
    "nothing": b"",
    "no value": b".",
    "out buffer": b"\x80\x05\x97.",
    "set": b"\x80\x04\x8f(K\x01\x90.",
    "text encoded again and again": PROTO
    + text("x" * 100_000)
    + b"q\x000"
    + name("_codecs", "encode")
    + b"q\x010("
    + (b"h\x01h\x00" + text("latin1") + b"\x86R") * 20_000
    + b"l.",
}
"""Pickles that are refused, by what is wrong with them."""

_ARGUMENTS = st.one_of(
    st.sampled_from(
        [b"K\x00", b"K\x01", b"K\x96", b"M\xff\xff", b"J\xff\xff\xff\xff", b"J\x00\x00\x00\x80"]
    ),
    st.sampled_from(
        [b"N", b"\x88", b"\x89", b")", b"]", b"}", b"C\x08AAAAAAAA", b"U\x02ab", b"G" + b"\x7f" * 8]
    ),
    st.sampled_from(
        ["u1", "i8", "<", "|", "O8", "U9", "storage", "0", "cpu", "labels", "weights", "latin1"]
    ).map(text),
    st.sampled_from(_NAMES).map(lambda both: name(*both.split(" "))),
    st.integers(-(2**70), 2**70).map(lambda n: b"\x8a\x0a" + n.to_bytes(10, "little", signed=True)),
)
_OPERATIONS = st.one_of(
    st.sampled_from([bytes([code]) for code in b"(tlde012asuRbQ\x85\x86\x87\x93\x94\x81o"]),
    st.sampled_from([b"q\x00", b"q\x01", b"h\x00", b"h\x01", b"r\xff\xff\xff\x7f"]),
    st.sampled_from(
        [name("numpy", "dtype") + text("u1") + b"\x85R", b"(K\x03" + text("<") + b"NNNtb"]
    ),
    st.sampled_from(
        [array("u1", b"K\x02\x85", b"C\x02AB"), array("U1", b"K\x01\x85", b"C\x04A\0\0\0")]
    ),
)


def programs() -> st.SearchStrategy[bytes]:
    """Sequences of pickle operations, most of them valid one by one."""
    steps = st.lists(st.one_of(_ARGUMENTS, _OPERATIONS), max_size=30)
    return steps.map(lambda operations: PROTO + b"".join(operations) + b".")


def rearranged(valid: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Valid pickles in which operations are left out, doubled, replaced or put in."""
    whole = [_operations_of(content) for content in valid]
    own = st.sampled_from(sorted({operation for operations in whole for operation in operations}))
    edit = st.tuples(
        st.sampled_from(["replace", "insert", "delete", "double"]),
        fractions(),
        st.one_of(own, _ARGUMENTS, _OPERATIONS),
    )
    return st.builds(_edited, st.sampled_from(whole), st.lists(edit, min_size=1, max_size=5))


def _operations_of(content: bytes) -> list[bytes]:
    starts = [position for _, _, position in pickletools.genops(content) if position is not None]
    return [content[start:end] for start, end in itertools.pairwise([*starts, len(content)])]


def _edited(operations: list[bytes], edits: list[tuple[str, float, bytes]]) -> bytes:
    edited = list(operations)
    for kind, where, operation in edits:
        at = int(where * len(edited))
        if kind == "insert":
            edited.insert(at, operation)
        elif edited and kind == "delete":
            del edited[at]
        elif edited:
            edited[at] = operation if kind == "replace" else edited[at] * 2
    return b"".join(edited)


WORDS = (
    *(name(*both.split(" ")) for both in _NAMES),
    *(bytes([code]) for code in b"(tlde012asuRbQ.\x85\x86\x87\x93\x94\x81oNqh"),
    *(long_number(digits) for digits in (18, 19, 38, 400)),
)
"""For :func:`tests.hostile.mutations.damaged`."""
