"""Pickled batches: what is read, what is refused, and where they are found."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest

from attnxai.data.batches import (
    BatchFiles,
    check_label,
    find_batches,
    is_batch,
    load_batch,
    read_pickle,
)
from attnxai.data.mirabest import BATCHES
from attnxai.errors import DataSetError
from tests.data.archive_files import pack
from tests.data.mirabest_files import (
    Calls,
    batch_with,
    pixels_of,
    published_pickle,
    python_2_pickle,
    write_batches,
)


def found_in(path: Path) -> BatchFiles:
    files = find_batches(path)
    assert files is not None
    return files


class TestUnpickling:
    @pytest.mark.parametrize("protocol", [3, 4])
    def test_batches_of_any_protocol(self, protocol: int) -> None:
        content = {"labels": [3], "data": [pixels_of(1)], "filenames": ["a.png"]}
        batch = load_batch(published_pickle(content, protocol=protocol), name="batch b")
        np.testing.assert_array_equal(batch["data"][0], pixels_of(1))
        assert batch["labels"] == [3]

    def test_files_name_numpy_as_published(self, tmp_path: Path) -> None:
        write_batches(tmp_path)
        content = (tmp_path / BATCHES[0]).read_bytes()
        assert b"numpy.core.multiarray\n_reconstruct\n" in content
        assert b"numpy._core" not in content

    def test_python_2_text_and_numpy_scalars(self) -> None:
        # Python 2 wrote its text as bytes
        text = b"\x80\x02}(U\x06labels]K\x01aU\x04data]U\x01xaU\tfilenames]U\x05a.pngau."
        assert load_batch(text, name="batch b") == {
            "labels": [1],
            "data": ["x"],
            "filenames": ["a.png"],
        }
        content = {"labels": [np.int64(7)], "data": [pixels_of(1)], "filenames": ["a.png"]}
        batch = load_batch(python_2_pickle(content), name="batch b")
        np.testing.assert_array_equal(batch["data"][0], pixels_of(1))
        assert batch["labels"] == [7]

    @pytest.mark.parametrize("module", ["os", "posix", "nt", "subprocess", "builtins", "functools"])
    def test_code_is_refused_and_not_run(self, tmp_path: Path, module: str) -> None:
        trace = tmp_path / "trace"
        command = f"echo run > {trace}"
        functions: dict[str, tuple[str, str]] = {
            "os": ("os\nsystem\n", command),
            "posix": ("posix\nsystem\n", command),
            "nt": ("nt\nsystem\n", command),
            "subprocess": ("subprocess\ngetoutput\n", command),
            "builtins": ("builtins\neval\n", f"open({str(trace)!r}, 'w')"),
            "functools": ("functools\npartial\n", command),
        }
        name, argument = functions[module]
        encoded = argument.encode()
        attack = b"\x80\x02c" + name.encode() + b"X" + len(encoded).to_bytes(4, "little") + encoded
        attack += b"\x85R."
        expected = name.strip().replace("\n", ".")
        with pytest.raises(DataSetError, match=f"batch b was refused: it asks for {expected}, "):
            load_batch(attack, name="batch b")
        assert not trace.exists()

    def test_the_attack_would_have_worked(self, tmp_path: Path) -> None:
        trace = tmp_path / "trace"
        attack = pickle.dumps(Calls(os.system, f"echo run > {trace}"), protocol=2)
        with pytest.raises(DataSetError, match=r"it asks for (posix|nt)\.system"):
            load_batch(attack, name="batch b")
        assert not trace.exists()
        pickle.loads(attack)  # noqa: S301
        assert trace.exists()

    @pytest.mark.parametrize(
        ("function", "arguments"),
        [
            (eval, ("__import__('pathlib').Path('{trace}').touch()",)),
            (exec, ("open('{trace}', 'w')",)),
            (getattr, (os, "system")),
            (Path.touch, (Path("{trace}"),)),
            (np.load, ("{trace}",)),
            (np.fromfile, ("{trace}",)),
        ],
    )
    def test_functions_inside_a_good_batch_are_refused(
        self, tmp_path: Path, function: Callable[..., Any], arguments: tuple[Any, ...]
    ) -> None:
        trace = tmp_path / "trace"
        filled = [a.replace("{trace}", str(trace)) if isinstance(a, str) else a for a in arguments]
        if function is getattr:
            filled[0] = 1
        attack = batch_with(batch_label=Calls(function, *filled))
        with pytest.raises(DataSetError, match="was refused: it asks for"):
            load_batch(attack, name="batch b")
        assert not trace.exists()

    @pytest.mark.parametrize("name", ["ndarray.tofile", "ndarray.dump", "core.multiarray.scalar"])
    def test_dotted_names_reach_nothing_more(self, name: str) -> None:
        encoded = b"\x8c\x05numpy\x8c" + bytes([len(name)]) + name.encode()
        with pytest.raises(DataSetError, match=f"it asks for numpy.{name}"):
            load_batch(b"\x80\x04" + encoded + b"\x93.", name="batch b")

    def test_truncated_anywhere(self) -> None:
        content = batch_with()
        for length in range(0, len(content), 997):
            with pytest.raises(DataSetError, match="batch b was refused"):
                load_batch(content[:length], name="batch b")

    @pytest.mark.parametrize("content", [[1, 2], {"labels": [], "data": []}, "text", None])
    def test_what_is_no_batch(self, content: Any) -> None:
        with pytest.raises(DataSetError, match="batch b lacks labels, data or filenames"):
            load_batch(published_pickle(content), name="batch b")

    @pytest.mark.parametrize("column", ["labels", "data", "filenames"])
    def test_columns_have_to_be_lists(self, column: str) -> None:
        with pytest.raises(DataSetError, match="batch b should hold lists of labels"):
            load_batch(batch_with(**{column: 7}), name="batch b")

    def test_columns_have_to_be_of_one_length(self) -> None:
        with pytest.raises(DataSetError, match=r"inconsistent: \{'labels': 2, 'data': 1"):
            load_batch(batch_with(labels=[0, 1]), name="batch b")

    def test_columns_that_are_not_needed_may_be_absent(self) -> None:
        content = {"labels": [3], "data": [pixels_of(1)]}
        batch = load_batch(published_pickle(content), name="b", needs=("labels", "data"))
        assert batch["labels"] == [3]
        with pytest.raises(DataSetError, match="b lacks labels or data"):
            load_batch(published_pickle({"labels": [3]}), name="b", needs=("labels", "data"))
        content["filenames"] = []
        with pytest.raises(DataSetError, match="'filenames': 0"):
            load_batch(published_pickle(content), name="b", needs=("labels", "data"))

    def test_array_without_axes_is_no_list(self) -> None:
        with pytest.raises(DataSetError, match="should hold lists of labels, data and filenames"):
            load_batch(batch_with(data=np.array(3)), name="b")

    def test_other_pickles(self) -> None:
        content = {"label_names": ["a", "b"], "num_vis": 22500, "none": None, "pair": (1, 2.5)}
        assert read_pickle(published_pickle(content), name="m") == content
        with pytest.raises(DataSetError, match=r"m was refused: it asks for posix\.system"):
            read_pickle(pickle.dumps(Calls(os.system, "true"), protocol=2), name="m")


@pytest.mark.parametrize("label", [0, 4, np.int64(3), np.uint8(0)])
def test_labels(label: Any) -> None:
    assert check_label(label, 5, name="b") == int(label)
    assert type(check_label(label, 5, name="b")) is int


@pytest.mark.parametrize("label", [-1, 5, np.int8(-1), "0", None, 1.0, np.float32(1), [1]])
def test_what_is_no_label(label: Any) -> None:
    with pytest.raises(DataSetError, match=r"b has the unknown label .*; labels are 0 to 4 \(x\)"):
        check_label(label, 5, name="b", hint=" (x)")


class TestFinding:
    @pytest.mark.parametrize("name", ["data_batch_1", "data_batch_12", "train_batch", "test_batch"])
    def test_names_of_batches(self, name: str) -> None:
        assert is_batch(name)

    @pytest.mark.parametrize(
        "name",
        [
            "batches.meta",
            "data_batch_",
            "data_batch_x",
            "._data_batch_1",
            "test_batch.npy",
            "batch",
        ],
    )
    def test_other_names(self, name: str) -> None:
        assert not is_batch(name)

    @pytest.mark.parametrize("below", ["", "FIRST_PNG_dataset"])
    def test_folder_and_archive_hold_the_same(self, tmp_path: Path, below: str) -> None:
        folder = tmp_path / "data" / below
        folder.mkdir(parents=True)
        contents = {f"data_batch_{n}": b"%d" % n for n in range(1, 12)}
        contents |= {"test_batch": b"t", "batches.meta": b"m", "notes.txt": b"n"}
        for name, content in contents.items():
            (folder / name).write_bytes(content)
        path = pack(
            tmp_path / "a.TGZ", {str(PurePosixPath(below) / n): c for n, c in contents.items()}
        )
        for files in (found_in(tmp_path / "data"), found_in(path)):
            # by number, not by spelling
            train = [f"data_batch_{n}" for n in range(1, 12)]
            assert list(files.batches) == [*train, "test_batch"]
            assert files.batches["data_batch_10"] == b"10"
            assert (files.batches["test_batch"], files.meta) == (b"t", b"m")
        assert found_in(tmp_path / "data").origin == folder
        assert found_in(path).origin == path

    def test_what_lies_deeper_is_a_matter_of_its_own(self, tmp_path: Path) -> None:
        (tmp_path / "other").mkdir()
        (tmp_path / "train_batch").write_bytes(b"own")
        (tmp_path / "other" / "train_batch").write_bytes(b"other")
        files = found_in(tmp_path)
        assert files.batches == {"train_batch": b"own"}
        assert files.meta is None

    def test_several_folders(self, tmp_path: Path) -> None:
        for survey in ("FIRST", "NVSS"):
            (tmp_path / survey).mkdir()
            (tmp_path / survey / "train_batch").touch()
        with pytest.raises(
            DataSetError, match=r"in several folders \(FIRST, NVSS\).*name one of the folders$"
        ):
            find_batches(tmp_path)
        path = pack(tmp_path / "a.tgz", {"d/FIRST/test_batch": b"", "d/NVSS/test_batch": b""})
        with pytest.raises(
            DataSetError, match=r"\(d/FIRST, d/NVSS\).* one of the folders, unpacked"
        ):
            find_batches(path)

    @pytest.mark.parametrize("kind", ["nothing", "folder", "file", "archive"])
    def test_no_batches(self, tmp_path: Path, kind: str) -> None:
        path = tmp_path / ("a.tar.gz" if kind == "archive" else "a")
        if kind == "folder":
            (path / "test_batch").mkdir(parents=True)
        elif kind == "file":
            path.touch()
        elif kind == "archive":
            pack(path, {"a.png": b"1", "batches.meta": b"m"})
        assert find_batches(path) is None

    def test_gaps_are_told(self, tmp_path: Path) -> None:
        for number in (1, 4):
            (tmp_path / f"data_batch_{number}").touch()
        files = found_in(tmp_path)
        assert list(files.batches) == ["data_batch_1", "data_batch_4"]
        assert files.lacking == (2, 3)
        (tmp_path / "data_batch_1").unlink()
        assert found_in(tmp_path).lacking == (1, 2, 3)
        (tmp_path / "data_batch_1").touch()
        (tmp_path / "data_batch_999999").touch()
        assert len(found_in(tmp_path).lacking) == 999_996

    def test_one_number_twice(self, tmp_path: Path) -> None:
        for number in ("1", "01"):
            (tmp_path / f"data_batch_{number}").touch()
        with pytest.raises(DataSetError, match="holds several batches of one number"):
            find_batches(tmp_path)

    def test_files_larger_than_any_batch(self, tmp_path: Path) -> None:
        """Five gibibytes of nothing, which take no space on the disk."""
        with open(tmp_path / "data_batch_1", "wb") as file:
            file.truncate(5 << 30)
        with pytest.raises(
            DataSetError, match="has 5368709120 bytes; no batch of images has as many"
        ):
            find_batches(tmp_path)
