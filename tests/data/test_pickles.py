"""Pickles are read without running anything, and what would take memory or crash is refused."""

from __future__ import annotations

import collections
import os
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attnxai.data import pickles
from attnxai.data.batches import load_batch, read_pickle
from attnxai.data.pickled_arrays import NUMPY_NAMES
from attnxai.data.pickles import ForbiddenName, PickleFault, StandIn, unpickle
from attnxai.errors import DataSetError
from tests.hostile.harness import EFFORTS, check_reader, fuzz, in_own_process
from tests.hostile.mutations import damaged
from tests.hostile.pickles import HARMFUL, WORDS, calling, programs, rearranged

PLAIN = {
    "numbers": [
        0,
        1,
        -1,
        255,
        256,
        65535,
        65536,
        -(2**31),
        2**31,
        2**63,
        -(2**63),
        1.5,
        -0.0,
        float("inf"),
    ],
    "text": ["", "a", "ä\u2212", "quote ' and \" and \\", "line\nline", "x" * 300, "y" * 70_000],
    "others": (
        None,
        True,
        False,
        (),
        [],
        {},
        (1,),
        (1, 2),
        (1, 2, 3),
        (1, 2, 3, 4),
        {"a": {"b": [1]}},
    ),
    3: {1.5: "real", None: "none", True: "true"},
}


def read(content: bytes) -> Any:
    value, end = unpickle(content, NUMPY_NAMES, leaves=(np.ndarray,))
    assert end == len(content)
    return value


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_of_every_protocol(protocol: int) -> None:
    assert read(pickle.dumps(PLAIN, protocol=protocol)) == PLAIN
    shared = ["shared"]
    again = read(pickle.dumps([shared, shared], protocol=protocol))
    assert again[0] is again[1]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.uint8).reshape(2, 3),
        np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
        np.arange(6, dtype=">i4"),
        np.linspace(0, 1, 4, dtype=np.float16),
        np.array([[True, False]]),
        np.array(["FR I", "ä"]),
        np.array([b"a", b"bc"]),
        np.zeros((0, 3), np.float64),
        np.array(3.5),
    ],
    ids=str,
)
def test_arrays_of_every_protocol(protocol: int, array: np.ndarray) -> None:
    got = read(pickle.dumps({"a": array, "b": [array]}, protocol=protocol))
    for value in (got["a"], got["b"][0]):
        np.testing.assert_array_equal(value, array)
        assert value.dtype == array.dtype
        assert value.shape == array.shape


def test_object_arrays_are_lists() -> None:
    array = np.array(["a.png", None], dtype=object)
    assert read(pickle.dumps(array)) == ["a.png", None]
    with pytest.raises(PickleFault, match="array in it is damaged, or of another kind"):
        read(pickle.dumps(np.array([["a", None]], dtype=object)))


@pytest.mark.parametrize(
    "value", [np.int64(7), np.float32(0.5), np.bool_(True), np.str_("a"), np.uint8(3)]
)
def test_numpy_numbers_are_plain_ones(value: Any) -> None:
    got = read(pickle.dumps([value], protocol=2))
    assert got == [value.item()]
    assert type(got[0]) is type(value.item())


def test_an_ordered_dictionary_needs_a_stand_in() -> None:
    content = pickle.dumps(collections.OrderedDict(a=1))
    with pytest.raises(
        ForbiddenName, match=r"it asks for collections\.OrderedDict, and nothing in a"
    ):
        read(content)
    value, _ = unpickle(content, {"collections OrderedDict": StandIn(dict)})
    assert value == {"a": 1}


def test_a_list_passed_again_and_again() -> None:
    pairs = pickle.dumps([(str(n), n) for n in range(500)], protocol=2)[2:-1] + b"r\xff\x00\x00\x00"
    calls = b"ccollections\nOrderedDict\nj\xff\x00\x00\x00\x85R" * 500
    names = {"collections OrderedDict": StandIn(dict)}
    with pytest.raises(PickleFault, match="passes the same values so often"):
        unpickle(b"\x80\x02](" + pairs + calls + b"e.", names)
    value, _ = unpickle(b"\x80\x02](" + pairs + calls[: len(calls) // 500] + b"e.", names)
    assert value[1] == dict(value[0])


def test_several_pickles_in_one_file() -> None:
    content = pickle.dumps("first") + pickle.dumps([2])
    first, end = unpickle(content, {})
    assert (first, unpickle(content, {}, start=end)) == ("first", ([2], len(content)))


@pytest.mark.parametrize("fault", list(HARMFUL))
def test_harmful_pickles(fault: str, tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(HARMFUL[fault])
    error = check_reader(read_file, tmp_path / "p", allowance=64 << 20, seconds=5)
    if fault in ("memo at two thousand million", "ten to 400 as a real number"):
        assert error is None  # a place in a dictionary, and infinity
    else:
        assert error is not None
        assert "p was refused: " in str(error)
        assert len(str(error)) < 250


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (
            "object array of raw bytes",
            "an array in it is damaged, or of another kind than numbers and text",
        ),
        (
            "array longer than its bytes",
            r"array of shape \(2147483647,\) and type uint8 with 1 bytes",
        ),
        ("key of nested tuples", "has a key that is a tuple"),
        ("list of nested lists", "containers that are more than 50 deep"),
        ("list within itself", "a container that contains itself"),
        ("lists that double", "repeats its values so often that it would not fit into memory"),
        ("ten to 400", "a whole number of 167 bytes"),
        ("ten to 400 in digits", "a whole number of 402 digits"),
        ("text of an exbibyte", "it is truncated"),
        ("array before its content", "it is damaged"),
        ("new object", r"it asks for os\.system, and nothing in a file is run"),
        ("set", r"needs the operation b'\\x8f', which can run code"),
        ("function as a value", "holds a function as a value"),
        (
            "text encoded again and again",
            "passes the same values so often that they would not fit into memory",
        ),
    ],
)
def test_reasons(fault: str, text: str) -> None:
    with pytest.raises(PickleFault, match=text):
        read(HARMFUL[fault])


def test_the_batch_that_would_read_memory() -> None:
    harmful = HARMFUL["object array of raw bytes"][2:-1]
    content = b"\x80\x02}(X\x04\x00\x00\x00data" + harmful + b"X\x06\x00\x00\x00labels]K\x00a"
    with pytest.raises(DataSetError, match="batch b was refused: an array in it is damaged"):
        load_batch(content + b"X\x09\x00\x00\x00filenames]X\x01\x00\x00\x00aau.", name="batch b")


def test_long_names_are_shortened() -> None:
    with pytest.raises(ForbiddenName) as caught:
        read(calling("o" * 10_000, "system", "true"))
    assert len(str(caught.value)) < 200


def test_operations_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickles, "_MOST_OPERATIONS", 1000)
    with pytest.raises(PickleFault, match="more than 1000 operations"):
        read(b"\x80\x02" + b"N0" * 1000 + b"N.")


def test_nothing_of_numpy_is_called_by_name() -> None:
    assert all(type(stand_in) is StandIn for stand_in in NUMPY_NAMES.values())
    for stand_in in NUMPY_NAMES.values():
        if stand_in.call is not None:
            assert sys.modules[stand_in.call.__module__].__name__ == "attnxai.data.pickled_arrays"


# --- any content -----------------------------------------------------------------------------------

VALID = [
    pickle.dumps(
        {
            "labels": [0, 1],
            "data": [np.eye(4, dtype=np.uint8), np.ones((4, 4), np.uint8)],
            "filenames": ["a", "b"],
        },
        protocol=protocol,
    )
    for protocol in (0, 2, 4, 5)
]


def read_file(path: Path) -> Any:
    return read_pickle(path.read_bytes(), name=str(path))


def fuzz_pickles(effort: int) -> None:
    for files in (programs(), rearranged(VALID), damaged(VALID, words=WORDS)):
        fuzz(read_file, files, file_name="data_batch_1", examples=200 * effort, allowance=64 << 20)


@pytest.mark.parametrize("effort", EFFORTS)
def test_any_pickle(effort: int) -> None:
    in_own_process(fuzz_pickles, effort, seconds=3000)


def test_operations_that_fill_memory(tmp_path: Path) -> None:
    """Every byte of the file makes an object of tens of bytes."""
    for code in (b"]", b"}", b"(", b"K\x07", b"]\x94", b"\x8c\x01a"):
        (tmp_path / "p").write_bytes(b"\x80\x04" + code * (300_000 // len(code)))
        assert check_reader(read_file, tmp_path / "p", allowance=64 << 20) is not None


@pytest.mark.parametrize("attack", ["os", "posix"])
def test_a_file_that_would_run(attack: str, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    (tmp_path / "p").write_bytes(calling(attack, "system", f"touch {trace}"))
    assert check_reader(read_file, tmp_path / "p") is not None
    assert not trace.exists()
    pickle.loads((tmp_path / "p").read_bytes())  # noqa: S301
    assert trace.exists() or os.name == "nt"
