"""A paragraph of methods, ready to paste, whose wording follows the options used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnxai.agreement.metrics import METRICS
from attnxai.data.wording import counted
from attnxai.report.wording import format_share, in_sentence, listed

if TYPE_CHECKING:
    from attnxai.report.document import ReportContent


def methods_paragraph(content: ReportContent) -> str:
    """Say what was done, with the numbers that a referee asks for."""
    result, pairs = content.result, content.pairs
    settings = result.settings
    n = sum(group == result.verdict_group for group in result.exposure)
    metrics = listed([in_sentence(METRICS[name].label) for name in result.metrics])
    interval = {"bca": "bias-corrected and accelerated bootstrap", "percentile": "bootstrap"}
    kind = interval[str(settings["interval"])]
    rows, columns = pairs.valid.shape[1:]
    classes = any(name is not None for name in result.classes)
    exchanged = "between sources of the same morphological class" if classes else "between sources"
    known = any(e.interval.known for e in result.estimates if e.group == result.verdict_group)
    intervals = (
        f", with {format_share(settings['level'])} {kind} intervals over sources "
        f"({settings['n_resamples']:,} resamples)"
        if known
        else f"; the {'source is' if n == 1 else 'sources are'} too few for intervals"
    )
    weights = (
        " Sources were weighted by the consensus level of their annotations."
        if settings["weighted"]
        else ""
    )
    n_maps = len(result.explanations)
    over = f"the {n_maps} maps" if n_maps > 1 else "the one map"
    return (
        f"We compared the attention maps of {result.model_name} with {content.annotations.kind} "
        f"{_number_of_annotators(content)}for "
        f"{counted(n, f'{result.verdict_group} source')}, using attnxai "
        f"{content.provenance.versions.get('attnxai', '')}. Maps were interpolated bilinearly to "
        f"the network's input grid of {rows} x {columns} pixels of "
        f"{pairs.pixel_scale_arcsec:g} arcsec, and agreement was computed over the pixels that the "
        f"network sees; points and lines were given a Gaussian profile of "
        f"{settings['fwhm_arcsec']:g} arcsec FWHM as densities, and the same full width as "
        f"regions. {'Metrics were' if len(result.metrics) > 1 else 'The metric was'} {metrics}; "
        f"{'each is' if len(result.metrics) > 1 else 'it is'} the mean over sources"
        f"{' and annotators' if len(result.annotators) > 1 else ''}{intervals}. Significance was assessed by exchanging "
        f"annotations {exchanged} ({settings['n_permutations']:,} permutations, or all where there "
        "are fewer; p = (b + 1)/(B + 1) for sampled ones, one-sided), adjusted by Holm's method "
        f"over {over} for {in_sentence(METRICS[result.metrics[0]].label)}, on which conclusions rest"
        f"{', and not adjusted for the other metrics' if len(result.metrics) > 1 else ''}.{weights} Baselines were the brightness that the "
        "network saw, also at the resolution of its coarser layers, and the mean annotation of the "
        f"other sources. The seed was {content.provenance.seed}."
    )


def _number_of_annotators(content: ReportContent) -> str:
    """How many people marked, where the words for the annotations do not say so already."""
    n = len(content.result.annotators)
    words = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five"}
    said = set(content.annotations.kind.split()) & {str(n), words.get(n, str(n))}
    return "" if said else f"({counted(n, 'annotator')}) "
