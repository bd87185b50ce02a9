"""NumPy arrays and numbers in pickles, decoded from shape, type and bytes without NumPy's own unpickling."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from attnxai.data.pickles import PickleFault, StandIn, Unbuilt

# booleans, whole and real numbers, text; objects only where they are listed one by one
_CODE = re.compile(r"b1|[iu][1248]|f[248]|[SU][1-9]\d{0,5}|O[48]?")
_MOST_AXES = 8
_HIGHEST_CHARACTER = 0x10FFFF
_SURROGATES = (0xD800, 0xDFFF)


def _fault() -> PickleFault:
    return PickleFault("an array in it is damaged, or of another kind than numbers and text")


class _Type(Unbuilt):
    """``numpy.dtype``: a code such as ``i8``, and then its byte order."""

    def __init__(self, code: object, *_: object) -> None:
        super().__init__()
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            raise _fault()
        self.code = code

    def built(self, state: Any) -> np.dtype[Any]:
        # version, order, and what only structured types have
        order, *structure = state[1:5]
        if order not in ("<", ">", "=", "|") or structure != [None] * 3:
            raise _fault()
        if self.code.startswith("O"):
            return np.dtype(object)
        return np.dtype((order if order in "<>" else "=") + self.code)


class _Array(Unbuilt):
    """``_reconstruct(ndarray, ...)``: an array whose content follows."""

    def __init__(self, *_: object) -> None:
        super().__init__()

    def built(self, state: Any) -> Any:
        _, shape, dtype, fortran, content = state
        if isinstance(dtype, np.dtype) and dtype.hasobject:
            if not isinstance(content, list) or shape != (len(content),):
                raise _fault()
            return list(content)
        return _decoded(content, dtype, shape, order="F" if fortran else "C")


def _decoded(content: Any, dtype: Any, shape: Any, order: Any = "C") -> np.ndarray[Any, Any]:
    """A read-only array of these bytes, which have to be as many as the shape needs."""
    if isinstance(content, str):  # bytes of Python 2
        content = content.encode("latin-1")
    whole = isinstance(shape, tuple) and all(type(n) is int and 0 <= n < 2**31 for n in shape)
    if not isinstance(content, bytes) or not isinstance(dtype, np.dtype) or dtype.hasobject:
        raise _fault()
    if not whole or len(shape) > _MOST_AXES or order not in ("C", "F"):
        raise _fault()
    if math.prod(shape) * dtype.itemsize != len(content):
        raise PickleFault(
            f"it holds an array of shape {shape} and type {dtype} with {len(content)} bytes"
        )
    if not content:
        return np.zeros(shape, dtype)
    if dtype.kind == "U":
        characters = np.frombuffer(content, dtype.str[0] + "u4")
        low, high = _SURROGATES
        if (
            characters.max() > _HIGHEST_CHARACTER
            or ((characters >= low) & (characters <= high)).any()
        ):
            raise _fault()
    return np.frombuffer(content, dtype).reshape(shape, order=order)


def _scalar(dtype: Any, content: Any) -> Any:
    return _decoded(content, dtype, ()).item()


def _encoded(text: Any, encoding: Any) -> bytes:
    """``_codecs.encode``, by which Python 3 writes bytes for Python 2."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise _fault()
    return text.encode("latin-1")


NUMPY_NAMES: dict[str, Any] = {
    "numpy ndarray": StandIn(),
    "numpy dtype": StandIn(_Type),
    "_codecs encode": StandIn(_encoded),
    # no bytes at all, in the protocols of Python 2
    "__builtin__ bytes": StandIn(lambda: b""),
    # NumPy 1 and NumPy 2
    **{f"numpy.{core}.multiarray _reconstruct": StandIn(_Array) for core in ("core", "_core")},
    **{f"numpy.{core}.multiarray scalar": StandIn(_scalar) for core in ("core", "_core")},
    **{f"numpy.{core}.numeric _frombuffer": StandIn(_decoded) for core in ("core", "_core")},
}
"""Stand-ins for :func:`~attnxai.data.pickles.unpickle`."""
