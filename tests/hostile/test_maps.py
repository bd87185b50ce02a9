"""Damaged and made-up files of maps: read, or refused in one sentence, whatever they hold."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import strategies as st

from attnxai.errors import MapFileError
from attnxai.explanations.files.formats import open_maps
from tests.explanations.files.skies import images, stack
from tests.hostile.harness import EFFORTS, check_reader, fuzz
from tests.hostile.mutations import damaged

IMAGES = images(3)
WORDS = [
    b"null", b"true", b"[]", b"{}", b"1e999", b"-1", b"NaN", b'"layers"', b'"provenance"', b'"field"',
    b"'|O'", b"'<U9'", b"(1000000,1000000)", b'"shape"', b'"codecs"', b'"chunk_shape"', b"281474976710655",
    b'"vlen-utf8"', b'"sharding_indexed"', b'"gzip"', b'"float64"', b'"\\ud800"', b"NAXIS1  ", b"../x",
]  # fmt: skip


def read(path: Path) -> Any:
    """Read maps and place them on images, as a comparison does."""
    found = open_maps(path)
    known = [image for image in IMAGES if image.source in found.sources]
    return found.stack(known or None if found.states_splits else IMAGES)


def written(name: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="maps"))
    stack(3).write(folder / name, IMAGES)
    return folder / name


def content_of(name: str) -> bytes:
    path = written(name)
    content = path.read_bytes()
    shutil.rmtree(path.parent)
    return content


def loose_npz() -> bytes:
    buffer = io.BytesIO()
    cam = np.random.default_rng(0).random((3, 20, 22))
    np.savez_compressed(buffer, cam=cam, sources=np.array([image.source for image in IMAGES]))
    return buffer.getvalue()


def loose_fits() -> bytes:
    buffer = io.BytesIO()
    hdus: list[Any] = [fits.PrimaryHDU()]
    for image in IMAGES:
        assert image.grid.wcs is not None
        hdus.append(
            fits.ImageHDU(np.random.default_rng(0).random((40, 44)), image.grid.wcs.to_header())
        )
        hdus[-1].header["OBJECT"] = image.source
    fits.HDUList(hdus).writeto(buffer)
    return buffer.getvalue()


def zipped(member: str, valid: bytes) -> tuple[bytes, Callable[[bytes], bytes]]:
    """A member of an archive, and what packs it again with the checksums of whatever it holds."""
    with zipfile.ZipFile(io.BytesIO(valid)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}

    def wrap(content: bytes) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, own in members.items():
                archive.writestr(name, content if name == member else own)
        return buffer.getvalue()

    return members[member], wrap


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("valid", [content_of("maps.npz"), loose_npz()], ids=["own", "other"])
def test_archives(valid: bytes, effort: int) -> None:
    fuzz(read, damaged([valid], words=WORDS), file_name="maps.npz", examples=60 * effort)


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("member", ["header.json", "layers/gate1.npy", "valid.npy"])
def test_members_of_archives(member: str, effort: int) -> None:
    content, wrap = zipped(member, content_of("maps.npz"))
    files = damaged([content], words=WORDS, wrap=wrap, text=True)
    fuzz(read, files, file_name="maps.npz", examples=60 * effort)


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("valid", [content_of("maps.fits"), loose_fits()], ids=["own", "other"])
def test_fits(valid: bytes, effort: int) -> None:
    files = damaged([valid], words=WORDS, text=True)
    fuzz(read, files, file_name="maps.fits", examples=40 * effort)


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize(
    "member",
    [
        "zarr.json",
        "gate1/zarr.json",
        "gate1/c/0/0/0",
        "source/zarr.json",
        "source/c/0",
        "scores/c/0/0",
    ],
)
def test_groups(member: str, effort: int) -> None:
    group = written("maps.zarr")
    content = (group / member).read_bytes()

    def read_group(path: Path) -> Any:
        (group / member).write_bytes(path.read_bytes())
        return read(group)

    fuzz(
        read_group,
        damaged([content], words=WORDS, text=True),
        file_name="part",
        examples=60 * effort,
    )
    shutil.rmtree(group.parent)


def refused(path: Path, message: str) -> None:
    error = check_reader(read, path, allowance=1 << 29)
    assert isinstance(error, MapFileError)
    assert message in str(error)


def test_a_bomb_in_an_archive_is_not_inflated(tmp_path: Path) -> None:
    header = {"descr": "|u1", "fortran_order": False, "shape": (300 << 20,)}
    with (
        zipfile.ZipFile(tmp_path / "maps.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("cam.npy", "w", force_zip64=True) as file,
    ):
        np.lib.format.write_array_header_1_0(file, header)
        for _ in range(300):
            file.write(bytes(1 << 20))
    refused(tmp_path / "maps.npz", "and claims to hold 314572")


def test_a_group_of_absurd_shape_is_refused(tmp_path: Path) -> None:
    group = written("maps.zarr")
    file = group / "gate1" / "zarr.json"
    metadata = json.loads(file.read_text(encoding="utf-8"))
    for shape, words in (
        ([1 << 40, 8, 8], "it has another shape, or other chunks"),
        ([3, 1 << 60, 8], "its shape or that of its chunks is"),
        ([3, 1 << 20, 1 << 12], "bytes a chunk, more than its files can be trusted with"),
    ):
        chunk = {"name": "regular", "configuration": {"chunk_shape": [64, *shape[1:]]}}
        claimed = metadata | {"shape": shape} | ({"chunk_grid": chunk} if shape[0] == 3 else {})
        file.write_text(json.dumps(claimed), encoding="utf-8")
        refused(group, words)
    file.write_text(json.dumps(metadata), encoding="utf-8")
    attributes = json.loads((group / "zarr.json").read_text(encoding="utf-8"))
    attributes["attributes"]["attnxai"]["n_sources"] = 1 << 40
    (group / "zarr.json").write_text(json.dumps(attributes), encoding="utf-8")
    refused(group, "it should be an array of 1099511627776 texts")
    shutil.rmtree(group.parent)


@pytest.mark.parametrize("codec", ["zstd", "gzip"])
def test_a_bomb_in_a_chunk_is_not_inflated(codec: str) -> None:
    import zarr
    from zarr.codecs import GzipCodec, ZstdCodec

    group = written("maps.zarr")
    bomb = zarr.create_array(
        str(group.parent / "bomb"),
        shape=(1 << 24,),
        chunks=(1 << 24,),
        dtype="u1",
        compressors=ZstdCodec() if codec == "zstd" else GzipCodec(level=9),
    )
    bomb[:] = 1
    metadata = json.loads((group / "gate1/zarr.json").read_text(encoding="utf-8"))
    metadata["codecs"] = json.loads((group.parent / "bomb/zarr.json").read_text(encoding="utf-8"))[
        "codecs"
    ]
    metadata["codecs"][0] = {"name": "bytes", "configuration": {"endian": "little"}}
    (group / "gate1/zarr.json").write_text(json.dumps(metadata), encoding="utf-8")
    shutil.copy(group.parent / "bomb/c/0", group / "gate1/c/0/0/0")
    refused(group, "its chunk 0 has another size than the array claims")
    shutil.rmtree(group.parent)


def test_links_in_a_group_are_not_followed(tmp_path: Path) -> None:
    group = written("maps.zarr")
    chunk = group / "brightness" / "c" / "0" / "0" / "0"
    shutil.move(chunk, tmp_path / "elsewhere")
    chunk.symlink_to(tmp_path / "elsewhere")
    refused(group, "its chunk 0 is not a file")
    shutil.rmtree(group.parent)


@pytest.mark.parametrize("effort", EFFORTS)
def test_anything(effort: int) -> None:
    starts = [b"", b"PK\x03\x04", b"PK\x05\x06", b"SIMPLE  =", b"\x1f\x8b\x08\x00"]
    files = st.builds(lambda a, b: a + b, st.sampled_from(starts), st.binary(max_size=300))
    fuzz(read, files, file_name="maps", examples=40 * effort)
