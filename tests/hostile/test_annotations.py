"""Damaged and made-up annotation files: every row used or reported, or the file refused in one sentence."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import MaskedColumn, Table
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from attnxai.alignment.rasterise import rasterise_annotations
from attnxai.annotations import write_annotations
from attnxai.annotations.readers import READERS, read_annotations
from attnxai.annotations.readers.claran import COLUMNS as CATALOGUE_COLUMNS
from attnxai.annotations.readers.registry import find_reader
from attnxai.annotations.rgz_experts import COLUMNS as EXPERT_COLUMNS
from attnxai.annotations.table_columns import COLUMNS
from attnxai.data.grid import PixelGrid
from attnxai.data.images import SourceImage
from attnxai.errors import DataSetError
from attnxai.training.held_out import read_held_out
from tests.data.skies import make_wcs
from tests.hostile.harness import EFFORTS, fuzz
from tests.hostile.mutations import damaged

SHAPE = (24, 30)


def image(source: str, ra: float, dec: float = 40.0) -> SourceImage:
    pixels = np.random.default_rng(len(source)).normal(size=SHAPE).astype(np.float32)
    grid = PixelGrid(shape=SHAPE, wcs=make_wcs(SHAPE, centre=(ra, dec), turn_deg=10.0))
    return SourceImage(source=source, pixels=pixels, grid=grid)


IMAGES = [image("s1", 150.0), image("s2", 180.0, 30.0), image("s3", 195.0, -1.0341666666666667)]


def read(path: Path) -> Any:
    """Read annotations, account for every row, and draw them as a comparison does."""
    marks = read_annotations(path, IMAGES)
    n_used = len({a.line for a in marks.annotations})
    assert marks.n_rows == n_used + sum(marks.left_out.values())
    assert len({a.line for a in marks.annotations} - {0}) == n_used
    repr(marks)
    for annotation in marks.annotations[:20]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rasterise_annotations([annotation], IMAGES[0].grid, fwhm=3.0)
    return marks


def as_csv(header: Any, *rows: str) -> bytes:
    return "\n".join([",".join(header), *rows, ""]).encode()


TABLES = [
    as_csv(
        COLUMNS,
        "s1,ann,point,3,4,,,,,,pixel,core,FR I,0.5,a.fits",
        's1,ann,line,,,,,,,"7 5; 8 9; 7 11",pixel,jet,FR I,,',
        "s2,bob,ellipse,150.0,40.0,40,12,,165,,icrs,jet,FR II,1,",
        "s2,bob,box,150.001,40.001,5,3,,-20,,icrs,lobe,FR II,,",
        's2,bob,polygon,,,,,,,"1 1; 9 2; 5 8",pixel,lobe,,,',
        "s3,zoé,circle,150.0,40.0,,,6.5,,,icrs,hotspot,,0,",
    ),
    as_csv(
        ("source", "annotator", "shape", "x", "y", "label", "survey"), "s1,a,point,1,2,core,VLA"
    ),
]
CATALOGUE = as_csv(
    ("catalog_id", "first_id", "num_cpnts", "cpnts_ras", "cpnts_decs", "cl"),
    "1,F,2,150.0;150.001,40.001;39.999,0.75",
    "2,F,1,180.0,30.0,0.6",
    "3,F,3,195.0;195.001;195.002,-1.034;-1.034;-1.034,1.0",
)
EXPERTS = as_csv(
    EXPERT_COLUMNS,
    "one,FIRSTJ120000.0+300000,1,1,RADIO,60,64,65,68",
    "one,FIRSTJ120000.0+300000,1,1,IR,212.5,222.5,,",
    "one,FIRSTJ120000.0+300000,1,2,RADIO,100,110,100,110",
    "one,FIRSTJ120000.0+300000,1,2,IR,-99.0,-99.0,,",
    "two,FIRSTJ120000.0+300000,0,0,NONE:1 nothing seen,,,,",
    "two,FIRSTJ120000.0+300000,1,1,RADIO,60,64,65,68",
    "three,FIRSTJ130000.0-010203,0,0,NONE:1 nothing,,,,",
)
DS9 = [
    (
        b'# Region file format: DS9 version 4.1\nglobal color=green\nicrs\ncircle(150,40,3") # text={lobe} tag={ann}\n'
        b'ellipse(10:00:00,+40:00:00,0.1\',4",20)\n-box(150,40,2",3",0)\nannulus(150,40,1",5",9")\n# text(1,2) text={x}\n'
    ),
    (
        b'galactic;point(0,0);fk5;panda(150,40,0,90,1,1",5",1) # tag={source=s1}\n# composite(150,40,0) || composite=1\n'
        b'circle(150,40,5p) ||\n# vector(150,40,9",30)\n'
    ),
]
CRTF = [
    (
        b"#CRTFv0 CASA Region Text Format version 0\nglobal coord=J2000, color=green, corr=[I]\n"
        b'ellipse [[10:00:00.0, +040.00.00.0], [4arcsec, 0.05arcmin], 20deg], label="lobe, [n]"\n'
        b"-annulus[[150deg, 40deg], [1arcsec, 5arcsec]], coord=ICRS, range=[1.4GHz, 1.5GHz]\n"
        b"ann text [[150deg, 40deg], 'a [note]']\npoly [[150deg, 40deg], [150.001deg, 40deg], [150deg, 40.001deg]]\n"
    ),
    (
        b'#CRTF\n# attnxai source="s1", annotator="ann", group="g", round=2, weight=0.5\n'
        b"rotbox [[12pix, 9pix], [5pix, 3arcsec], 0.3rad]\nsymbol [[3pix, 4pix], .] coord=image\n"
        b"polyline [[1pix, 2pix], [3pix, 4pix], [9pix, 2pix]]\nbox [[2pix, 3pix], [10pix, 5pix]]\n"
    ),
]


def fits_regions() -> bytes:
    names = np.array(["CIRCLE", "!circle", "POLYGON", "rotbox", "PIE"])
    numbers = np.array(
        [[12.0, 20.0, 15.0], [12.0, 0, 0], [3.0, 9.0, 4.0], [9.0, 0, 0], [8.0, 0, 0]]
    )
    columns = [
        fits.Column("SHAPE", "8A", array=names),
        fits.Column("X", "3D", unit="pixel", array=numbers),
        fits.Column("Y", "3E", unit="pixel", array=numbers[:, ::-1]),
        fits.Column("R", "2D", unit="pixel", array=numbers[:, :2] + 1.0),
        fits.Column("ROTANG", "2D", unit="deg", array=numbers[:, 1:]),
        fits.Column("COMPONENT", "J", array=np.array([1, 1, 2, 3, 4])),
    ]
    table = fits.BinTableHDU.from_columns(columns, name="REGION")
    for axis, name, value in ((2, "RA---TAN", 150.0), (3, "DEC--TAN", 40.0)):
        table.header.update({f"TCTYP{axis}": name, f"TCRVL{axis}": value})
        table.header.update({f"TCRPX{axis}": 12.0, f"TCDLT{axis}": 5e-4 * (-1) ** (axis + 1)})
    return as_fits(fits.PrimaryHDU(), table)


def as_fits(*hdus: Any) -> bytes:
    written = io.BytesIO()
    fits.HDUList(list(hdus)).writeto(written)
    return written.getvalue()


def as_table() -> Table:
    table = Table(
        {"source": ["s1", "s2"], "annotator": ["ann", "bob"], "shape": ["circle", "point"]}
    )
    table["ra"], table["dec"] = [150.0, 150.001] * u.deg, [40.0, 40.001] * u.deg
    table["radius"] = MaskedColumn([6.5, 0.0], mask=[False, True], unit="arcsec")
    table["label"] = ["core", "jet"]
    return table


def written(table: Table, **options: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        table.write(f"{folder}/table", **options)
        return Path(f"{folder}/table").read_bytes()


def as_workbook() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        Path(f"{folder}/table").write_bytes(TABLES[1])
        (path,) = write_annotations(read_annotations(f"{folder}/table"), f"{folder}/a.xlsx")
        return path.read_bytes()


def as_fits_table() -> bytes:
    """One whose texts have any length."""
    with tempfile.TemporaryDirectory() as folder:
        vertices = "; ".join(f"{x}.25 {x % 7}.5" for x in range(30))
        Path(f"{folder}/table").write_bytes(
            as_csv(COLUMNS, f"s1,a,line,,,,,,,{vertices},,jet,,,,,,")
        )
        marks = read_annotations(f"{folder}/table")
        (path,) = write_annotations(marks, f"{folder}/a.fits", "FITS table")
        return path.read_bytes()


FORMATS = [
    {"format": "ascii.ecsv"},
    {"format": "votable"},
    {"format": "votable", "tabledata_format": "binary2"},
    {"format": "parquet"},
    {"format": "fits"},
]
ECSV, VOTABLE, BINARY, PARQUET, FITS = (written(as_table(), **options) for options in FORMATS)
COMPONENTS = (
    b"# Source list for a.fits\n# Equinox : 2000.0\n\n# Source_id, Isl_id, RA, DEC, Maj, Min, PA, S_Code\n"
    b"0, 0, 150.0, 40.0, 0.001, 0.0005, 30.0, S\n1, 0, 180.0, 30.0, 0.001, 0.001, 0.0, M\n2, 1, 10, 10, 0, 0, nan, S\n"
)


MASK = np.zeros((24, 30), dtype=np.uint8)
MASK[3:9, 4:12], MASK[5, 6], MASK[20, 20] = 2, 0, 1


def png_mask() -> bytes:
    written = io.BytesIO()
    text = PngImagePlugin.PngInfo()
    text.add_text("Labels", "1=core, 2=lobe")
    Image.fromarray(MASK).save(written, format="PNG", pnginfo=text)
    return written.getvalue()


def fits_mask() -> bytes:
    image = fits.PrimaryHDU(MASK.astype("i2"), fits.Header({"LABEL1": "core", "BLANK": -1}))
    return as_fits(image)


def as_json(content: Any) -> bytes:
    return json.dumps(content, indent=1).encode()


_CORNERS = [[1, 1], [5, 1], [5, 4.5]]
COCO = as_json(
    {
        "images": [{"id": 1, "file_name": "s1.png", "width": 30, "height": 20}],
        "categories": [{"id": 2, "name": "lobe", "keypoints": ["core", "hotspot"]}],
        "annotations": [
            {"image_id": 1, "category_id": 2, "bbox": [1, 2, 3, 4], "attributes": {"rotation": 20}},
            {"image_id": 1, "category_id": 2, "segmentation": [[1, 1, 5, 1, 5, 4]]},
            {"image_id": 1, "segmentation": {"size": [20, 30], "counts": [31, 4, 16, 4, 545]}},
            {"image_id": 1, "category_id": 2, "keypoints": [3, 4, 2, 6, 7, 0]},
        ],
    }
)
LABELME = as_json(
    {
        "shapes": [
            {
                "label": "lobe",
                "points": _CORNERS,
                "shape_type": "polygon",
                "group_id": 1,
                "flags": {"core": True},
            },
            {"label": "jet", "points": _CORNERS, "shape_type": "linestrip"},
            {"label": "core", "points": _CORNERS[:2], "shape_type": "circle"},
        ],
        "imagePath": "s1.png",
        "imageHeight": 20,
        "imageWidth": 30,
    }
)
_VIA = [
    {"name": "ellipse", "cx": 9, "cy": 8, "rx": 5, "ry": 2, "theta": 0.5},
    {"name": "polygon", "all_points_x": [1, 5, 5], "all_points_y": [1, 1, 4]},
]
VIA = as_json(
    {
        "s1.png1": {
            "filename": "s1.png",
            "regions": [
                {"shape_attributes": s, "region_attributes": {"label": "lobe"}} for s in _VIA
            ],
        }
    }
)


def as_export(**cells: str) -> bytes:
    text = io.StringIO()
    table = csv.DictWriter(text, list(cells))
    table.writeheader()
    table.writerow(cells)
    return text.getvalue().encode()


VIA_CSV = as_export(
    filename="s1.png",
    file_attributes="{}",
    region_shape_attributes=json.dumps(_VIA[0]),
    region_attributes='{"label":"jet"}',
)
ZOONIVERSE = as_export(
    user_name="ann",
    metadata='{"subject_dimensions": [{"naturalWidth": 300, "naturalHeight": 200}]}',
    annotations=json.dumps(
        [
            {
                "task": "T0",
                "value": [{"tool": 0, "tool_label": "Lobe", "x": 9, "y": 8, "rx": 5, "ry": 2}],
            },
            {"task": "T1", "value": "FR II"},
        ]
    ),
    subject_data='{"7": {"Filename": "s1.png"}}',
    subject_ids="7",
)


SEEDS = {
    "COCO": [COCO],
    "LabelMe": [LABELME],
    "VIA": [VIA],
    "VIA (CSV)": [VIA_CSV],
    "Zooniverse export": [ZOONIVERSE],
    "FITS mask": [fits_mask(), gzip.compress(fits_mask())],
    "FITS regions": [fits_regions()],
    "PNG mask": [png_mask()],
    "CASA regions (CRTF)": CRTF,
    "ECSV": [ECSV],
    "VOTable": [VOTABLE, BINARY, gzip.compress(VOTABLE), bz2.compress(VOTABLE)],
    "Parquet": [PARQUET],
    "FITS table": [FITS, as_fits_table()],
    "Excel workbook": [as_workbook()],
    "PyBDSF catalogue": [COMPONENTS],
    "DS9 regions": DS9,
    "annotation table (CSV)": TABLES,
    "ClaRAN catalogue": [CATALOGUE],
    "Radio Galaxy Zoo expert sample": [EXPERTS],
}
"""Valid files of every reader by its name."""
ALL = [content for files in SEEDS.values() for content in files]
WORDS = [
    *(
        b'"counts": "',
        b'"size": [9e9, 9e9]',
        b'"keypoints": ',
        b"[[[[",
        b"}]",
        b"null",
        b"true",
        b'"mask": "aGk="',
    ),
    *(f"{name},".encode() for name in (*COLUMNS, *CATALOGUE_COLUMNS, *EXPERT_COLUMNS)),
    *(b'"', b'""', b",", b";", b"\t", b"\r", b"\n", b"\r\n", b"\x00", b"\xff", b"\xef\xbb\xbf"),
    *(b"icrs", b"pixel", b"polygon", b"point", b"circle", b"RADIO", b"IR", b"NONE:", b"=1+1"),
    *(
        b"image",
        b"fk4",
        b"galactic",
        b"wcs",
        b"||",
        b"#",
        b"{",
        b"}",
        b"-annulus(3,4,5,6)",
        b"tag={round=2}",
        b"bpanda(",
        b"REGION",
        b"TFORM2  = '3PD(3)'",
        b"TDIM2   = '(1,3)'  ",
        b"!annulus",
        b"[[",
        b"]]",
        b"pix",
        b"arcmin",
        b"global coord=GALACTIC, ",
        b"ann ",
        b"# attnxai weight=1",
    ),
    *(
        b"<!ENTITY a ",
        b"<TR>",
        b"</TD>",
        b'<STREAM href="',
        b"# - {name: x",
        b"unit: deg",
        b"!!python/object",
    ),
    *("−1".encode(), "１".encode(), "\u2028".encode(), "e\u0301".encode(), b"\x1b[2J", b"1e308"),
    *(b"0 0; 0 0; 0 0", b"1;" * 40, b"360", b"-90", b"90", b"1e-6", b"1e-7", b"../../etc/passwd"),
]


def test_every_reader_has_seeds() -> None:
    missing = [name for name in READERS if name not in SEEDS]
    assert not missing, (
        f"add to SEEDS in tests/hostile/test_annotations.py a list of valid files of {missing}"
    )
    for name, files in SEEDS.items():
        reader = find_reader(files[0], f"SEEDS[{name!r}]")
        found = reader and reader.name
        assert found == name, (
            f"correct SEEDS[{name!r}] in tests/hostile/test_annotations.py: its first file is {found}"
        )


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("name", SEEDS)
def test_damaged_files(name: str, effort: int) -> None:
    files = damaged([*SEEDS[name], *ALL], words=WORDS, text=True)
    fuzz(read, files, file_name="marks.csv", examples=120 * effort)


@st.composite
def row_of_extremes(draw: st.DrawFn) -> str:
    """A row of values from the edge of what is allowed, and now and then one from beyond it."""
    frame = draw(st.sampled_from(["pixel", "icrs", ""]))
    on_sky = frame == "icrs"
    x = st.sampled_from(["150", "149.999", "0", "360"] if on_sky else ["3", "-4.5", "1e6", "-1e6"])
    y = st.sampled_from(["40", "40.001", "90", "-90"] if on_sky else ["3", "29.5", "1e6", "-1e6"])
    length = st.sampled_from(["1e-6", "0.001", "5", "324000" if on_sky else "1e6"])
    points = st.lists(st.tuples(x, y), min_size=2, max_size=5)
    cells = [
        draw(st.sampled_from(["s1", "s2", "s3", "a/b.fits", "\x00", "x" * 300])),
        draw(st.sampled_from(["ann", "Zoé", "\u202e", "'"])),
        draw(st.sampled_from(["point", "circle", "ellipse", "box", "polygon", "LINE"])),
        draw(x),
        draw(y),
        draw(length),
        draw(length),
        draw(length),
        draw(st.sampled_from(["0", "-360", "360", "45.5", ""])),
        "; ".join(f"{a} {b}" for a, b in draw(points)),
        frame,
        draw(st.sampled_from(["core", "jet", "lobe"])),
        "",
        draw(st.sampled_from(["", "0", "1", "1e-300"])),
        draw(st.sampled_from(["", "", "/dev/zero"])),
    ]
    if draw(st.integers(0, 9)) == 0:
        beyond = ["", "1e308", "-1", "nan", "1e-7", "361", "BOX", "\n", "9" * 400]
        cells[draw(st.integers(0, len(cells) - 1))] = draw(st.sampled_from(beyond))
    return ",".join(f'"{cell}"' for cell in cells)


@pytest.mark.parametrize("effort", EFFORTS)
def test_tables_of_extreme_values(effort: int) -> None:
    rows = st.lists(row_of_extremes(), min_size=1, max_size=3)
    files = rows.map(lambda found: as_csv(COLUMNS, *found))
    fuzz(read, files, file_name="marks.csv", examples=150 * effort)


@pytest.mark.parametrize("effort", EFFORTS)
def test_anything(effort: int) -> None:
    starts = [b"", as_csv(COLUMNS), as_csv(CATALOGUE_COLUMNS), as_csv(EXPERT_COLUMNS), b"\xff\xfe"]
    files = st.builds(
        lambda start, rest: start + rest, st.sampled_from(starts), st.binary(max_size=300)
    )
    fuzz(read, files, file_name="marks.csv", examples=80 * effort)


@pytest.mark.parametrize("effort", EFFORTS)
def test_lists_of_sources_to_hold_out(effort: int) -> None:
    files = damaged([b"s1\ns2.fits\n", *ALL], words=WORDS, text=True)
    fuzz(lambda path: read_held_out(path, IMAGES), files, file_name="ids.txt", examples=80 * effort)


@pytest.mark.parametrize("effort", EFFORTS)
def test_tables_of_labels(effort: int) -> None:
    from attnxai.data.label_table import check_classes, read_label_table

    def read_labels(path: Path) -> None:
        rows = read_label_table(path)
        check_classes(rows, path)

    valid = [
        b"source,class,split\na,FRI,train\nb.png,FR II,train\nc,fr-1,test\nd,FRII,validation\n"
    ]
    words = [*WORDS, b"split", b"class", b"train", b"label", b"image"]
    fuzz(
        read_labels,
        damaged(valid, words=words, text=True),
        file_name="labels.csv",
        examples=80 * effort,
    )


@pytest.mark.parametrize("effort", EFFORTS)
def test_histories_of_a_training(effort: int) -> None:
    from attnxai.training.history import EpochResult, kept_epoch, read_history, write_history

    def read_and_use(path: Path) -> None:
        history = read_history(path)
        if not history:
            raise DataSetError(f"{path} is empty")
        kept_epoch(history)

    epochs = [
        EpochResult(
            epoch=i,
            images_seen=10 * i,
            steps=i,
            learning_rate=0.1,
            train_loss=0.5,
            validation_loss=0.4,
            validation_accuracy=0.9,
            seconds=1.5,
        )
        for i in range(3)
    ]
    with tempfile.NamedTemporaryFile() as file:
        write_history(epochs, file.name)
        valid = [Path(file.name).read_bytes()]
    fuzz(
        read_and_use,
        damaged(valid, words=WORDS, text=True),
        file_name="h.csv",
        examples=80 * effort,
    )
