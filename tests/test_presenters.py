"""Every result finds the functions of the report that show it."""

from __future__ import annotations

import importlib

import pytest

from attnxai.presenters import HTML, MARKDOWN, PAGE, PLOT, PRESENTERS, TABLE, presenter_of


@pytest.mark.parametrize(
    ("name", "what", "place"),
    [(name, what, place) for name, of in PRESENTERS.items() for what, place in of.items()],
)
def test_registered_functions_exist(name, what, place):
    assert what in {PLOT, TABLE, PAGE, MARKDOWN, HTML}
    module, function = place.split(":")
    assert callable(getattr(importlib.import_module(f"attnxai.report.{module}"), function))


def test_a_derived_class_is_shown_as_what_it_is_derived_from():
    made = type("Mine", (type("TrendTest", (), {}),), {})()
    assert presenter_of(made, PLOT).__name__ == "plot_trend_test"
    with pytest.raises(LookupError, match="no page is registered for Mine"):
        presenter_of(made, PAGE)
    with pytest.raises(LookupError, match="no plot is registered for int"):
        presenter_of(3, PLOT)


HOMES = {
    "AgreementResult": "attnxai.agreement.results",
    "AnnotatorAgreement": "attnxai.agreement.noise_ceiling.annotators",
    "ClassificationMetrics": "attnxai.classification.metrics",
    "ClassMeanMaps": "attnxai.audit.class_means",
    "AnnotationSet": "attnxai.annotations.annotation_set",
    "Comparison": "attnxai.agreement.model_comparison.comparison",
    "EvidenceLocation": "attnxai.audit.evidence_location_result",
    "Faithfulness": "attnxai.audit.faithfulness_result",
    "MapAgreement": "attnxai.audit.between_maps",
    "NoiseStability": "attnxai.audit.stability",
    "MapStack": "attnxai.explanations.stack",
    "ModelAudit": "attnxai.audit.audits",
    "ModelCard": "attnxai.models.cards",
    "ModelContrasts": "attnxai.agreement.model_comparison.contrast",
    "PowerPlan": "attnxai.planning.plan",
    "ResultContrasts": "attnxai.agreement.model_comparison.of_results",
    "RotationAudit": "attnxai.audit.rotations",
    "SourceImage": "attnxai.data.images",
    "SourceSet": "attnxai.data.images",
    "StudyResult": "attnxai.study.results",
    "SymmetryErrors": "attnxai.audit.equivariance_result",
    "TrendTest": "attnxai.agreement.model_comparison.trend",
    "RandomisationResult": "attnxai.audit.randomisation_result",
    "ValidationResult": "attnxai.validation.results",
}
METHODS = {
    PLOT: {"plot"},
    TABLE: {"to_latex", "_repr_html_"},
    PAGE: {"write_report"},
    MARKDOWN: {"to_markdown"},
    HTML: {"_repr_html_"},
}


def test_results_have_the_methods_of_their_presenters_and_no_others():
    assert set(HOMES) == set(PRESENTERS)
    for name, module in HOMES.items():
        cls = getattr(importlib.import_module(module), name)
        expected = set().union(*(METHODS[what] for what in PRESENTERS[name]))
        assert {m for of in METHODS.values() for m in of if hasattr(cls, m)} == expected, name


def test_tables_show_in_notebooks():
    from attnxai.agreement.model_comparison.trend import page_trend

    text = page_trend([[1, 2, 3], [1, 3, 2]])._repr_html_()
    assert text.startswith("<table>")
    assert "Page&#x27;s L" in text
