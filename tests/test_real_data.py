"""Real FITS cutouts through the whole way give what the 8-bit images of the same sources give."""

from __future__ import annotations

import dataclasses
import runpy
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import attnxai
from attnxai.agreement.comparison import ComparisonSettings, compare_pairs
from attnxai.explanations.inputs import splits_of
from attnxai.explanations.stack import Split
from attnxai.models.conversion import with_positions
from tests.cli.program import attnxai as run

pytestmark = pytest.mark.shared_data

BROKEN = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "pairing_broken.py"))


def test_fits_cutouts_agree_with_the_8_bit_images(shared_data):
    cutouts = attnxai.read_images(shared_data / "mirabest_fits")
    batches = attnxai.read_mirabest(shared_data).select(cutouts.sources)
    model = attnxai.load_model("d8.pt")
    settings = ComparisonSettings(n_permutations=99, n_bootstrap=100)
    results = []
    for images in (cutouts, batches):
        maps = attnxai.attention_maps(model, images)
        annotations = attnxai.read_annotations(
            shared_data / "rgz" / "claran_full_catalogue.csv", images
        )
        assert len(annotations.sources) == 24
        results.append((maps, attnxai.compare(maps, annotations, images, settings=settings)))
    (maps, of_cutouts), (same_maps, of_batches) = results
    for name, layer in maps.layers.items():
        np.testing.assert_array_equal(layer, same_maps.layers[name])
    assert of_cutouts.sources == of_batches.sources
    # classes are known for MiraBest alone
    assert of_cutouts.classes == (None,) * 24
    np.testing.assert_allclose(of_cutouts.values, of_batches.values, rtol=1e-9)


def moved(file: Path, folder: Path, number: int) -> Path:
    """A cutout of the same survey image about a place two pixels away, under a new name."""
    (hdu,) = fits.open(file)
    dx, dy = [(2, 0), (0, 2), (2, 2), (-2, 0), (0, -2), (-2, -2)][number % 6]
    rows, columns = (slice(max(2 * d, 0), 300 + min(2 * d, 0)) for d in (dy, dx))
    hdu.data = np.squeeze(hdu.data)[rows, columns].copy()
    hdu.header["CRPIX1"] -= columns.start
    hdu.header["CRPIX2"] -= rows.start
    path = folder / f"cut_{number:02d}.fits"
    hdu.writeto(path, output_verify="silentfix+ignore")
    return path


@pytest.mark.parametrize("name", ["d8.pt", "c1.pt"])
def test_cutouts_made_anew_are_known_as_what_they_show(shared_data, tmp_path, name):
    """As training, validation and held-out sources, under new names and moved by two pixels."""
    files = sorted((shared_data / "mirabest_fits").glob("*.fits.gz"))
    model = attnxai.load_model(name)
    assert model.training is not None
    # the shipped models hold all 24 out: train on every second one, validate on every third of the others
    names = [file.name.removesuffix(".fits.gz") for file in files]
    images = attnxai.read_mirabest(shared_data).select(names)
    assert splits_of(model, images) == (Split.HELD_OUT,) * 24
    train, validation = names[::2], names[1::6]
    record = dataclasses.replace(
        model.training,
        train_sources=tuple(train),
        validation_sources=tuple(validation),
        train_fingerprints=(),
        validation_fingerprints=(),
        train_positions=(),
        validation_positions=(),
    )
    other = with_positions(dataclasses.replace(model, training=record), images)
    expected = tuple(
        Split.TRAINING if n in train else Split.VALIDATION if n in validation else Split.HELD_OUT
        for n in names
    )
    cutouts = attnxai.read_images([moved(f, tmp_path, i) for i, f in enumerate(files)])
    assert splits_of(model, cutouts) == (Split.HELD_OUT,) * 24
    assert splits_of(other, cutouts) == expected
    assert attnxai.attention_maps(other, cutouts).splits == expected
    without = dataclasses.replace(other, training=record)
    assert splits_of(without, cutouts) == (Split.HELD_OUT,) * 24, "as before there were positions"


def test_the_published_split_by_position_is_that_by_name(shared_data):
    """With ids and pixels unknown, all images that have coordinates are what their names say."""
    images = attnxai.read_mirabest(shared_data)
    model = attnxai.load_model("d8.pt")
    assert model.training is not None
    by_name = splits_of(model, images)
    nameless = dataclasses.replace(
        model.training, train_fingerprints=(), validation_fingerprints=()
    )
    renamed = [dataclasses.replace(image, source=f"s{i}") for i, image in enumerate(images)]
    by_position = splits_of(dataclasses.replace(model, training=nameless), renamed)
    differ = {
        image.source: (str(one), str(other))
        for image, one, other in zip(images, by_name, by_position, strict=True)
        if one != other
    }
    assert differ == {"200_150.661+012.018_0.2633_0016.53": ("validation", "held-out")}


@pytest.mark.slow
@pytest.mark.parametrize("model", ["d8.pt", "c1.pt"])
def test_broken_pairings_pass_no_more_often_than_the_level(shared_data, model):
    """88 sources whose annotations were permuted within their true class, with their class known and removed."""
    pairs = BROKEN["real_pairs"](
        model, shared_data / "rgz" / "claran_full_catalogue.csv", shared_data / "mirabest"
    )
    assert len(pairs) == 88
    values = BROKEN["pair_values"](pairs, "nss")

    def rates(test):
        found = BROKEN["rejection_rates"](
            pairs, values, test=test, n_draws=199, rng=np.random.default_rng(0)
        )
        return [found[name] for name in pairs.explanations]

    assert max(rates("class known")) <= 0.065
    assert max(rates("class removed")) <= 0.065
    # which is not what permuting any sources gives: more than twice the level
    assert max(rates("pooled")) >= 0.12


def test_a_broken_pairing_has_the_strata_that_a_comparison_gives_it(shared_data):
    """The repetitions above permute indices; a comparison permutes the annotations themselves."""
    import dataclasses

    from attnxai.agreement.comparison.strata import annotated_sizes, size_bins, strata_of

    pairs = BROKEN["real_pairs"](
        "d8.pt", shared_data / "rgz" / "claran_full_catalogue.csv", shared_data / "mirabest"
    )
    partner = BROKEN["permuted_within"](pairs.classes, np.random.default_rng(1))
    broken = dataclasses.replace(
        pairs, density=pairs.density[:, partner], classes=(None,) * len(pairs)
    )
    sizes = annotated_sizes(pairs.density, pairs.valid, pairs.pixel_scale_arcsec)
    found = strata_of(broken, ("class",)).of_sources
    for (predicted, size), expected, bin_ in zip(
        found, pairs.predicted, size_bins(pairs.scores, sizes[partner], pairs.splits), strict=True
    ):
        assert predicted == expected
        assert size.startswith("not permuted") if bin_ is None else size == bin_


@pytest.mark.slow
def test_the_benchmark_within_emission_tests_what_a_comparison_tests(shared_data, monkeypatch):
    folder = Path(__file__).parents[1] / "benchmarks"
    monkeypatch.syspath_prepend(folder)
    values_within = runpy.run_path(str(folder / "within_emission.py"))["values_within"]
    pairs = BROKEN["real_pairs"](
        "d8.pt", shared_data / "rgz" / "claran_full_catalogue.csv", shared_data / "mirabest"
    )
    settings = ComparisonSettings(
        metrics=("nss",), within="emission", n_permutations=99, n_bootstrap=100
    )
    own = compare_pairs(pairs, settings=settings).within_emission
    for name, matrix in values_within(pairs).items():
        test = own.estimate(name, "nss", group=own.verdict_group).test
        assert test.observed == pytest.approx(np.diagonal(matrix).mean(), rel=1e-9), name


RESULTS = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "real_data.py"))
PUBLISHED = "bowles2021_mirabest_ag3_range_norm_ft.pt"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        (["--model", "d8.pt"], "model_markdown"),
        (["--model", PUBLISHED], "model_markdown"),
        (
            ["--model", "d8.pt", "--model", "c1.pt", "--null", "symmetries", "--null", "shift"],
            "models_markdown",
        ),
    ],
)
def test_the_page_on_real_galaxies_quotes_what_its_commands_write(
    shared_data, tmp_path, arguments, written
):
    page = Path(__file__).parents[1] / "docs" / "explanation" / "real_data.md"
    for path in (
        shared_data / "rgz" / "claran_full_catalogue.csv",
        shared_data / "published_checkpoints" / PUBLISHED,
    ):
        (tmp_path / path.name).symlink_to(path.resolve())
    where = ["--images", "mirabest", "--data-dir", (shared_data / "mirabest").resolve()]
    where += ["--annotations", "claran_full_catalogue.csv", "--output", "report"]
    run("compare", *arguments, *where, cwd=tmp_path, check=0)
    text = RESULTS[written](RESULTS["read"](tmp_path / "report"))
    assert text in page.read_text(encoding="utf-8")
