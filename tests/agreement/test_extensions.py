"""Metrics, nulls and explanation methods from outside the package: the examples of the documentation."""

from __future__ import annotations

import copy
import dataclasses
import doctest
import hashlib
import inspect
import io
import re
import subprocess
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

import attnxai
from attnxai.agreement.comparison import ComparisonSettings, compare_pairs
from attnxai.alignment.pairs import align
from attnxai.annotations.sample import sample_folder
from attnxai.cli.compare import compare as compare_command
from attnxai.errors import OptionError
from attnxai.explanations import EXPLANATIONS
from attnxai.metrics import METRICS, register_metric
from attnxai.nulls import GridSymmetries, NullModel, SurrogateNull, register_null
from attnxai.report.terminal import print_report
from attnxai.report.verdict import reach_verdict
from attnxai.report.wording import label_of_map
from attnxai.statistics.formats import p_equals
from tests.builders import made_up
from tests.registries import names_free
from tests.test_docs import blocks, page

OUTSIDE = {"module": "outside", "distribution": None, "file": None, "sha256": None}
QUICK = ComparisonSettings(metrics=("nss",), n_permutations=99, n_bootstrap=100)


def examples():
    """The examples, as source text."""
    decorators = (
        "register_metric",
        "register_null",
        "register_explanation",
        "register_attribution",
    )
    return [
        example
        for example in blocks(page("contributing.md"), "python")
        if any(decorator in example for decorator in decorators)
    ]


@pytest.fixture
def outside():
    """A module of somebody else that has been imported."""
    module = types.ModuleType("outside")
    with names_free("contrast", "half-turn", "gradients", "squared_gradient"):
        for example in examples():
            exec(compile(example, "outside", "exec", dont_inherit=True), vars(module))  # noqa: S102
        yield module


INPUTS = made_up(n_sources=9, side=24, agreement=0.6)


@pytest.fixture(scope="module")
def pairs():
    return align(*INPUTS)


def test_the_example_metric_does_what_it_says(outside):
    (example,) = doctest.DocTestFinder().find(outside.contrast, "contrast", globs=vars(outside))
    assert doctest.DocTestRunner().run(example) == (0, 1)
    rng = np.random.default_rng(0)
    map, mask = rng.random((2, 7, 6)), rng.random((2, 7, 6)) < 0.3
    for value, one, marks in zip(outside.contrast(map, mask), map, mask, strict=True):
        inside, rest = one[marks].mean(), one[~marks].mean()
        assert value == pytest.approx((inside - rest) / (inside + rest))
    assert np.isnan(outside.contrast(-map, mask)).all()


def test_names_and_objects_give_the_same_comparison(outside, pairs):
    results = [
        compare_pairs(
            pairs, settings=dataclasses.replace(QUICK, metrics=metrics, nulls=nulls), rng=0
        )
        for metrics, nulls in (
            (("contrast", "nss"), ("half-turn",)),
            ((outside.contrast, METRICS["nss"]), (outside.HalfTurn(),)),
        )
    ]
    by_name, by_object = (result.to_record() for result in results)
    assert by_name == by_object
    assert results[0].metrics == ("contrast", "nss")
    estimate = results[0].estimate("gate2", "contrast")
    assert estimate.interval.value > 0.3
    assert estimate.pooled.p_value < 0.05
    turned = estimate.further_test("half-turn")
    assert turned.label == "half turn"
    (line,) = re.findall("^ +gate2 contrast .*$", results[0].summary(), re.MULTILINE)
    assert line.endswith(f"; half-turn {p_equals(turned.test.p_value)}")
    # two arrangements of each of nine sources, of which the observed one is among the best
    assert turned.test.n_draws == 99
    assert turned.test.p_value <= 0.05
    assert results[0].settings["null_options"] == {"half-turn": {}}
    assert results[0].settings["plugins"] == [
        {"kind": "metric", "name": "contrast", **OUTSIDE},
        {"kind": "null", "name": "half-turn", **OUTSIDE},
    ]
    console = Console(record=True, width=200, file=io.StringIO())
    print_report(results[:1], reach_verdict(results[:1], INPUTS[1]), console)
    assert "Contrast of made-up under other nulls" in (text := console.export_text())
    assert "half turn" in text


def test_compare_takes_metric_objects_beside_names():
    mixed, named = (
        attnxai.compare(*INPUTS, settings=dataclasses.replace(QUICK, metrics=metrics))
        for metrics in ((attnxai.metrics.nss, "auc"), ("nss", "auc"))
    )
    assert mixed.metrics == ("nss", "auc")
    assert mixed.to_record() == named.to_record()


def test_objects_have_options_of_their_own(pairs):
    rotations = GridSymmetries(reflections=False)
    settings = dataclasses.replace(QUICK, nulls=(rotations, "shift"))
    assert settings.null_names == ("symmetries", "shift")
    assert settings.chosen_nulls[0] is rotations
    assert settings.to_record()["null_options"] == {
        "symmetries": {"reflections": False},
        "shift": {"n_shifts": 999},
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        few = align(*made_up(n_sources=2, side=24))
        test = compare_pairs(few, settings=settings).estimate("gate2", "nss").further[0].test
    assert test.smallest_p == 1 / 16


def test_what_is_not_registered_is_refused(outside):
    settings = {"metrics": (dataclasses.replace(METRICS["nss"], label="mine"),)}
    with pytest.raises(OptionError, match="another metric is registered as nss"):
        ComparisonSettings(**settings)
    mine = type("Mine", (outside.HalfTurn,), {"name": "symmetries", "__slots__": ()})
    with pytest.raises(OptionError, match="another null is registered as symmetries"):
        ComparisonSettings(nulls=(mine(),))
    with pytest.raises(OptionError, match=r"a null is an object or its name; give HalfTurn\(\)$"):
        ComparisonSettings(nulls=(outside.HalfTurn,))
    with pytest.raises(
        OptionError, match="another null called symmetries is registered by attnxai"
    ):
        register_null(mine)
    for names, message in (
        ({"name": "Half-Turn"}, "null 'Half-Turn' needs a name that the command line can read"),
        ({"name": "mine", "label": "Rotation"}, "mine has the label Rotation, .* that of rotation"),
    ):
        with pytest.raises(OptionError, match=message):
            register_null(type("Mine", (outside.HalfTurn,), {**names, "__slots__": ()}))
    with pytest.raises(OptionError, match=r"a null is a subclass of .*NullModel, got <function"):
        register_null(lambda: None)
    with pytest.raises(
        OptionError, match="Nameless lacks name, label, question, assumes, surrogates"
    ):
        register_null(type("Nameless", (SurrogateNull,), {}))
    with pytest.raises(OptionError, match=r"unknown null 'permutation'.*; known nulls are"):
        ComparisonSettings(nulls=("permutation",))
    for options in ({"metrics": METRICS["nss"]}, {"nulls": GridSymmetries()}, {"nulls": "shift"}):
        with pytest.raises(
            OptionError, match=r"has to be a sequence, such as \(.*,\), got .* alone"
        ):
            ComparisonSettings(**options)
    with pytest.raises(OptionError, match="unknown metric '3'; known metrics are"):
        ComparisonSettings(metrics=(3,))
    with pytest.raises(OptionError, match="given twice with different options"):
        ComparisonSettings(nulls=("symmetries", GridSymmetries(reflections=False)))


def test_a_metric_that_depends_on_the_order_of_pixels_is_refused():
    def first_peak(maps, targets):
        """Whether the first of the highest pixels is marked."""
        return targets.values[:, maps.values.argmax(axis=1)].T

    facts = {"label": "First peak", "meaning": "m", "target": "mask", "chance": 0.0}
    with names_free("first_peak"):
        with pytest.raises(
            OptionError, match=r"first_peak depends on the order of pixels: . becom"
        ):
            register_metric(**facts)(first_peak)
        assert "first_peak" not in METRICS


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (
            lambda map, where: (where, np.stack([map[::-1][where], map[where]])),
            "the first row of the surrogates is not the map on the pixels used; put the observed map first",
        ),
        (
            lambda map, where: (where, map[where]),
            r"an array of shape \(576,\) for 576 pixels used; it should be \(n_columns, 576\), with",
        ),
        (
            lambda map, where: (where, np.stack([map, map])),
            r"of shape \(2, 24, 24\) for 576 pixels",
        ),
        (lambda map, where: (where, np.stack([map[where]])[:, 1:]), r"\(1, 575\) for 576 pixels"),
        (
            lambda map, where: (where[1:], map[None, where]),
            r"used of shape \(23, 24\) for a map of",
        ),
        (lambda map, where: map[None, where], "pixels used and the surrogates, got ndarray"),
        (
            lambda map, where: (where, np.stack([map[where]] * (2 + (map.argmax() % 2)))),
            "source number . has . surrogates, but the first has .; all sources need the same number",
        ),
    ],
)
def test_what_a_null_returns_is_checked(made, message, pairs, outside):
    surrogates = {"surrogates": lambda _, map, where, rng: made(map, where)}
    mine = type("Mine", (outside.HalfTurn,), {"name": "mine", "label": "mine", **surrogates})
    with names_free("mine"):
        register_null(mine)
        with pytest.raises(OptionError, match=f"^null mine: .*{message}"):
            compare_pairs(pairs, settings=dataclasses.replace(QUICK, nulls=("mine",)))


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (lambda metrics, targets: np.zeros((3, 4)), r"\(3, 4\); .*, here \(1, 2, 9, n_columns\)$"),
        (lambda metrics, targets: np.zeros((1, 2, 9, 0)), r"shape \(1, 2, 9, 0\)"),
        (
            lambda metrics, targets: metrics[0].evaluate(*np.ones((2, 9, 20))),
            "shuffled_auc needs others: .*, which attnxai.metrics.leave_one_out_centre_bias gives",
        ),
    ],
)
def test_tables_of_a_null_are_checked(tables, message, pairs):
    words = {"name": "mine", "label": "mine", "question": "Is it?", "assumes": "Nothing."}
    own = {"tables": lambda _, metrics, maps, targets, valid, *, rng: tables(metrics, targets)}
    mine = type("Mine", (NullModel,), {**words, **own})
    settings = dataclasses.replace(QUICK, metrics=("shuffled_auc",))
    with names_free("mine"):
        register_null(mine)
        with pytest.raises(OptionError, match=f"^null mine: .*{message}"):
            compare_pairs(pairs, settings=dataclasses.replace(settings, nulls=("mine",)))
        mine.permutes_sources = True
        with pytest.raises(OptionError, match=r"null mine permutes sources, .* \(--strata\)$"):
            register_null(mine)


@pytest.fixture(scope="module")
def sample():
    """Four sources of the shipped sample, and a model for them."""
    annotations = attnxai.read_annotations("expert.csv")
    images = annotations.image_files()
    images = attnxai.read_images([images[name] for name in annotations.sources[:4]])
    return attnxai.load_model("c1.pt"), images, annotations.select(images.sources)


def scores_of(model, inputs):
    network = copy.deepcopy(model.network).double()  # for differences that are no rounding
    with torch.no_grad():
        return network(torch.from_numpy(np.stack(inputs))[:, None]).numpy()


def test_the_example_explanation_is_the_gradient_of_the_scores(outside, sample):
    model, images, _ = sample
    # without the ties of blank sky, at which the maxima of poolings have no gradient
    noise = np.random.default_rng(0).random((150, 150))
    noise = attnxai.data.from_array(noise, source="n", pixel_scale_arcsec=1.8, prepared=True)
    (maps,) = attnxai.explain(model, [noise], "gradients", target="FR II").layers.values()
    assert maps.shape == (1, 144, 144)
    inputs = model.preprocessing.standardise(model.preprocessing.view(noise).brightness)
    step = np.zeros(inputs.shape)
    step[np.unravel_index(maps[0].argmax(), maps[0].shape)] = 1e-6
    more, less = scores_of(model, [inputs + step, inputs - step])[:, 1]
    assert maps[0].max() == pytest.approx(abs(more - less) / 2e-6, rel=1e-3)
    # left out, the predicted class is explained against the others
    stack = outside.gradients(model, images)
    for index, name in enumerate(stack.predicted_classes()):
        target = (name, *(other for other in model.class_names if other != name))
        (expected,) = attnxai.explain(model, images, "gradients", target=target).layers.values()
        np.testing.assert_allclose(
            stack.layers["gradient"][index], expected[index], rtol=1e-4, atol=1e-7
        )
    assert all(weight.grad is None for weight in model.network.parameters())


def test_the_example_attribution_is_the_square_of_the_saliency(outside, sample):
    model, images, _ = sample
    (squares,) = attnxai.explain(model, images, "squared_gradient").layers.values()
    (gradients,) = attnxai.explain(model, images, "saliency").layers.values()
    np.testing.assert_allclose(squares, gradients**2, rtol=1e-5)
    assert squares.any()
    assert label_of_map("squared_gradient") == "Squared gradient"


def test_maps_of_the_example_are_compared(outside, sample):
    model, images, annotations = sample
    maps = attnxai.explain(model, images, "gradients")
    facts = {"name": "gradients", "title": "input gradients", "target": "predicted class"}
    assert maps.provenance["explanations"] == [facts | OUTSIDE]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = attnxai.compare(maps, annotations, images, settings=QUICK)
    assert result.explanations == ("gradient",)
    assert np.isfinite(result.estimate("gradient", "nss").interval.value)


def test_the_command_compares_an_explanation_by_its_name(outside, tmp_path, monkeypatch):
    written = []

    def write_report(comparison, *_, **given):
        written.extend(comparison.results)
        raise InterruptedError

    shipped = sample_folder()
    header, *rows = (shipped / "expert.csv").read_text().splitlines()
    rows = [row for row in rows if "_01," in row]  # one source of each class
    table = "\n".join([header, *rows]).replace("images/", f"{shipped}/images/")
    (tmp_path / "mine.csv").write_text(table)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("attnxai.report.document.write_report", write_report)
    command = inspect.unwrap(compare_command)
    given = {"model": ["c1.pt"], "annotations": "mine.csv", "metric": ["nss"]}
    warnings.simplefilter("ignore")  # pytest takes it back
    with pytest.raises(InterruptedError):
        command(**given, explain=["gradients"], n_permutations=19, n_bootstrap=100)
    (result,) = written
    assert result.explanations == ("gradient",)
    assert result.data.maps.provenance["explanations"][0]["name"] == "gradients"
    known = re.escape(", ".join(sorted(EXPLANATIONS)))
    message = f"unknown explanation method 'lime'.*; known explanation methods are {known}$"
    with pytest.raises(OptionError, match=message):
        command(**given, explain=["lime"])


@pytest.mark.slow
def test_the_command_line_imports_a_plugin_and_the_report_names_it(tmp_path: Path):
    (tmp_path / "mine.py").write_text("\n".join(examples()), encoding="utf-8")
    options = ["--metric", "contrast", "--null", "half-turn", "--n-permutations", "99"]
    options += ["--explain", "gradients", "--plugin", "mine.py"]
    inputs = ["--model", "d8.pt", "--annotations", "expert.csv", "--n-bootstrap", "100"]
    done = subprocess.run(
        [sys.executable, "-m", "attnxai", "compare", *inputs, *options],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "half turn" in done.stdout
    report = (tmp_path / "attnxai-report" / "index.html").read_text(encoding="utf-8")
    assert "Contrast" in report
    assert "We compared the input gradients of d8.pt with" in report
    digest = hashlib.sha256((tmp_path / "mine.py").read_bytes()).hexdigest()
    for name in ("metric contrast", "null half-turn", "explanation method gradients"):
        assert f"{name}: module mine<br><small>mine.py, sha256 {digest}" in report
