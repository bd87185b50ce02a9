"""A paragraph of methods, ready to paste, whose wording follows the options used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnxai.agreement.metrics import METRICS
from attnxai.agreement.multiplicity import Correction
from attnxai.agreement.nulls import NULLS, Alternative
from attnxai.data.wording import counted
from attnxai.report.wording import in_sentence, listed, strata_words
from attnxai.statistics.formats import format_share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnxai.agreement.results import AgreementResult
    from attnxai.report.content import ReportContent

_CORRECTIONS = {
    Correction.HOLM: "adjusted by Holm's method",
    Correction.BH: "adjusted by the method of Benjamini and Hochberg",
    Correction.MAX_T: "adjusted by max-T",
    Correction.NONE: "not adjusted",
}
_SIDES = {
    Alternative.GREATER: "one-sided",
    Alternative.LESS: "one-sided, for less agreement",
    Alternative.TWO_SIDED: "two-sided",
}


def methods_paragraph(content: ReportContent) -> str:
    """Say what was done, with the numbers that a referee asks for."""
    return " ".join(_sentences(content))


def _sentences(content: ReportContent) -> Iterator[str]:
    first = content.parts[0]
    result, pairs, settings = first.result, first.pairs, first.result.settings
    n = sum(group == result.verdict_group for group in result.splits)
    rows, columns = pairs.valid.shape[1:]
    models = listed([part.name for part in content.parts])
    yield (
        f"We compared the attention maps of {models} with {content.annotations.kind} "
        f"{_number_of_annotators(content)}for {counted(n, f'{result.verdict_group} source')}"
        f"{' (of the first model)' if len(content.parts) > 1 else ''}, using attnxai "
        f"{content.provenance.versions.get('attnxai', '')}."
    )
    yield (
        f"Maps were interpolated bilinearly to the network's input grid of {rows} x {columns} pixels of "
        f"{pairs.pixel_scale_arcsec:g} arcsec, and agreement was computed over the pixels that the "
        "network sees; points and lines were given a Gaussian profile of "
        f"{settings['fwhm_arcsec']:g} arcsec FWHM as densities, and the same full width as regions."
    )
    metrics = listed([in_sentence(METRICS[name].label) for name in result.metrics])
    several = len(result.metrics) > 1
    yield (
        f"{'Metrics were' if several else 'The metric was'} {metrics}; {'each is' if several else 'it is'} "
        f"the mean over sources{' and annotators' if len(result.annotators) > 1 else ''}"
        f"{_intervals(result, n)}."
    )
    yield _tests(content)
    if settings["nulls"]:
        names = listed([NULLS[name].label for name in settings["nulls"]])
        yield (
            f"Further nulls ({names}) rearranged every source by itself, with "
            f"{settings['n_permutations']:,} draws each; their p-values are not adjusted."
        )
    if settings["weighted"]:
        yield "Sources were weighted by the consensus level of their annotations."
    yield (
        "Baselines were the brightness that the network saw, also at the resolution of its coarser layers, "
        "and the mean annotation of the other sources; what remains beyond brightness is the partial rank "
        "correlation given brightness at pixel scale and at the layer's resolution."
    )
    if result.noise_ceilings:
        yield (
            "Agreement among annotators was measured by the same metric: each annotator against the consensus "
            "of the others and the consensus of all against each; scores as a share of it were resampled "
            f"jointly with it over sources and annotators ({settings['n_resamples']:,} resamples, corrected "
            "dual bootstrap)."
        )
    if content.contrasts:
        contrasts = content.contrasts[0]
        over = counted(len(contrasts.sources), "source")
        yield (
            f"Models were compared by differences paired by source over {over}, tested by flipping signs "
            f"({contrasts.contrasts.n_draws:,} flips, two-sided, "
            f"{_CORRECTIONS[contrasts.contrasts.correction]} over all pairs of models and maps"
            + (
                "; about other annotators by the crossed interval turned into a test, adjusted by Holm's method"
                if result.noise_ceilings
                else ""
            )
            + ")."
        )
    yield f"The seed was {content.provenance.seed}."


def _intervals(result: AgreementResult, n: int) -> str:
    """What intervals are, in the words of the first that is known."""
    settings = result.settings
    known = [
        e.interval for e in result.estimates if e.group == result.verdict_group and e.interval.known
    ]
    if not known:
        return f"; the {'source is' if n == 1 else 'sources are'} too few for intervals"
    resamples = (
        f" ({settings['n_resamples']:,} resamples)" if "bootstrap" in known[0].method else ""
    )
    return f", with {format_share(settings['level'])} intervals by {known[0].method}{resamples}"


def _tests(content: ReportContent) -> str:
    result = content.parts[0].result
    settings = result.settings
    stratified = any(stratum is not None for stratum in result.strata)
    shares = strata_words(settings["strata"])
    exchanged = f"between sources of the same {shares}" if stratified else "between sources"
    n_maps = sum(len(part.result.explanations) for part in content.parts)
    # max-T where tests were drawn together, else what replaced it
    used = {e.correction for part in content.parts for e in part.result.estimates if e.correction}
    correction = Correction(settings["correction"])
    if correction is Correction.MAX_T and Correction.MAX_T not in used:
        correction = Correction.HOLM
    over = f" over {f'the {n_maps} maps' if n_maps > 1 else 'the one map'}"
    adjusted = _CORRECTIONS[correction] + ("" if correction is Correction.NONE else over)
    return (
        f"Significance was assessed by exchanging annotations {exchanged} "
        f"({settings['n_permutations']:,} permutations, or all where there are fewer; p = (b + 1)/(B + 1) for "
        f"sampled ones, {_SIDES[Alternative(settings['alternative'])]}), {adjusted} for each metric; "
        f"conclusions rest on {in_sentence(METRICS[result.metrics[0]].label)}."
    )


def _number_of_annotators(content: ReportContent) -> str:
    """How many people marked, where the words for the annotations do not say so already."""
    n = len(content.parts[0].result.annotators)
    words = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five"}
    said = set(content.annotations.kind.split()) & {str(n), words.get(n, str(n))}
    return "" if said else f"({counted(n, 'annotator')}) "
