"""A paragraph of methods, ready to paste, whose wording and citations follow the options used."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from attnxai.agreement.intervals.crossed_table import NOT_DRAWN
from attnxai.agreement.multiplicity import Correction, correction_without_draws
from attnxai.alignment.own_emission import MIN_EMISSION_PIXELS
from attnxai.annotations.readers import claran, rgz_experts
from attnxai.data.frdeep import RELEASES
from attnxai.data.mirabest import SURVEY, is_mirabest_source
from attnxai.data.wording import listed
from attnxai.metrics import METRICS
from attnxai.nulls import NULLS
from attnxai.nulls.emission_frames import BLUR_PIXELS
from attnxai.report.citations import (
    Reference,
    as_latex,
    as_markdown,
    as_plain,
    bibliography,
    cite,
    cited_by,
    find_reference,
)
from attnxai.report.findings import emission_names, permuted_words
from attnxai.report.sentences.methods import METHODS
from attnxai.report.sentences.say import say
from attnxai.report.wording import (
    capitalised,
    group_phrase,
    in_sentence,
    mean_word,
    n_words,
    strata_words,
)
from attnxai.statistics.interval import effective_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnxai.agreement.results import AgreementResult
    from attnxai.audit.evidence_location_result import EvidenceLocation
    from attnxai.report.content import ReportContent


_OF_METRICS = {
    "nss": ("Peters2005",),
    "relevance_mass_accuracy": ("Arras2022",),
    "relevance_rank_accuracy": ("Arras2022",),
    "shuffled_auc": ("Tatler2005", "Zhang2008"),
    "information_gain": ("Kuemmerer2015",),
    "correlation": ("Bylinskii2019",),
    "similarity": ("Bylinskii2019",),
    "negative_kl": ("Bylinskii2019",),
    "pointing_game": ("Zhang2018",),
    "top_intersection": ("Ghorbani2019",),
}
_OF_NULLS = {
    "phase": ("Theiler1992", "Schreiber1996"),
    "moran": ("Dray2006",),
    "variogram": ("Burt2020",),
}
_OF_CORRECTIONS = {
    Correction.HOLM: ("Holm1979",),
    Correction.BH: ("Benjamini1995",),
    Correction.MAX_T: ("Westfall1993",),
}
_OF_CONSENSUS = {"staple": ("Warfield2004",)}
_OF_ANNOTATIONS = {
    claran.KIND: ("Banfield2015", "Wu2019"),
    rgz_experts.KIND: ("Banfield2015",),
}
_TRIVIAL_GROUP = "C1"  # of ordinary networks, and of the control of equivariant ones


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MethodsText:
    """The paragraph of methods in every form that a paper may need, and what it cites.

    ``others`` are publications of explanation methods of other packages, in their own words; the text does not cite them.
    """

    plain: str
    markdown: str
    latex: str
    references: tuple[Reference, ...]
    others: tuple[str, ...]
    bibtex: str

    def files(self) -> dict[str, str]:
        """The texts by the names of their files."""
        head = "% needs \\usepackage{natbib}; entries are in references.bib\n"
        return {
            "methods.txt": f"{self.plain}\n",
            "methods.md": f"{self.markdown}\n",
            "methods.tex": f"{head}{self.latex}\n",
            "references.bib": self.bibtex,
        }


def methods_text(content: ReportContent) -> MethodsText:
    """Say what was done, with the numbers that a referee asks for and the publications to cite."""
    text = " ".join(_sentences(content))
    named = [
        str(words)
        for part in content.parts
        for explained in part.maps.provenance.get("explanations", ())
        for words in explained.get("references", ())
    ]
    references = tuple(cited_by(text))
    return MethodsText(
        plain=as_plain(text),
        markdown=as_markdown(text),
        latex=as_latex(text),
        references=references,
        others=tuple(words for words in dict.fromkeys(named) if find_reference(words) is None),
        bibtex=bibliography(references, version=content.provenance.versions.get("attnxai", "")),
    )


def _sentences(content: ReportContent) -> Iterator[str]:
    first = content.parts[0]
    result, pairs, settings = first.result, first.pairs, first.result.settings
    n = int(result.verdict_sources().sum())
    rows, columns = first.maps.field_shape
    explained = first.maps.provenance.get("explanations", ())
    yield say(
        "methods.compared",
        maps=listed([str(one["title"]) + _cited(one) for one in explained]) or "maps",
        models=listed([part.name for part in content.parts]),
        annotations=content.annotations.kind,
        annotators=_number_of_annotators(content),
        n=n,
        group=group_phrase(result.verdict_group, n),
        of_first=say("methods.of_first") if len(content.parts) > 1 else "",
        version=content.provenance.versions.get("attnxai", ""),
    )
    yield from (*_files(content), *_networks(content))
    if all(is_mirabest_source(source) for source in pairs.sources):
        yield say("methods.mirabest")
    elif all(content.images[source].survey == SURVEY for source in pairs.sources):
        yield say("methods.first")
    releases = {content.images[source].survey for source in pairs.sources}
    if releases <= {release.name for release in RELEASES}:
        survey = ("Becker1995",) if any(SURVEY in release for release in releases) else ()
        references = cite("FRDEEP2019", *survey)
        yield say("methods.frdeep", release=listed(sorted(releases)), references=references)
    yield from _explained_scores(explained)
    yield from _feature_maps(content)
    yield say(
        "methods.grid",
        rows=rows,
        columns=columns,
        scale=f"{pairs.pixel_scale_arcsec:g}",
        fwhm=f"{settings['fwhm_arcsec']:g}",
    )
    if rule := settings["consensus"]:
        references = cite(*_OF_CONSENSUS.get(rule, ()))
        yield say("methods.consensus", rule=say(f"consensus.{rule}"), references=references)
    yield say(
        "methods.metrics",
        n=len(result.metrics),
        metrics=listed(
            [
                in_sentence(METRICS[name].label) + cite(*_OF_METRICS.get(name, ()))
                for name in result.metrics
            ]
        ),
        mean=mean_word(e.interval for e in result.estimates),
        annotators=say("methods.and_annotators") if len(result.annotators) > 1 else "",
        intervals=_intervals(result, n),
    )
    yield _tests(content) + _blocks(result)
    if settings["nulls"]:
        yield say(
            "methods.nulls",
            nulls=listed(
                [NULLS[name]().label + cite(*_OF_NULLS.get(name, ())) for name in settings["nulls"]]
            ),
            n_draws=settings["n_permutations"],
        )
    if settings["weighted"]:
        n_effective = effective_number(result.source_weights[result.verdict_sources()])
        effective = ""
        if n_effective is not None:
            effective = say("methods.weights.effective", n=f"{n_effective:.1f}")
        yield say("methods.weights", effective=effective)
    emission = say("methods.baselines.emission") if emission_names(result) else ""
    yield say("methods.baselines", emission=emission)
    if result.within_emission is not None:
        widths = listed([f"{width:g}" for width in BLUR_PIXELS])
        yield say("methods.within", n_pixels=MIN_EMISSION_PIXELS, widths=widths)
    yield from _audited(first.location)
    if result.noise_ceilings:
        yield say("methods.ceiling", n_bootstrap=settings["n_bootstrap"])
    if result.self_consistencies:
        yield say("methods.consistency")
    if result.labels:
        chosen = correction_without_draws(Correction(settings["correction"]))
        yield say("methods.labels", adjusted=_corrected(chosen, say("methods.over_labels")))
    if content.contrasts:
        contrasts = content.contrasts[0]
        yield say(
            "methods.models",
            n=n_words(contrast.interval for contrast in contrasts.contrasts.contrasts),
            n_draws=contrasts.contrasts.n_draws,
            adjusted=_corrected(contrasts.contrasts.correction, say("methods.over_pairs")),
            others=say("methods.models.others") if result.noise_ceilings else "",
        )
    seed = content.provenance.seed
    yield say("methods.no_seed") if seed is None else say("methods.seed", seed=str(seed))


def _explained_scores(explained: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Which class the maps of a method explain, for the methods that explain one."""
    titles: dict[str, list[str]] = {}
    for one in explained:
        target = one.get("target")
        if target is None:
            continue
        of_class = say("methods.predicted_class") if target == "predicted class" else target
        if not isinstance(target, str):
            of_class = say(
                "methods.difference", first=target[0], others=listed(target[1:]), n=len(target) - 1
            )
        titles.setdefault(of_class, []).append(str(one["title"]))
    for of_class, of_maps in titles.items():
        yield say("methods.explained", maps=capitalised(listed(of_maps)), of_class=of_class)


def _feature_maps(content: ReportContent) -> Iterator[str]:
    """Which feature map of its network each Grad-CAM map is of."""
    for part in content.parts:
        of_model = say("methods.layer.of", model=part.name) if len(content.parts) > 1 else ""
        for one in part.maps.provenance.get("explanations", ()):
            if layer := one.get("network_layer"):
                yield say(
                    "methods.layer",
                    maps=capitalised(str(one["title"])),
                    of_model=of_model,
                    layer=layer,
                )


def _audited(found: EvidenceLocation) -> Iterator[str]:
    """How the first audit was made; nothing where it could tell nothing."""
    known = [zone.auc for zone in found.zones if zone.auc is not None and zone.auc.known]
    if not known and all(one.passes is None for one in found.maps):
        return
    few = found.min_island_pixels > 1
    yield say(
        "methods.location",
        n=found.n_sources,
        group=group_phrase(found.group, found.n_sources),
        islands=say("methods.location.islands", n=found.min_island_pixels) if few else "",
        ring=f"{found.ring_pixels:g}",
    )
    if known:
        yield say("methods.location.zones")
    aucs = [auc for one in found.maps for auc in one.level_auc.values() if auc.known]
    if aucs:
        closed = any(auc.method.startswith("ABC") for auc in aucs)
        yield say(
            "methods.location.intervals",
            n_bootstrap=found.n_bootstrap,
            closed=say("methods.location.closed") if closed else "",
        )


def _files(content: ReportContent) -> Iterator[str]:
    """Which files maps were read from, and of which model those are that state it."""
    files = [
        str(model["maps_file"])
        + (say("methods.files.of", model=name) if (name := model.get("maps_model")) else "")
        for model in content.provenance.models
        if "maps_file" in model
    ]
    if files:
        yield say("methods.files", files=listed(files), n=len(files))


def _networks(content: ReportContent) -> Iterator[str]:
    """What networks of attnxai are, their groups, and the publications that they are from."""
    names: dict[tuple[str, str], list[str]] = {}
    for model in content.provenance.models:
        if model.get("architecture") and not model.get("code"):
            key = str(model["architecture"]), str(model.get("group", _TRIVIAL_GROUP))
            names.setdefault(key, []).append(str(model["name"]))
    for (architecture, group), models in names.items():
        kind = f"{architecture} trivial" if group == _TRIVIAL_GROUP else architecture
        kind = kind if f"methods.networks.{kind}" in METHODS else architecture
        if f"methods.networks.{kind}" in METHODS:
            yield say(f"methods.networks.{kind}", models=listed(models), n=len(models), group=group)


def _cited(explained: Mapping[str, Any]) -> str:
    """A citation of the known publications that an explanation method names."""
    found = [find_reference(str(words)) for words in explained.get("references", ())]
    return cite(*dict.fromkeys(one.key for one in found if one is not None))


def correction_phrase(correction: Correction, over: str) -> str:
    """How p-values are adjusted, and over what."""
    if correction is Correction.NONE:
        return say("methods.correction.none")
    return say(f"methods.correction.{correction.value}", over=over)


def _corrected(correction: Correction, over: str) -> str:
    """The same with a citation."""
    return correction_phrase(correction, cite(*_OF_CORRECTIONS.get(correction, ())) + over)


def _intervals(result: AgreementResult, n: int) -> str:
    """What intervals are, in the words of the first that is known."""
    settings = result.settings
    known = [
        e.interval for e in result.estimates if e.group == result.verdict_group and e.interval.known
    ]
    if not known:
        return say("methods.no_intervals", n=n)
    method = known[0].method
    drawn = "bootstrap" in method and NOT_DRAWN not in method
    resamples = say("methods.resamples", n=settings["n_bootstrap"]) if drawn else ""
    return say("methods.intervals", level=settings["level"], method=method, resamples=resamples)


def _blocks(result: AgreementResult) -> str:
    n = result.settings.get("n_blocks", 1)
    return " " + say("methods.blocks", n_blocks=n) if n > 1 else ""


def _tests(content: ReportContent) -> str:
    result = content.parts[0].result
    settings = result.settings
    estimates = [result.estimate(name, result.metrics[0]) for name in result.explanations]
    tested = [estimate for estimate in estimates if estimate.test is not None]
    if not tested:
        return say("methods.no_test", reason=estimates[0].not_tested)
    stratified = any(estimate.within_strata is not None for estimate in tested)
    strata = strata_words(settings["strata"])
    n_maps = sum(len(part.result.explanations) for part in content.parts)
    # max-T where tests were drawn together, else what replaced it
    used = {e.correction for part in content.parts for e in part.result.estimates if e.correction}
    correction = Correction(settings["correction"])
    if correction is Correction.MAX_T and Correction.MAX_T not in used:
        correction = Correction.HOLM
    return say(
        "methods.tests",
        sources=say("own.sources.strata", strata=strata) if stratified else say("own.sources.any"),
        n_draws=settings["n_permutations"],
        side=say(f"methods.side.{settings['alternative']}"),
        adjusted=_corrected(correction, say("methods.over_maps", n=n_maps)),
        metric=in_sentence(METRICS[result.metrics[0]].label),
    ) + permuted_words(tested, "methods")


def _number_of_annotators(content: ReportContent) -> str:
    """Number of annotators and publications of known annotations, to follow what they are.

    There is no number where the description of the annotations says it already, and a consensus has its name.
    """
    kind, names = content.annotations.kind, content.annotations.annotators
    keys = [key for known, keys in _OF_ANNOTATIONS.items() if known in kind for key in keys]
    references, n = cite(*dict.fromkeys(keys)), len(names)
    if names == (claran.ANNOTATOR,):
        return say("methods.annotators.consensus", name=names[0], references=references)
    words = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five"}
    if set(kind.split()) & {str(n), words.get(n, str(n))}:
        return f"{references} ".lstrip()
    return say("methods.annotators", n=n, references=references)
