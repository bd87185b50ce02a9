"""The documentation says what the program does: options, columns, keys, links and examples."""

from __future__ import annotations

import ast
import dataclasses
import enum
import importlib
import inspect
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import attnxai
from attnxai.agreement.comparison import ComparisonSettings, compare_pairs
from attnxai.agreement.model_comparison.of_results import contrast_results
from attnxai.alignment.pairs import align
from attnxai.annotations.annotation_set import Operation
from attnxai.annotations.inputs import Inputs
from attnxai.annotations.readers.claran import COLUMNS as CATALOGUE_COLUMNS
from attnxai.annotations.readers.table import parse_table
from attnxai.annotations.shapes import Frame, Label, ShapeKind
from attnxai.annotations.table_columns import COLUMNS
from attnxai.audit import AUDITS
from attnxai.audit.evidence_location_statistics import locate_evidence
from attnxai.cli.documentation import EVERY, page_of, pages_with_options
from attnxai.cli.documentation import commands as command_parameters
from attnxai.cli.option_notes import LINKS, REFUSED
from attnxai.data.wording import listed
from attnxai.errors import AnnotationError, ImageError, OptionError
from attnxai.explanations.files.formats import FORMATS
from attnxai.metrics import METRICS
from attnxai.models.lenet import LeNetSpec
from attnxai.models.model import TrainingRecord
from attnxai.models.preprocessing import Preprocessing
from attnxai.models.specification import (
    Aggregation,
    Architecture,
    LayerOrder,
    ModelSpec,
    Normalisation,
    Padding,
)
from attnxai.nulls import NULLS
from attnxai.report.content import ModelPart, ReportContent
from attnxai.report.documentation import metrics_markdown, with_part
from attnxai.report.findings import Finding
from attnxai.report.provenance import describe
from attnxai.report.sentences.say import say
from attnxai.report.summary import per_source_frames, summarise
from attnxai.report.verdict import reach_verdict
from attnxai.report.wording import capitalised
from tests.builders import made_up
from tests.registries import names_free, public_names

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
FACE = sorted((ROOT / ".github").rglob("*.md"))
WITH_LINKS = [*PAGES, *FACE, ROOT / "README.md", ROOT / "reference_annotations" / "README.md"]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TOCTREE = re.compile(r"^```\{toctree\}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return [body for kind, body in _BLOCK.findall(text) if kind == language]


def without_code(text: str) -> str:
    without_blocks = re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", without_blocks)


def names_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", PAGES, ids=names_of)
def test_no_line_is_taken_for_a_comment(path: Path) -> None:
    """MyST leaves out lines that begin with a per cent sign, such as the second half of "84 %"."""
    assert not re.findall(
        r"^[ \t]*%.*", without_code(path.read_text(encoding="utf-8")), re.MULTILINE
    )


# --- commands --------------------------------------------------------------------------------------


def sections_of(command: str) -> dict[str, str]:
    """What describes a command: the section of the page that is its own, and those that its last list links to."""
    path = DOCS / page_of(command)
    text = path.read_text(encoding="utf-8").partition(f"<!-- options {command}:begin -->")[2]
    own = text.partition(f"<!-- options {command}:end -->")[0]
    found = {"": own}
    links = re.findall(r"^- \[[^\]]+\]\(([^)]+)\): (.+)$", own, re.MULTILINE)
    for target, names in [*links, (EVERY, "`--plugin` `--quiet` `-q` `--verbose` `-v`")]:
        file, _, section = target.partition("#")
        title = section.replace("-", " ").capitalize()
        linked = (path.parent / file).read_text(encoding="utf-8")
        text = linked.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
        assert text, f"{command}: {target} has no section {title}"
        rows = " ".join(re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE))
        shared = rows if names == "all" else names
        found |= dict.fromkeys(re.findall(r"`(-[\w-]+)`", shared), text)
    return found


@pytest.mark.parametrize("command", list(command_parameters()))
def test_every_option_has_a_row_with_its_value_and_default(command) -> None:
    sections = sections_of(command)
    for parameter in command_parameters()[command].parameters.values():
        if parameter.param_type_name == "argument":
            names = [parameter.name.upper()]
        else:
            names = [*parameter.opts, *parameter.secondary_opts]
        where = next((sections[name] for name in names if name in sections), sections[""])
        rows = [row for row in where.splitlines() if row.startswith("| `")]
        cells = [re.split(r"(?<!\\)\|", row)[1:-1] for row in rows]
        (found,) = [one for one in cells if all(f"`{name}`" in one[0] for name in names)]
        _, value, default, meaning = (cell.strip() for cell in found)
        assert value, names
        assert len(meaning) > 10, names
        if parameter.required:
            assert default == "required", names
        elif isinstance(parameter.default, bool):
            assert default == ("on" if parameter.default else "off"), names
        elif parameter.default in (None, ""):
            stated = re.search(r"\[default: (.+?)\]", parameter.help)
            assert default.replace("`", "") == (stated[1] if stated else "none"), names
        else:
            given = parameter.default
            given = given.value if isinstance(given, enum.Enum) else given
            assert default == f"`{given}`", names


def test_tables_of_options_are_made_of_the_options() -> None:
    for path, text in pages_with_options(DOCS).items():
        message = "run: python -m attnxai.cli.documentation docs"
        assert path.read_text(encoding="utf-8") == text, message


def test_notes_on_options_are_about_options() -> None:
    """Words that are links are looked for where tables are made."""
    known = {
        name
        for command, found in command_parameters().items()
        for parameter in found.parameters.values()
        for option in (*parameter.opts, parameter.name.upper())
        for name in (option, f"{command} {option}")
    }
    assert not {*LINKS, *REFUSED} - known


def test_every_documented_option_exists() -> None:
    known = {"--help", "--version", "--install-completion", "--show-completion"}
    for command in command_parameters().values():
        for parameter in command.parameters.values():
            known.update(parameter.opts, parameter.secondary_opts)
    for path in sorted((DOCS / "reference" / "commands").glob("*.md")):
        options = set(re.findall(r"--[a-z][a-z-]+", path.read_text(encoding="utf-8")))
        assert options <= known, f"{path.name}: {sorted(options - known)}"


# --- files and names -------------------------------------------------------------------------------


def test_annotation_tables_are_documented() -> None:
    text = page("reference/annotations.md")
    for name in (*COLUMNS, *CATALOGUE_COLUMNS, *ShapeKind, *Label, *Frame, *Operation):
        assert f"`{name}`" in text, name


def test_the_example_table_can_be_read() -> None:
    (example,) = blocks(page("reference/annotations.md"), "csv")
    marked = parse_table(example)
    assert [a.shape.kind for a in marked.annotations] == ["circle", "line", "ellipse"]
    assert not marked.notices


def test_the_example_readers_work(tmp_path: Path) -> None:
    examples = blocks(page("contributing.md"), "python")
    marks, picture = [text for text in examples if "register_reader" in text]
    with names_free("peaks", "brightness table"):
        exec(marks, {})  # noqa: S102
        exec(picture, {})  # noqa: S102
        (tmp_path / "a").write_text("#peaks\ns1 ann 3 4 core FRI\n")
        read = attnxai.read_annotations(tmp_path / "a")
        assert (read.annotations[0].shape.y, read.annotations[0].shape.frame) == (4.0, "icrs")
        assert (read.annotations[0].label, read.classes) == ("core", {"s1": "FR I"})
        for row, text in {
            "s1 ann 3": "line 3: 's1 ann 3' is not source, annotator, RA, Dec, label and class",
            "s1 ann 3 b core FR I": "line 3: 's1 ann 3 b core FR I' is not source",
            "s1 ann 3 nan core FR I": "line 3: the y of a point has to be a declination from",
        }.items():
            (tmp_path / "a").write_text(f"#peaks\ns1 ann 3 4 core FR I\n{row}\n")
            with pytest.raises(AnnotationError, match=rf"(?s)^1 line of annotation file .*{text}"):
                attnxai.read_annotations(tmp_path / "a")
        (tmp_path / "b.bri").write_text("#brightness\n1 2 3\n4 5 6\n")
        (image,) = attnxai.read_images(tmp_path / "b.bri")
        assert image.pixels.tolist() == [[1, 2, 3], [4, 5, 6]]
        for row, text in {"# 4 5": "is '# 4 5', which is not", "4 5": "has 2 numbers"}.items():
            (tmp_path / "b.bri").write_text(f"#brightness\n1 2 3\n{row}\n")
            with pytest.raises(ImageError, match=f"^line 3 of image .* {text}"):
                attnxai.read_images(tmp_path / "b.bri")


def test_the_table_of_metrics_is_made_of_the_registry() -> None:
    text = metrics_markdown()
    message = "run: python -m attnxai.report.documentation docs"
    assert with_part(page("explanation/agreement.md"), "metrics", text) == page(
        "explanation/agreement.md"
    ), message
    begin, end = "<!-- metrics:begin -->", "<!-- metrics:end -->"
    for broken in ("no marks", f"{end} {begin}", 2 * f"{begin} {end}"):
        with pytest.raises(OptionError, match="once and in this order"):
            with_part(broken, "metrics", text)


def test_quoted_headlines_have_the_words_of_the_program() -> None:
    """Their numbers are tested where the real data are."""
    quoted = set(re.findall(r"^> (.+)$", page("explanation/real_data.md"), re.MULTILINE))
    of_one = {re.sub(r" \([^()]+\)", "", text) for text in quoted if "highest" not in text}
    named = {"annotations": say("annotations.associations"), "evidence": ""}
    brightness, emission, centre = (
        say(f"headline.baseline.{name}") for name in ("brightness", "emission", "centre")
    )

    def headline(maps: str, model: str, n: int, better: list[str]) -> str:
        found = say("headline.agree", maps=maps, model=model, n=n, beyond="", less="", **named)
        clause = say("headline.agree.worse", baselines=listed(better), n=len(better))
        return f"{found} {capitalised(clause)}."

    assert of_one == {
        headline(say("headline.maps.all", n=4), "d8.pt", 4, [brightness, emission]),
        headline(
            say("headline.maps.some", n=1, n_all=4),
            "bowles2021_mirabest_ag3_range_norm_ft.pt",
            1,
            [brightness, emission, centre],
        ),
    }
    which = say("models.which.all", models="d8.pt and c1.pt")
    less = {"less": "", "unknown": ""}
    start = say("models.found.all", models=capitalised(which), **named, **less)
    differences = say(
        "models.differences.two",
        n_found=3,
        n=4,
        between=say("models.differences.two.between", between=say("models.between.two")),
        higher="d8.pt",
        maps="gate 3",
        other=say("models.differences.two.other", lower="c1.pt", maps="gates 1 and 2"),
        **dict.fromkeys(("difference", "smallest", "most"), ""),
        p=0.0001,
    )
    differences = re.sub(r" \([^()]+\)", "", differences)
    brightness = say("models.brightness", n=8)
    (of_two,) = {re.sub(r" \([^()]+\)", "", text) for text in quoted} - of_one
    assert of_two == f"{start} {capitalised(differences)}; {brightness}."
    assert len(quoted) == 3


def test_nulls_are_documented() -> None:
    text = page("explanation/nulls.md")
    rows = re.findall(r"^\| `(\w+)` ", text, re.MULTILINE)
    assert sorted(rows) == sorted(NULLS), "docs/explanation/nulls.md has one row for each null"
    for name, null in NULLS.items():
        (row,) = re.findall(rf"^\| `{name}` .*", text, re.MULTILINE)
        assert f"(`{null.__name__}`)" in row, name


def row_of(name: str, start: str) -> str:
    (row,) = [line for line in page(name).splitlines() if line.startswith(start)]
    return row


def lists_of_names() -> dict[str, tuple[str, list[str]]]:
    """Where names are listed by hand: the text there, and the names that it needs."""
    metrics = METRICS.values()
    formats = list(dict.fromkeys([*attnxai.annotations.READERS, *attnxai.annotations.WRITERS]))
    endings = [extension for one in FORMATS for extension in one.extensions[:1]]
    reasons = {
        "the map has negative values": [m.name for m in metrics if not m.signed_maps],
        "no other source is annotated": [m.name for m in metrics if m.needs_others],
        "the annotation is constant": [m.name for m in metrics if m.varying_targets],
    }
    found = {
        "the table of formats at the top of docs/reference/annotations.md": (
            page("reference/annotations.md").partition("\n## ")[0],
            formats,
        ),
        "the table of docs/reference/export.md": (
            page("reference/export.md").partition("| Path ")[2].partition("\n\n")[0],
            endings,
        ),
        "the table of docs/explanation/audit.md": (
            page("explanation/audit.md").partition("\n## ")[0],
            [f"| `{name}` | [{audit.title}](" for name, audit in AUDITS.items()],
        ),
        "the table of docs/reference/explanations.md": (
            page("reference/explanations.md").partition("\n## ")[0],
            [f"`{name}`" for name in attnxai.explanations.EXPLANATIONS],
        ),
        "the section Cost of docs/explanation/nulls.md, which lists metrics without factors": (
            page("explanation/nulls.md").partition("## Cost")[2],
            [f"`{metric.name}`" for metric in metrics if metric.factors is None],
        ),
    }
    for start, names in reasons.items():
        where = f"the row '{start}' of Undefined values in docs/explanation/agreement.md"
        found[where] = (
            row_of("explanation/agreement.md", f"| {start}"),
            [f"`{name}`" for name in names],
        )
    return found


def test_lists_of_names_are_complete() -> None:
    lacking = [
        f"{where} lacks {name}"
        for where, (text, names) in lists_of_names().items()
        for name in names
        if name.lower() not in text.lower()
    ]
    assert not lacking, "; ".join(lacking)


def test_model_files_are_documented() -> None:
    text = page("reference/models.md")
    keys = ["format", "version", "name", "specification", "weights", "preprocessing"]
    keys += ["class_names", "training"]
    for kind in (ModelSpec, LeNetSpec, Preprocessing, TrainingRecord):
        keys += [field.name for field in dataclasses.fields(kind)]
    for choices in (Architecture, Normalisation, Aggregation, LayerOrder, Padding):
        keys += [str(choice) for choice in choices]
    for key in keys:
        assert f"`{key}`" in text, key


def test_the_summary_is_documented_down_to_its_leaves() -> None:
    text = page("reference/report.md")
    maps, marks, images = made_up(n_sources=10)
    pairs = align(maps, marks, images)
    settings = ComparisonSettings(n_permutations=19, n_bootstrap=100, nulls=("symmetries",))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = compare_pairs(pairs, settings=settings, rng=0)
        results = (result, dataclasses.replace(result, model_name="another"))
        contrasts = contrast_results(results, n_draws=19, n_bootstrap=100)
    location = locate_evidence(maps, pairs.classes, n_bootstrap=100)
    inputs = Inputs(annotations=marks, images=images, data_name="made up")
    content = ReportContent(
        parts=tuple(
            ModelPart(result=one, pairs=pairs, maps=maps, location=location) for one in results
        ),
        annotations=marks,
        images=images,
        provenance=describe(
            [maps, maps],
            inputs.annotations,
            inputs.images,
            images_name=inputs.data_name,
            seed=0,
            command="attnxai compare",
        ),
        contrasts=(contrasts,),
    )
    verdict = reach_verdict(results, marks, contrasts=contrasts, locations=content.locations)
    summary = summarise(content, verdict)
    model = summary["models"][0]
    statement, record = model["verdict"]["statements"][0], model["results"][0]
    parts = [summary, summary["verdict"], model, model["verdict"], model["sources"]]
    parts += [statement, statement["answers"][0], record, record["further"][0]]
    parts += [summary[name] for name in ("annotations", "images", "settings")]
    parts += [summary["metrics"]["nss"], record["difference"]["brightness"]]
    parts += [
        model["partial_correlations"][0],
        model["noise_ceilings"][0],
        model["noise_ceilings"][0]["lower"],
        model["annotator_agreement"],
        model["annotator_agreement"]["reliability"][0],
        model["annotator_agreement"]["overlap"],
        model["annotator_agreement"]["pairs"][0],
    ]
    located = model["audits"]["evidence_location"]
    parts += [model["audits"], located, located["maps"][0]]
    parts += [summary["contrasts"][0], summary["contrasts"][0]["contrasts"][0]]
    for key in {key for part in parts for key in part}:
        assert f"`{key}`" in text, key
    for finding in Finding:
        assert f"`{finding}`" in text, finding
    for column in next(per_source_frames(content)).columns:
        assert ":" in column or f"`{column}`" in text, column


# --- links and examples ----------------------------------------------------------------------------


@pytest.mark.parametrize("path", WITH_LINKS, ids=names_of)
def test_relative_links_lead_somewhere(path) -> None:
    for either in _LINK.findall(without_code(path.read_text(encoding="utf-8"))):
        target, _, anchor = (either[0] or either[1]).partition("#")
        if target.startswith(("http:", "https:", "mailto:")):
            continue
        file = (path.parent / target).resolve() if target else path
        assert file.exists(), f"{names_of(path)} links to {target}"
        if path.is_relative_to(DOCS):
            assert file.is_relative_to(DOCS), f"{names_of(path)} links out of the documentation"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {
                re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())
                for heading in headings
            }
            assert anchor in slugs, f"{names_of(path)} links to {target}#{anchor}"


def test_every_page_is_in_the_navigation() -> None:
    """Each in one toctree, so that it is in the menu of the site once; those that the build makes are too."""
    listed = [DOCS / "index.md"]
    for path in PAGES:
        for body in _TOCTREE.findall(path.read_text(encoding="utf-8")):
            names = [line for line in body.splitlines() if line and not line.startswith(":")]
            listed += [(path.parent / f"{name}.md").resolve() for name in names]
    made = {DOCS / "gallery" / "index.md"}
    assert sorted(set(listed) - made) == PAGES
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("path", WITH_LINKS, ids=names_of)
def test_examples_in_python_are_python(path) -> None:
    for example in blocks(path.read_text(encoding="utf-8"), "python"):
        compile(example, names_of(path), "exec")


@pytest.mark.parametrize("path", WITH_LINKS, ids=names_of)
def test_examples_in_python_call_what_there_is(path) -> None:
    named = public_names()
    for example in blocks(path.read_text(encoding="utf-8"), "python"):
        nodes = list(ast.walk(ast.parse(example)))
        for node in nodes:
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "attnxai":
                assert node.attr in dir(attnxai), node.attr
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("attnxai"):
                module = importlib.import_module(str(node.module))
                assert all(hasattr(module, alias.name) for alias in node.names), ast.unparse(node)
        for call in (node for node in nodes if isinstance(node, ast.Call)):
            name = ast.unparse(call.func)
            if name in named:
                keywords = {str(keyword.arg): keyword.value for keyword in call.keywords}
                # which fails where something is unknown or lacking
                inspect.signature(named[name]).bind(*call.args, **keywords)


def test_the_example_of_the_first_page_runs() -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    read, explain = blocks(page("index.md"), "python")
    assert len(explain.splitlines()) == 3
    known: dict[str, Any] = {}
    exec(compile(read, "index.md", "exec"), known)  # noqa: S102
    assert len(known["images"]) == len(known["annotations"].sources) == 40
    # five of each class are enough to see that the lines fit together
    few = [s for s in known["images"].sources if int(s[-2:]) <= 5]
    known["images"] = known["images"].select(few)
    known["annotations"] = known["annotations"].select(few)
    try:
        exec(compile(explain, "index.md", "exec"), known)  # noqa: S102
        assert known["result"].sources == tuple(sorted(few))
        assert np.isfinite(known["result"].values).any()
        assert plt.get_fignums()
    finally:
        plt.close("all")
