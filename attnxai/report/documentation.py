"""Parts of the documentation that the package writes: tables of metrics and of a validation, cards of models.

``python -m attnxai.report.documentation docs`` writes them anew into the pages. With the folder of a validation
after ``docs`` its rates are first merged into those of ``docs/validation``.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from attnxai.agreement.intervals.crossed import CrossedMethod
from attnxai.data.csv_table import write_frame
from attnxai.errors import OptionError
from attnxai.metrics import DEFAULT_METRICS, METRICS
from attnxai.models.cards import ACCURACY, P_IF_CALIBRATED
from attnxai.models.zoo import shipped_cards
from attnxai.report.model_card import metric_text
from attnxai.report.tables.table import Table, text_column
from attnxai.report.tables.text import markdown_rows, markdown_text, render_markdown
from attnxai.report.validation_document import (
    coverage_tables,
    false_positive_tables,
    power_tables,
)
from attnxai.report.validation_figures import draw_coverage, draw_false_positives, draw_power
from attnxai.report.wording import capitalised
from attnxai.statistics.bootstrap import IntervalKind
from attnxai.statistics.formats import all_with_intervals, format_number
from attnxai.statistics.interval import SIGNIFICANCE_LEVEL
from attnxai.validation.coverage import Distribution
from attnxai.validation.folder import RESULTS_NAME
from attnxai.validation.plan import Part, ValidationPlan
from attnxai.validation.rates import (
    CoverageRate,
    FalsePositiveRate,
    PowerEstimate,
)
from attnxai.validation.rejections import SIGNIFICANCE_LEVELS, NullKind
from attnxai.validation.results import ValidationResult
from attnxai.validation.simulated_data import Scenario

if TYPE_CHECKING:
    from attnxai.metrics import Metric
    from attnxai.models.cards import ModelCard


def metrics_markdown() -> str:
    """A table of all metrics, the default ones first."""
    metrics = [METRICS[name] for name in dict.fromkeys((*DEFAULT_METRICS, *METRICS))]
    rows = [
        [
            f"`{metric.name}`",
            (metric.formula or metric.meaning).replace("|", "\\|"),
            str(metric.target),
            metric.chance_formula or f"{metric.chance:g}",
            _range(metric),
        ]
        for metric in metrics
    ]
    return markdown_rows([["Name", "Formula", "Target", "By chance", "Range"], *rows])


def _range(metric: Metric) -> str:
    low, high = metric.bounds
    span = f"{low:g} to {high:g}" if low > -math.inf else f"up to {high:g}"
    if high == math.inf:
        span = "any" if low == -math.inf else f"{low:g} and above"
    return f"{span}, in {metric.unit}" if metric.unit else span


_PERFORMANCE = (ACCURACY, "ROC AUC", "expected calibration error", P_IF_CALIBRATED)


def zoo_markdown(cards: Mapping[str, ModelCard]) -> str:
    """Tables of all shipped models: each, what they have in common, how well they do, and their files."""
    facts = {name: _comparable(card) for name, card in cards.items()}
    head = ["Name", "Group", "Fields", "Parameters", "Seed", "Epoch kept", "Temperature", "kB"]
    rows = [
        [
            markdown_text(name),
            markdown_text(card.group),
            facts[name]["Fields in each block"],
            format_number(card.n_parameters, 0),
            facts[name]["Seed"],
            facts[name]["Epoch kept"],
            facts[name]["Temperature"],
            format_number(card.file_bytes / 1e3, 0),
        ]
        for name, card in cards.items()
    ]
    total = f"Together {sum(card.file_bytes for card in cards.values()) / 1e6:.2f} MB."
    lines = [markdown_rows([head, *rows]), "", total, ""]
    common = {
        fact: markdown_text(text)
        for fact, text in next(iter(facts.values())).items()
        if all(own.get(fact) == text for own in facts.values())
    }
    lines += [
        "What they have in common:",
        "",
        markdown_rows([["", ""], *map(list, common.items())]),
    ]
    lines += ["", "### Performance", ""]
    for part in dict.fromkeys(part for card in cards.values() for part in _shown(card)):
        measured = {name: card for name, card in cards.items() if part in _shown(card)}
        of = " and ".join(sorted({f"{card.parts[part].n_images}" for card in measured.values()}))
        lines += [f"**{part.capitalize()}** ({of} images):", ""]
        lines += [render_markdown(_performance(measured, part)), ""]
    lines += [*dict.fromkeys(card.remarks() for card in cards.values()), ""]
    hashes = [[markdown_text(name), card.sha256] for name, card in cards.items()]
    return "\n".join([*lines, "### Files", "", markdown_rows([["Name", "sha256"], *hashes])])


def _comparable(card: ModelCard) -> dict[str, str]:
    """Facts of a card, in its split without the seed, which is a fact of its own."""
    facts = card.facts()
    return facts | {"Split": re.sub(r", drawn with seed \d+", "", facts["Split"])}


def _shown(card: ModelCard) -> list[str]:
    """Parts of a card whose numbers are shown: not the images by which it was chosen, where there are others."""
    tested = [part for part in card.parts if part != "validation"]
    return tested or list(card.parts)


def _performance(cards: Mapping[str, ModelCard], part: str) -> Table:
    found = {
        metric: [card.measured(part, metric) for card in cards.values()] for metric in _PERFORMANCE
    }
    columns = [
        text_column(
            metric[0].upper() + metric[1:],
            [metric_text(metric, value) if value else "" for value in values]
            if metric == P_IF_CALIBRATED
            else all_with_intervals(values),
            to_the_right=True,
        )
        for metric, values in found.items()
        if any(value is not None for value in values)
    ]
    return Table(columns=(text_column("Name", list(cards)), *columns))


def with_part(page: str, name: str, text: str) -> str:
    """A page with a text between its marks ``<!-- name:begin -->`` and ``<!-- name:end -->``."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    marked = f"{begin}\n\n{text.rstrip()}\n\n{end}"
    changed, n = re.subn(f"{begin}.*?{end}", lambda _: marked, page, flags=re.DOTALL)
    if n != 1 or page.count(begin) != 1 or page.count(end) != 1:
        raise OptionError(f"the page needs the lines {begin} and {end}, once and in this order")
    return changed


def read_rates(folder: Path) -> ValidationResult:
    """The rates in the tables of a folder, such as ``docs/validation``; parts without a table are empty."""
    return ValidationResult(
        plan=ValidationPlan(),
        false_positives=_rates(FalsePositiveRate, folder, Part.FALSE_POSITIVES),
        coverage=_rates(CoverageRate, folder, Part.COVERAGE),
        power=_rates(PowerEstimate, folder, Part.POWER),
    )


_FIGURE_WIDTH = 1400
_Rate = TypeVar("_Rate", FalsePositiveRate, CoverageRate, PowerEstimate)
_Tested = TypeVar("_Tested", bound=FalsePositiveRate | PowerEstimate)
_CHOICES: dict[str, Any] = {"null": NullKind, "scenario": Scenario, "distribution": Distribution}


def _rates(kind: type[_Rate], folder: Path, part: Part) -> tuple[_Rate, ...]:
    import pandas as pd

    path = folder / f"{part}.csv"
    if not path.is_file():
        return ()
    names = [field.name for field in dataclasses.fields(kind)]
    rows = pd.read_csv(path, keep_default_na=False).to_dict("records")
    return tuple(
        kind(**{name: _CHOICES.get(name, lambda value: value)(row[name]) for name in names})
        for row in rows
    )


def merge_validation(docs: Path, run: Path) -> None:
    """Put the rates of a validation into the tables of ``docs``, in place of those of the same nulls; draw them.

    Raises
    ------
    OptionError
        If the folder holds no results, or not those of as many experiments as all others.
    """
    from PIL import Image

    results, plan = run / RESULTS_NAME, ValidationPlan()
    try:
        record = json.loads((results / "validation.json").read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(f"{run} has no results of attnxai validate: {error}") from None
    if any(record[name] != getattr(plan, name) for name in ("seed", "n_experiments", "quick")):
        raise OptionError(
            f"{run} was made with other options than the tables in {docs}: run attnxai validate with "
            f"--n-experiments {plan.n_experiments} --seed {plan.seed} and without --quick"
        )
    old, new = read_rates(docs / "validation"), read_rates(results)
    merged = ValidationResult(
        plan=plan,
        false_positives=_merged(old.false_positives, new.false_positives),
        coverage=new.coverage or old.coverage,
        power=_merged(old.power, new.power),
    )
    drawers = (draw_false_positives, draw_coverage, draw_power)
    with tempfile.TemporaryDirectory() as folder:
        for part, draw in zip(Part, drawers, strict=True):
            if new.rows(part):
                write_frame(merged.to_frame(part), docs / "validation" / f"{part}.csv")
                draw(merged, Path(folder))
                # two thirds of the resolution of print, in few colours: half the size of the file
                with Image.open(Path(folder) / f"{part}.png") as drawn:
                    figure = drawn.convert("RGB")
                size = (_FIGURE_WIDTH, round(figure.height * _FIGURE_WIDTH / figure.width))
                figure = figure.resize(size, Image.Resampling.LANCZOS).quantize()
                figure.save(docs / "images" / "validation" / f"{part}.png", optimize=True)


def _merged(old: Sequence[_Tested], new: Sequence[_Tested]) -> tuple[_Tested, ...]:
    measured = {rate.null for rate in new}
    rates = [*(rate for rate in old if rate.null not in measured), *new]
    return tuple(sorted(rates, key=lambda rate: tuple(NullKind).index(rate.null)))


def generated_parts(docs: Path) -> dict[str, dict[str, str]]:
    """By page of ``docs`` and name of the part, the text of every part that the package writes."""
    rates = read_rates(docs / "validation")
    return {
        "explanation/agreement.md": {"metrics": metrics_markdown()},
        "reference/zoo.md": {"cards": zoo_markdown(shipped_cards())},
        "explanation/validation.md": {
            "assumptions-met": rates.sentences()[0],
            **_validation_tables(rates),
        },
    }


_SHOWN_SOURCES = (10, 50, 150)
"""Sources for which the page shows false positive rates; those of others lie between."""
_SHOWN_CROSSED, _SHOWN_SINGLE = (20, 100), (8, 20, 50)
"""The same of coverage, with several annotators and with one value for each source."""
_DEFAULTS = (CrossedMethod.COMPONENTS, IntervalKind.STUDENTIZED)
"""Intervals over sources and annotators, and over sources alone, whose coverage with several annotators is shown."""


def _validation_tables(rates: ValidationResult) -> dict[str, str]:
    """The tables of the page of a validation, by name of their part; all numbers are in ``docs/validation``."""

    def some(met: bool, levels: Sequence[float]) -> ValidationResult:
        found = (
            rate
            for rate in rates.false_positives
            if rate.assumptions_met is met
            and rate.level in levels
            and rate.n_sources in _SHOWN_SOURCES
        )
        return dataclasses.replace(rates, false_positives=tuple(found))

    met, unmet = some(True, SIGNIFICANCE_LEVELS), some(False, [SIGNIFICANCE_LEVEL])
    shown = tuple(
        rate
        for rate in rates.coverage
        if (
            rate.n_sources in _SHOWN_CROSSED and rate.method in _DEFAULTS
            if rate.distribution.crossed
            else rate.n_sources in _SHOWN_SINGLE
        )
    )
    return {
        "false-positives": _noted(false_positive_tables(met)[0]),
        "assumptions-not-met": _noted(false_positive_tables(unmet)[0]),
        "coverage": _coverage(coverage_tables(dataclasses.replace(rates, coverage=shown))),
        "power": _noted(power_tables(rates)[0]),
    }


def _coverage(tables: Sequence[Table]) -> str:
    """Tables under headings; what their notes have in common stands once, above them."""
    notes = [table.note.removeprefix("Values: ").partition("; ") for table in tables]
    text = [capitalised(common) for common in dict.fromkeys(common for _, _, common in notes)]
    for table, (values, _, _) in zip(tables, notes, strict=True):
        title = capitalised(table.title.partition(": ")[2])
        noted = dataclasses.replace(table, note=f"{capitalised(values)}.")
        text += [f"### {title}", _noted(noted)]
    return "\n\n".join(text)


def _noted(table: Table) -> str:
    """A table of numbers below its note; marks are bold or in italics, which the page explains, without words."""
    columns = tuple(
        dataclasses.replace(
            column,
            cells=tuple(cell if isinstance(cell, str) else cell[:1] for cell in column.cells),
        )
        for column in table.columns
        if column.heading != "Assumptions met"
    )
    return f"{table.note}\n\n{render_markdown(dataclasses.replace(table, columns=columns))}"


def main() -> None:
    """Write the parts into the pages of the folder that is named on the command line."""
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python -m attnxai.report.documentation docs [FOLDER_OF_VALIDATION]")
    docs = Path(sys.argv[1])
    try:
        for run in sys.argv[2:]:
            merge_validation(docs, Path(run))
        for name, parts in generated_parts(docs).items():
            page = docs / name
            text = page.read_text(encoding="utf-8")
            for part, written in parts.items():
                text = with_part(text, part, written)
            page.write_text(text, encoding="utf-8")
    except OptionError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
