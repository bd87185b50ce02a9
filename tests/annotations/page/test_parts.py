"""What the annotation page holds: levels, sky positions, the order, the bundle, and nothing that a browser would run."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import warnings
import zlib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

import attnxai
from attnxai.annotations.page.document import write_annotation_page
from attnxai.annotations.page.order import ask_order, parse_repeats
from attnxai.annotations.page.pictures import BLANK, pack
from attnxai.annotations.page.sky import sky_polynomials
from attnxai.data.grid import PixelGrid
from attnxai.data.images import SourceImage, from_array
from attnxai.data.sky import pixel_to_sky
from attnxai.errors import ImageError, OptionError
from tests.cli.program import attnxai as program
from tests.cli.program import refused

PAGE = Path(attnxai.__file__).parent / "annotations" / "page"
SOURCES = PAGE / "source"


def levels_of(picture, shape):
    planes = np.frombuffer(zlib.decompress(base64.b64decode(picture.text)), np.uint8)
    high, low = planes.reshape(2, *shape).astype(np.uint16)
    return high * 256 + low


# --- pixels ----------------------------------------------------------------------------------------


def test_levels_are_far_finer_than_the_noise():
    pixels = np.random.default_rng(0).normal(0, 1e-4, (40, 50))
    pixels[20, 30] = 0.2
    footprint = np.ones(pixels.shape, bool)
    footprint[3:5, 6] = False
    image = SourceImage(
        source="s", pixels=pixels, grid=PixelGrid(shape=(40, 50)), footprint=footprint
    )
    picture = pack(image)
    levels = levels_of(picture, pixels.shape)
    assert np.array_equal(levels == BLANK, ~footprint)
    back = picture.zero + picture.step * levels
    assert np.abs(back - image.pixels)[footprint].max() < 1e-4 / 25
    assert levels[footprint].max() == picture.top == levels[20, 30]
    assert picture.low < 0 < picture.high == pytest.approx(0.2)


def test_whole_numbers_keep_their_values():
    pixels = np.zeros((9, 9), np.uint8)
    pixels[2:5, 3:7] = np.arange(12).reshape(3, 4) * 23
    picture = pack(from_array(pixels, source="s"))
    assert (picture.zero, picture.step, picture.top) == (0, 1, 253)
    assert np.array_equal(levels_of(picture, (9, 9)), pixels)


def test_two_hundred_noisy_images_take_less_than_30_megabytes(tmp_path):
    rng = np.random.default_rng(1)
    images = []
    for number in range(200):
        pixels = rng.normal(0, 1.5e-4, (300, 300)).astype(np.float32)
        pixels[140:160, 120:180] += 0.005 * rng.random()
        images.append(from_array(pixels, source=f"s{number}", pixel_scale_arcsec=1.8))
    written = write_annotation_page(images, tmp_path / "annotate.html")
    assert written.n_bytes == (tmp_path / "annotate.html").stat().st_size < 30e6


# --- the sky ---------------------------------------------------------------------------------------


def header_of(kind="TAN", angle=0.0, step=0.0005, crpix=(150.5, 150.5), **cards):
    header = fits.Header()
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    values = {
        "CTYPE1": f"RA---{kind}", "CTYPE2": f"DEC--{kind}", "CRVAL1": 187.7, "CRVAL2": 12.4,
        "CRPIX1": crpix[0], "CRPIX2": crpix[1], "CD1_1": -step * cos, "CD1_2": step * sin,
        "CD2_1": step * sin, "CD2_2": step * cos,
    }  # fmt: skip
    header.update(values | cards)
    return header


SKIES = {
    "TAN": header_of(),
    "TAN, rotated by 37 degrees, far from its reference": header_of(angle=37, crpix=(-3000, 900)),
    "SIN, rotated": header_of("SIN", -20, 0.0004, (40, 260)),
    "ARC near the pole": header_of("ARC", 10, CRVAL2=89.97),
    "CAR": header_of("CAR", CRVAL2=0.0, crpix=(150, 10_000)),
    "B1950": header_of(RADESYS="FK4", EQUINOX=1950.0),
    "Galactic": header_of(CTYPE1="GLON-TAN", CTYPE2="GLAT-TAN", CRVAL1=120.0, CRVAL2=-30.0),
    "a milliarcsecond a pixel": header_of(step=1e-3 / 3600, angle=5),
    "half a degree in three pixels": header_of(step=0.05),
}


@pytest.mark.parametrize("name", SKIES)
def test_polynomials_give_sky_positions_to_a_hundredth_of_a_pixel(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        grid = PixelGrid(shape=(300, 280), wcs=WCS(SKIES[name]))
    found = sky_polynomials(grid)
    assert found is not None
    x, y = np.random.default_rng(2).uniform(-0.5, 0.5, (2, 500)) * [[280], [300]] + [
        [139.5],
        [149.5],
    ]
    u, v = (x - found["x"]) / found["half"], (y - found["y"]) / found["half"]
    degree = found["degree"]
    terms = [u**i * v**j for i in range(degree + 1) for j in range(degree + 1 - i)]
    east, north = (np.tensordot(found[k], terms, 1) for k in ("east", "north"))
    # textbook inverse of the gnomonic projection
    ra0, dec0 = np.radians([found["ra"], found["dec"]])
    rho = np.hypot(east, north)
    c = np.arctan(rho)
    dec = np.arcsin(np.cos(c) * np.sin(dec0) + north * np.sin(c) * np.cos(dec0) / rho)
    ra = ra0 + np.arctan2(
        east * np.sin(c), rho * np.cos(dec0) * np.cos(c) - north * np.sin(dec0) * np.sin(c)
    )
    right_ra, right_dec = np.radians(pixel_to_sky(grid.wcs, x, y))
    off = np.hypot((np.sin((ra - right_ra) / 2) * 2) * np.cos(dec), dec - right_dec)
    assert np.degrees(off).max() * 3600 < 0.01 * found["scale_arcsec"]


def test_what_no_polynomial_shows_is_written_in_pixels_and_noted(tmp_path):
    """A whole hemisphere in SIN ends within the image."""
    fits.PrimaryHDU(np.eye(300, dtype="f4"), header_of("SIN", step=0.5)).writeto(
        tmp_path / "h.fits"
    )
    fits.PrimaryHDU(np.eye(30, dtype="f4"), header_of()).writeto(tmp_path / "a.fits")
    np.save(tmp_path / "n.npy", np.eye(30))
    images = attnxai.read_images(tmp_path)
    written = write_annotation_page(images, tmp_path / "annotate.html")
    first, second = written.notes
    assert first.startswith("1 of 3 images have no celestial coordinates")
    assert second.startswith("the coordinates of 1 of 3 images vary too much")
    assert second.endswith(": h")


# --- the order -------------------------------------------------------------------------------------

NAMES = [f"s{i}" for i in range(40)]


def test_repeats_come_later_and_under_other_names():
    rng = np.random.default_rng(3)
    looks = ask_order(NAMES, shuffle=True, blind=True, n_repeats=8, rng=rng)
    places = {(look.image, look.round): at for at, look in enumerate(looks)}
    assert sorted(look.image for look in looks if look.round == 1) == list(range(40))
    again = [look.image for look in looks if look.round == 2]
    assert len(again) == len(set(again)) == 8
    assert min(places[image, 2] - places[image, 1] for image in again) > 5
    shown = [look.name for look in looks]
    assert len(set(shown)) == 48
    assert not set(shown) & set(NAMES)
    assert [look.image for look in looks if look.round == 1] != list(range(40))


def test_without_options_every_image_is_shown_once_in_order():
    rng = np.random.default_rng(0)
    looks = ask_order(NAMES, shuffle=False, blind=False, n_repeats=0, rng=rng)
    assert looks == [(i, 1, name) for i, name in enumerate(NAMES)]


def test_repeats_are_a_number_or_a_share():
    assert [parse_repeats(t, 30) for t in ("0", "5", "10%", "12.5 %", "100%")] == [0, 5, 3, 4, 30]
    for text in ("0.1", "-1", "x", "5 of", "1e3"):
        with pytest.raises(OptionError, match="should be a number of images, or a share"):
            parse_repeats(text, 30)
    with pytest.raises(OptionError, match="more than there are: 30 images"):
        parse_repeats("31", 30)


# --- the page --------------------------------------------------------------------------------------


class Parts(HTMLParser):
    """Every start tag, and the content of scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.raw, self.inside = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = (tag, dict(attrs)) if tag in ("script", "style") else None

    def handle_data(self, data):
        if self.inside:
            self.raw.append((*self.inside, data))
            self.inside = None


HOSTILE = "</script><img src=x onerror=alert(1)>&lt;"


def test_the_page_runs_nothing_but_its_own_script(tmp_path):
    images = [from_array(np.eye(4), source="<!--<script>=1&amp")]
    write_annotation_page(images, tmp_path / "a.html", title=HOSTILE, classes=[HOSTILE])
    parts = Parts((tmp_path / "a.html").read_text(encoding="utf-8"))
    assert not [attrs for _, attrs in parts.tags if {"src", "href", "style"} & set(attrs)]
    assert not [name for _, attrs in parts.tags for name in attrs if name.startswith("on")]
    assert not [tag for tag, _ in parts.tags if tag in ("img", "iframe", "link", "object", "base")]
    (policy,) = [a["content"] for t, a in parts.tags if a.get("http-equiv")]
    hashed = {
        tag: f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for tag, attrs, text in parts.raw
        if "type" not in attrs
    }
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == hashed["script"]
    assert rules["style-src"] == hashed["style"]
    assert rules["trusted-types"] == "'none'"
    (study,) = [text for _, attrs, text in parts.raw if attrs.get("id") == "study"]
    assert json.loads(study)["images"][0]["source"] == "<!--<script>=1&amp"
    assert json.loads(study)["classes"] == [HOSTILE]


@pytest.mark.parametrize("source", ["a\x1bb", " a", "a\u202eb", "a.png", "b/a", "a\nb"])
def test_an_id_that_a_table_cannot_hold_is_refused(source, tmp_path):
    image = from_array(np.eye(4), source=source)
    with pytest.raises(ImageError, match="would change in an annotation table; rename"):
        write_annotation_page([image], tmp_path / "a.html")


def test_other_input_that_is_refused(tmp_path):
    image = from_array(np.eye(4), source="a")
    with pytest.raises(ImageError, match="there are no images"):
        write_annotation_page([], tmp_path / "a.html")
    large = from_array(np.arange(4097 * 4096, dtype="f4").reshape(4097, -1), source="a")
    with pytest.raises(ImageError, match=r"4096 x 4097 pixels; browsers show 16,777,216 at most"):
        write_annotation_page([large], tmp_path / "a.html")
    for classes in ([""], ["x" * 101], ["a\x1b"]):
        with pytest.raises(OptionError, match=r"^class .* should be a name of 1 to 100"):
            write_annotation_page([image], tmp_path / "a.html", classes=classes)
    with pytest.raises(OptionError, match=r"^title ' ' should have 1 to 100"):
        write_annotation_page([image], tmp_path / "a.html", title=" ")
    assert not list(tmp_path.iterdir())


def test_the_same_input_makes_the_same_page(tmp_path):
    images = [from_array(np.eye(4), source=f"s{i}") for i in range(9)]
    pages = []
    for seed in (0, 0, 1):
        write_annotation_page(images, tmp_path / "a.html", blind=True, shuffle=True, rng=seed)
        pages.append((tmp_path / "a.html").read_bytes())
    assert pages[0] == pages[1] != pages[2]


# --- the command -----------------------------------------------------------------------------------


def test_the_command_writes_a_page(tmp_path):
    for name in ("b.npy", "a.npy"):
        np.save(tmp_path / name, np.where(np.eye(12) > 0, np.nan, np.arange(12.0)))
    done = program(
        "annotate", tmp_path, "-o", tmp_path / "p.html", "--repeats", "50%", "--class", "FRI, tailed",
        check=0,
    )  # fmt: skip
    assert "2 images, 1 of them twice; 0." in done.words
    assert f"Page: {tmp_path / 'p.html'}" in done.words
    assert "Note: 2 of 2 images have no celestial coordinates" in done.words
    study = Parts((tmp_path / "p.html").read_text(encoding="utf-8"))
    (text,) = [text for _, attrs, text in study.raw if attrs.get("id") == "study"]
    assert json.loads(text)["classes"] == ["FR I", "tailed"]
    refused(program("annotate", tmp_path, "-o", tmp_path / "p.html"), "exists already")
    both = [tmp_path / "b.npy", tmp_path / "a.npy"]
    program("annotate", *both, "-o", tmp_path / "p.html", "--overwrite", check=0)
    refused(program("annotate", tmp_path, "-o", tmp_path / "p.txt"), "should end in")
    refused(program("annotate", tmp_path / "none", "-o", tmp_path / "q.html"), "neither a file nor")
    refused(
        program("annotate", tmp_path, "-o", tmp_path / "q.html", "--repeats", "3"),
        "more than there are",
    )
    assert not (tmp_path / "q.html").exists()
    np.save(tmp_path / "a.npy", np.stack([np.eye(12), np.arange(144.0).reshape(12, 12)]))
    cube = ("annotate", tmp_path / "a.npy", "-o", tmp_path / "q.html")
    refused(program(*cube), "is a cube of 2 planes, 2 along axis 0; choose one", "by --plane 0")
    program(*cube, "--plane", "1", check=0)
    refused(program(*cube, "--hdu", "1", "--overwrite"), "without HDUs; leave hdu out")


# --- the bundle ------------------------------------------------------------------------------------


def sources_digest():
    digest = hashlib.sha256()
    for path in sorted(SOURCES.iterdir(), key=lambda p: p.name):
        if re.search(r"\.(m?js|json)$", path.name):
            digest.update(f"{path.name}\n{path.read_text(encoding='utf-8')}\n".encode())
    return digest.hexdigest()


def test_the_bundle_was_made_of_its_sources():
    text = (PAGE / "page.js").read_text(encoding="utf-8")
    assert f"sources sha256 {sources_digest()}\n" in text, "run make page"
    package = json.loads((SOURCES / "package.json").read_text())
    lock = json.loads((SOURCES / "package-lock.json").read_text())["packages"]
    wanted = {**package["dependencies"], **package["devDependencies"]}
    assert all(lock[f"node_modules/{name}"]["version"] == v for name, v in wanted.items())
    head = text.partition("*/")[0]
    for name, version in package["dependencies"].items():
        assert f"{name} {version}" in head
    assert head.count("Permission is hereby granted") == len(package["dependencies"])
    assert text.isascii()
    for forbidden in ("</script", "<!--", "innerHTML", "eval(", "new Function", "XMLHttpRequest"):
        assert forbidden not in text.partition("*/")[2], forbidden


@pytest.mark.slow
def test_building_again_gives_the_same_bundle(tmp_path):
    if not shutil.which("npm"):
        pytest.skip("no node on this machine")
    copy = shutil.copytree(SOURCES, tmp_path / "source", ignore=lambda *_: ["node_modules"])
    done = subprocess.run(
        ["npm", "ci", "--ignore-scripts"], check=False, cwd=copy, capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"the libraries cannot be fetched: {done.stderr[-200:]}")
    subprocess.run(["node", "build.mjs", str(tmp_path / "page.js")], cwd=copy, check=True)
    assert (tmp_path / "page.js").read_bytes() == (PAGE / "page.js").read_bytes()
