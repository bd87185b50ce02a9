"""Files of torch.save: read as torch.load reads them, and never larger than they are."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from attnxai.errors import CheckpointError
from attnxai.models import zoo
from attnxai.models.torch_files import read_checkpoint_file
from tests.hostile.harness import EFFORTS, check_reader, fuzz, in_own_process
from tests.hostile.mutations import damaged
from tests.hostile.pickles import HARMFUL, WORDS, calling, programs, rearranged
from tests.hostile.torch_files import Storage, Tensor, archive, legacy, pickled

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int8, torch.int16]
DTYPES += [torch.int32, torch.int64, torch.uint8, torch.bool, torch.complex64, torch.complex128]


def assert_same(one: Any, other: Any) -> None:
    if isinstance(other, torch.Tensor):
        assert isinstance(one, torch.Tensor)
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        assert torch.equal(one, other)
    elif isinstance(other, dict):
        assert list(one) == list(other)
        for name in other:
            assert_same(one[name], other[name])
    elif isinstance(other, list | tuple) and type(other) is not torch.Size:
        assert type(one) is type(other)
        assert len(one) == len(other)
        for left, right in zip(one, other, strict=True):
            assert_same(left, right)
    else:
        assert one == other


def refused(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint_file(path)
    assert str(caught.value).startswith(f"model file {path} ")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "model.pt"


CONTENT = {
    "state_dict": OrderedDict((str(d), torch.arange(6).reshape(2, 3).to(d)) for d in DTYPES),
    "turned": torch.arange(6.0).reshape(2, 3).T,
    "every second": torch.arange(10.0)[1::2],
    "scalar": torch.tensor(2.5),
    "empty": torch.empty(0, 3),
    "parameter": torch.nn.Parameter(torch.ones(2)),
    "plain": [1, 2.5, "text", None, True, (1, 2), {"a": [1]}],
    "counter": Counter({30: 1}),
    "size": torch.Size([2, 3]),
    "dtype": torch.float32,
    "path": 10**20,
}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_all_that_torch_load_reads(file: Path, zipped: bool, protocol: int) -> None:
    torch.save(CONTENT, file, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
    content, sha256 = read_checkpoint_file(file)
    assert_same(content, CONTENT)
    if protocol == 2:  # torch.load knows no other
        assert_same(content, torch.load(file, weights_only=True))
    assert sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert not content["parameter"].requires_grad
    content["turned"][0, 0] = 7.0  # a copy, which can be written to


@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_that_share_values(file: Path, zipped: bool) -> None:
    base = torch.arange(6.0)
    torch.save([base, base[2:], base], file, _use_new_zipfile_serialization=zipped)
    (whole, part, again), _ = read_checkpoint_file(file)
    assert_same([whole, part, again], [base, base[2:], base])
    assert whole.data_ptr() == again.data_ptr() == part.data_ptr() - 8


@pytest.mark.parametrize("name", list(zoo.shipped_models()))
def test_shipped_models_are_read_as_by_torch(name: str) -> None:
    file = zoo.shipped_models()[name]
    assert_same(read_checkpoint_file(file)[0], torch.load(file, weights_only=True))


@pytest.mark.shared_data
def test_published_files_are_read_as_by_torch(shared_data: Path) -> None:
    files = [
        *shared_data.glob("published_checkpoints/*.pt"),
        *shared_data.glob("reference_outputs/*.pt"),
    ]
    assert len(files) >= 3
    for file in files:
        expected = torch.load(file, map_location="cpu", weights_only=True)
        assert_same(read_checkpoint_file(file)[0], expected)


def test_numpy_numbers_among_them(file: Path) -> None:
    torch.save({"accuracy": np.float64(0.5), "epochs": np.arange(3)}, file)
    content, _ = read_checkpoint_file(file)
    assert content["accuracy"] == 0.5
    np.testing.assert_array_equal(content["epochs"], np.arange(3))


def test_the_harmless_forms_of_the_hostile_builders(file: Path) -> None:
    values = torch.arange(4.0)
    raw = values.numpy().tobytes()
    for content in (archive({"a": Tensor()}, {"0": raw}), legacy({"a": Tensor()}, {"0": raw})):
        file.write_bytes(content)
        assert_same(read_checkpoint_file(file)[0], {"a": values})
    file.write_bytes(archive({"a": Tensor()}, {"0": raw}, compression=zipfile.ZIP_DEFLATED))
    assert_same(read_checkpoint_file(file)[0], {"a": values})


HOSTILE_TENSORS: dict[str, Any] = {
    "larger than its storage": Tensor(size=(5,)),
    "as large as no memory": Tensor(size=(2**40,)),
    "of 10 ** 400 values": Tensor(size=(10**400,)),
    "of so many values by its product": Tensor(size=(2**40, 2**40), stride=(2**40, 1)),
    "of negative size": Tensor(size=(-1,)),
    "of true values": Tensor(size=(True,)),
    "of half a value": Tensor(size=(0.5,)),
    "of no number": Tensor(size=(float("nan"),)),
    "with a negative stride": Tensor(stride=(-1,)),
    "with a wild stride": Tensor(stride=(2**40,)),
    "that repeats its storage": Tensor(size=(1000, 1000), stride=(0, 0)),
    "that begins outside": Tensor(size=(1,), offset=4),
    "that begins before": Tensor(size=(1,), offset=-1),
    "with an offset that is no number": Tensor(offset=None),
    "with fewer strides than axes": Tensor(size=(2, 2), stride=(1,)),
    "of fifty axes": Tensor(size=(1,) * 50, stride=(1,) * 50),
    "of nothing, very long": Tensor(size=(0, 2**45), stride=(1, 1)),
    "whose size is a list": Tensor(size=[4]),
    "whose storage is text": Tensor(storage="0"),
    "whose storage is a tensor": Tensor(storage=Tensor()),
    "whose storage claims less": Tensor(size=(1,), storage=Storage(n_values=1)),
    "whose storage claims more": Tensor(storage=Storage(n_values=2**40)),
    "whose storage claims true": Tensor(storage=Storage(n_values=True)),
    "whose storage has another name": Tensor(storage=Storage(key="1")),
    "whose storage has a path": Tensor(storage=Storage(key="../data.pkl")),
    "whose storage is no storage": Tensor(storage=Storage(word="module")),
    "whose storage is of text": Tensor(storage=Storage(kind="FloatStorage")),
    "that describe one storage twice": [Tensor(), Tensor(storage=Storage(kind=torch.IntStorage))],
}


@pytest.mark.parametrize("form", [archive, legacy])
@pytest.mark.parametrize("what", list(HOSTILE_TENSORS))
def test_a_tensor(file: Path, what: str, form: Any) -> None:
    file.write_bytes(form({"a": HOSTILE_TENSORS[what]}))
    error = check_reader(read_checkpoint_file, file, allowance=64 << 20, seconds=5)
    assert error is not None
    assert "is not a PyTorch checkpoint, or is damaged" in str(error)


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.ones(2, 2).to_sparse(),
        lambda: torch.ones(2, 2).to_sparse_csr(),
        lambda: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
        lambda: torch.empty(2, device="meta"),
        lambda: torch.nested.nested_tensor([torch.ones(1), torch.ones(2)]),
    ],
    ids=["sparse", "sparse rows", "quantised", "meta", "nested"],
)
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_tensors_of_other_kinds(file: Path, make: Any) -> None:
    torch.save({"weight": make()}, file)
    message = refused(file)
    assert (
        "holds sparse, quantised, nested, meta or other tensors that are not plain (torch."
        in message
    )
    assert "torch.save(network.state_dict(), file)" in message


@pytest.mark.parametrize("fault", list(HARMFUL))
@pytest.mark.parametrize("form", [archive, legacy])
def test_harmful_pickles(file: Path, fault: str, form: Any) -> None:
    file.write_bytes(form(HARMFUL[fault], {}))
    error = check_reader(read_checkpoint_file, file, allowance=64 << 20, seconds=5)
    if fault not in ("memo at two thousand million", "ten to 400 as a real number"):
        assert error is not None


@pytest.mark.parametrize("form", [archive, legacy])
def test_nothing_is_run(file: Path, tmp_path: Path, form: Any) -> None:
    trace = tmp_path / "trace"
    file.write_bytes(form(calling("posix", "system", f"touch {trace}"), {}))
    assert "would have to run code to be loaded (posix.system)" in refused(file)
    assert not trace.exists()


def test_names_with_half_a_surrogate_pair(file: Path) -> None:
    torch.save({"weight\ud800": torch.ones(1)}, file)
    assert "or is damaged: it holds text that is not Unicode" in refused(file)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (
            archive({}, members={"other/data.pkl": b""}),
            "it holds 2 members data.pkl instead of one",
        ),
        (archive({}, root="a/b"), "it holds 0 members data.pkl"),
        (archive({"a": Tensor()}, {"0": bytes(15)}), "its storage 0 has 15 bytes instead of 16"),
        (archive({"a": Tensor()}, {}), "is not a PyTorch checkpoint, or is damaged"),
        (
            legacy({"a": Tensor()}, {"0": bytes(12)}, n_values={"0": 4}),
            "has 12 bytes instead of 16",
        ),
        (
            legacy({"a": Tensor()}, {"0": bytes(12)}),
            "its storage 0 is not as long as its tensors say",
        ),
        (legacy({"a": Tensor()}, keys=["1"]), "its storages are not those of its tensors"),
        (legacy({"a": Tensor()}, keys="0"), "its storages are not those of its tensors"),
        (legacy({"a": Tensor()}, protocol=1002), "it has protocol 1002"),
        (legacy({"a": Tensor()}, system={"little_endian": False}), "byte order of another machine"),
        (legacy({"a": Tensor()}, system=[]), "byte order of another machine"),
        (b"\x80\x02" + bytes(40), "is a plain Python pickle"),
    ],
)
def test_archives_that_contradict_themselves(file: Path, content: bytes, text: str) -> None:
    file.write_bytes(content)
    assert text in refused(file)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_twice(file: Path) -> None:
    file.write_bytes(archive({}, members={"archive/data.pkl": b""}))
    assert "it holds a member twice" in refused(file)


def test_another_byte_order(file: Path) -> None:
    file.write_bytes(archive({}).replace(b"little", b"bigbig"))
    assert "not a PyTorch checkpoint, or is damaged" in refused(
        file
    )  # by the checksum of the member
    with zipfile.ZipFile(file, "w") as written:
        written.writestr("a/data.pkl", pickled({}))
        written.writestr("a/byteorder", b"big")
    assert "byte order of another machine" in refused(file)


@pytest.mark.parametrize("start", [b"PK\x03\x04", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."])
def test_files_larger_than_any_model(file: Path, start: bytes) -> None:
    """Five gibibytes of nothing, which take no space on the disk."""
    file.write_bytes(start)
    with open(file, "r+b") as opened:
        opened.truncate(5 << 30)
    assert "has 5368709120 bytes; no model that attnxai reads has more" in refused(file)


def bomb(n_bytes: int) -> bytes:
    content = {"a": Tensor(size=(n_bytes // 4,), storage=Storage(n_values=n_bytes // 4))}
    return archive(content, {"0": bytes(n_bytes)}, compression=zipfile.ZIP_DEFLATED)


def test_archives_that_inflate(file: Path) -> None:
    file.write_bytes(bomb(1 << 20))
    assert read_checkpoint_file(file)[0]["a"].numel() == 1 << 18
    file.write_bytes(bomb(1 << 28))
    assert file.stat().st_size < 300_000
    error = check_reader(read_checkpoint_file, file, allowance=64 << 20)
    assert "its members claim 268435" in str(error)


def test_a_member_that_inflates_to_more_than_it_claims(file: Path) -> None:
    """The directory says 16 bytes; what is inflated is 256 MiB."""
    content = bytearray(bomb(1 << 28))
    entries = [
        i
        for i in range(len(content) - 4)
        if bytes(content[i : i + 4]) in (b"PK\x01\x02", b"PK\x03\x04")
    ]
    for entry in entries:
        field = entry + (24 if content[entry + 2] == 1 else 22)
        if content[field : field + 4] == (1 << 28).to_bytes(4, "little"):
            content[field : field + 4] = (16).to_bytes(4, "little")
    file.write_bytes(content)
    error = check_reader(read_checkpoint_file, file, allowance=64 << 20)
    assert error is not None
    assert "is not a PyTorch checkpoint, or is damaged" in str(error)


def test_members_that_lie_on_one_another(file: Path) -> None:
    """A thousand storages, all of which are the same megabyte of the file."""
    tensors = [Tensor((2**18,), (1,), 0, Storage(str(n), 2**18)) for n in range(1000)]
    single = archive(tensors, {"0": os.urandom(1 << 20)})
    with zipfile.ZipFile(io.BytesIO(single)) as source:
        at = source.getinfo("archive/data/0").header_offset
    with zipfile.ZipFile(file, "w") as written, zipfile.ZipFile(io.BytesIO(single)) as source:
        for info in source.infolist():
            written.writestr(info, source.read(info))
        for n in range(1, 1000):
            written.writestr(f"archive/data/{n}", b"")
            copy, first = written.filelist[-1], written.getinfo("archive/data/0")
            copy.CRC, copy.file_size, copy.compress_size = (
                first.CRC,
                first.file_size,
                first.compress_size,
            )
            copy.header_offset = at
    error = check_reader(read_checkpoint_file, file, allowance=64 << 20)
    assert error is not None


@pytest.mark.parametrize("zipped", [True, False])
def test_truncated_anywhere(file: Path, zipped: bool) -> None:
    torch.save({"weight": torch.ones(300)}, file, _use_new_zipfile_serialization=zipped)
    content = file.read_bytes()
    for length in range(0, len(content), 53):
        file.write_bytes(content[:length])
        assert check_reader(read_checkpoint_file, file, allowance=64 << 20) is not None


# --- any content -----------------------------------------------------------------------------------


def saved(content: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


SMALL = {
    "format": "x",
    "weights": OrderedDict(a=torch.ones(2, 3), b=torch.zeros(2, dtype=torch.int64)),
    "n": [1.5],
}


def data_pickle(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        (name,) = (name for name in file.namelist() if name.endswith("data.pkl"))
        return file.read(name)


def in_archive(content: bytes) -> bytes:
    return archive(content, {"0": bytes(24), "1": bytes(16)})


def fuzz_torch_files(effort: int) -> None:
    valid = [data_pickle(saved(SMALL)), pickled([Tensor(), Tensor(size=(2, 2), stride=(2, 1))])]
    whole = [saved(SMALL), saved(SMALL, _use_new_zipfile_serialization=False), legacy([Tensor()])]
    for files, examples in (
        (rearranged(valid).map(in_archive), 120),
        (rearranged(valid).map(lambda data: legacy(data, {"0": bytes(24), "1": bytes(16)})), 60),
        (programs().map(in_archive), 60),
        (damaged(valid, words=WORDS, wrap=in_archive), 60),
        (damaged(whole, words=[b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06"]), 120),
    ):
        fuzz(
            read_checkpoint_file,
            files,
            file_name="m.pt",
            examples=examples * effort,
            allowance=64 << 20,
        )


@pytest.mark.parametrize("effort", EFFORTS)
def test_any_file(effort: int) -> None:
    in_own_process(fuzz_torch_files, effort, seconds=3000)
