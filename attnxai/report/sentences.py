"""Every sentence that the report of a comparison chooses by rule, as templates in one table.

The rules that choose are in :mod:`~.findings`, :mod:`~.answers`, :mod:`~.verdict`, :mod:`~.cautions`,
:mod:`~.methods` and :mod:`~.figures`; captions stand in :mod:`~.captions`, the paragraph of methods in
:mod:`~.methods_sentences`. A field is written in braces, its form
after a colon:

- ``{name}``: a text, a whole number, or an interval (its value and, in brackets, its ends);
- ``{x:.2}``: a number with two decimals;
- ``{p:p}``: a p-value, as ``p = 0.0004``;
- ``{share:%}``: a share, in per cent;
- ``{n:source}`` or ``{n:source is|sources are}``: a count and what is counted, as ``5 sources``; of an interval
  that of its sources, with their effective number where they are weighted;
- ``{n:~is|are}``: one of two forms by a count that is not printed.
"""

from __future__ import annotations

import string
from typing import Any

from attnxai.report.captions import CAPTIONS
from attnxai.report.methods_sentences import METHODS
from attnxai.report.wording import in_brackets
from attnxai.statistics.formats import format_number, format_share, p_equals, with_interval

SENTENCES: dict[str, str] = {
    # --- what the annotations are -------------------------------------------------------------------
    "annotations.any": "the annotations",
    "annotations.simulated": "the simulated annotations",
    "annotations.associations": "the human component associations",
    # --- the sentence in bold on each map -----------------------------------------------------------
    "lead.cannot_tell": "{map}: no conclusion is possible.",
    "lead.agrees": "{map} agrees{beyond} with {annotations} of its own source{exception}{baselines}.",
    "lead.agrees.beyond": ", beyond lying on emission,",
    "lead.agrees.better": ", but {baselines} {n:~agrees|agree} better",
    "lead.agrees.emission": "{but}it is not shown to agree better than emission alone",
    "lead.agrees.emission.but": ", but ",
    "lead.agrees.emission.and": ", and ",
    "exception": ", {where}; for {off} it is lower on the annotations than elsewhere",
    "exception.for": "for {on}",
    "exception.overall": "over all sources",
    "lead.anti_correlated": (
        "{map} is anti-correlated with {annotations}: it agrees less with its own source than with others, and "
        "is lower on the annotations than elsewhere."
    ),
    "lead.less": "{map} agrees less with its own source than with others.",
    "lead.less_above": (
        "{map} is higher on the annotations than elsewhere, but agrees less with its own source than with "
        "others."
    ),
    "lead.specific_below": (
        "{map} distinguishes its own source from others, but is lower on the annotations than elsewhere."
    ),
    "lead.specific": (
        "{map} distinguishes its own source from others, but its agreement with {annotations} is not shown to "
        "be above chance."
    ),
    "lead.not_shown": "Agreement of {inside} with its own source is not shown.",
    "lead.not_shown_below": (
        "Agreement of {inside} with its own source is not shown; it is lower on the annotations than elsewhere."
    ),
    "lead.not_shown_less": "{map} is not shown to agree less with its own source than with others.",
    "other_metrics.agrees": " By {metrics} it agrees with its own source.",
    "other_metrics.specific": " By {metrics} it distinguishes its own source from others.",
    "other_metrics.not_shown": " By {metrics} agreement with its own source is not shown.",
    "other_metrics.not_shown_less": (
        " By {metrics} it is not shown to agree less with its own source than with others."
    ),
    "other_metrics.less": " By {metrics} it agrees less with its own source than with others.",
    "by_class.differ": (
        " The classes differ: it agrees more with its own source than with others for {more}, but less for {fewer}."
    ),
    "lead.by_class.more": " Within {classes} it agrees more with its own source than with others.",
    "lead.by_class.less": " Within {classes} it agrees less with its own source than with others.",
    "with_p": "{name} ({p:p}{side}{adjusted})",
    "side.greater": " on the upper side",
    "side.less": " on the lower side",
    "badge.classes": ", classes differ",
    "badge.baselines": ", {baselines} better",
    "badge.beyond": ", beyond emission",
    "badge.emission": ", not better than emission",
    "badge.baseline.brightness": "brightness",
    "badge.baseline.emission": "emission",
    "badge.baseline.centre": "centre bias",
    # --- the audit, before any agreement ------------------------------------------------------------
    "audit.fails": "Audit: {faults}; read them with care.",
    "audit.reveals": "the maps of {model} reveal the class through empty sky{auc}",
    "audit.auc": " (AUC {auc} from empty sky alone)",
    "audit.signs": "the sign of {n} of {n_all:map} depends on the class",
    "audit.passes": (
        "Audit: empty sky does not reveal the class to {model}{auc}, and the sign of no map depends on the class."
    ),
    "audit.maps_pass": (
        "Audit: no map of {model} reveals the class by its level on empty sky, and the sign of none depends on the class."
    ),
    "audit.unknown": (
        "Audit: whether the maps of {model} reveal the class through empty sky is not known; it takes sources of two "
        "classes, 8 or more in all."
    ),
    "audit.map": "{map} fails the audit: {faults}.",
    "audit.map.level": "its level on empty sky tells the class (AUC {aucs})",
    "audit.map.sign": "it lies on the source for {above} and off it for {below}",
    "audit.others_fail": "Failed as well: {titles}",
    "audit.none_fails": "None of these audits failed.",
    "audit.figure": (
        "How well the class is told by the whole network and from each zone of the sky alone (blue), and by the area of "
        "the zone (grey): AUC with its 95 % bootstrap interval over {n:source}; 0.5 is chance."
    ),
    "audit.badge.passes": "passes",
    "audit.badge.fails": "fails: {faults}",
    "audit.fault.level": "level",
    "audit.fault.sign": "sign",
    "audit.figure.Faithfulness": (
        "How much better the order of each map is than that of the same map at random shifts: difference of the areas under "
        "the probability, with 95 % intervals over sources. Above 0 the answer rests on what the map ranks highest."
    ),
    "audit.figure.RandomisationResult": (
        "Rank correlation of each map with that of the trained network as its layers become random, from the last to the "
        "first; bands are 95 % intervals over sources, meant over draws. The dotted line is that of the rule."
    ),
    "audit.figure.NoiseStability": (
        "Rank correlation of each map with that of the same image with added noise at its own level, over the field and on "
        "emission alone, with 95 % intervals over sources."
    ),
    "audit.figure.MapAgreement": (
        "Mean rank correlation of the maps with each other over the field, below the diagonal as it is, above it controlling "
        "for brightness."
    ),
    "audit.figure.ClassMeanMaps": (
        "Mean map of each class over sources turned to one position angle, the brighter side to the right, with contours "
        "of the mean image at 5, 20 and 60 % of its peak."
    ),
    "audit.whole": "whole network",
    "audit.alone": "{zone} alone",
    "audit.zones.title": "From which part of the sky each network tells the class",
    "audit.zones.not_split": "Not measured by zone: {reason}.",
    "audit.maps.title": "Where every map lies",
    "audit.on_source": "On source, {name}",
    "audit.level": "Level, {name}",
    "audit.level_auc": "AUC of the level{name}",
    "audit.of": ", {name}",
    "audit.undefined": "{map} is undefined for {n:source}.",
    # --- the headline -------------------------------------------------------------------------------
    "headline.less": (
        "{n_less} of {n:map} of {model} {n_less:~agrees|agree} less with {n_less:~its|their} own source than with "
        "others, by {metric}{anti_correlated}."
    ),
    "headline.less.anti_correlated": (
        ", of which {n_anti:~1 is|{n_anti} are} anti-correlated with {annotations}"
    ),
    "headline.specific": (
        "No map of {model} is shown to agree with {annotations} by {metric}; {n_specific} of {n} "
        "{n_specific:~distinguishes|distinguish} {n_specific:~its|their} own source beyond what the permuted "
        "sources share."
    ),
    "headline.none_less": (
        "No map of {model} is shown to agree less with its own source than with others, by {metric}."
    ),
    "headline.none": (
        "By {metric}, agreement of {model} with {annotations} of its own source is not shown for "
        "{n:~its one map|any of its {n} maps}."
    ),
    "headline.agree": (
        "{maps} of {model} {n:~agrees|agree} with {annotations} of {n:~its|their} own source by {metric}{beyond}{less}"
        "{baselines}."
    ),
    "headline.maps.one": "The one map",
    "headline.maps.all": "All {n} maps",
    "headline.maps.some": "{n} of {n_all} maps",
    "headline.agree.less": "; {n_less} {n_less:~agrees|agree} less with it than with others",
    "headline.agree.better": ", and better than brightness alone",
    "headline.agree.some_better": "; {n_better} of them better than brightness alone",
    "headline.agree.worse": "; {baselines} {n:~agrees|agree} better",
    "headline.agree.open": "; none is shown to agree better than brightness alone",
    "headline.agree.unknown": (
        "; there are too few sources to compare {n:~it|them} with brightness"
    ),
    "headline.agree.no_comparison": "; a comparison with brightness has no interval ({reason})",
    "headline.agree.beyond": ", {n_beyond} of {n:~it|them} beyond emission",
    "headline.agree.emission": "; none is shown to agree better than emission alone",
    "headline.baseline.brightness": "brightness alone",
    "headline.baseline.emission": "emission alone",
    "headline.baseline.centre": "the centre bias",
    "headline.opposite": (
        " {maps} {n:~is|are} higher on the annotations than elsewhere for {on}, and lower for {off}."
    ),
    "headline.opposite.several": "{n} maps",
    "headline.undefined": (
        "No conclusion about the agreement of {model} with {annotations} is possible: {metric} is undefined for "
        "all of its maps; the undefined values are listed below with their reasons."
    ),
    "headline.no_test": (
        "No conclusion about the agreement of {model} with {annotations} is possible: {reason}."
    ),
    "headline.coarse.draws": (
        "{n_draws} permutations are too few to test the agreement of {model} with {annotations}."
    ),
    "headline.coarse.strata": (
        "Sources of the same {strata} are too few to test the agreement of {model} with {annotations}."
    ),
    "headline.coarse.sources": (
        "{n} {group} {n:~is|are} too few to test the agreement of {model} with {annotations}."
    ),
    # --- several models -----------------------------------------------------------------------------
    "models.start.agree": "Maps that agree with {annotations} of their own source by {metric}: {counts}.",
    "models.start.less": "Maps that agree less with their own source than with others, by {metric}: {counts}.",
    "models.count.some": "{model}: {n} of {n_all:map}{less}",
    "models.also_less": ", {n_less} less than with others",
    "models.count.none": "{model}: no conclusion",
    "models.differences.too_few": (
        "No difference between {between} can be shown over {over}, however large: they are too few."
    ),
    "models.differences.none": "No difference between {between} is shown over {over}.",
    "models.differences.some": (
        "{n_found} of {n:difference} between {between}, map by map, {n_found:~is|are} shown over {over}."
    ),
    "models.shared.two": "both",
    "models.shared.several": "all of them",
    "models.between.two": "the two models",
    "models.between.several": "the models",
    "models.shared": "the {n} {group} that {who} share",
    "models.difference": (
        "{metric} of {map} is higher for {higher} than for {lower}, by {difference} ({p} adjusted over "
        "{n:difference})."
    ),
    "models.difference.p": "{p:p}{smallest}, {p_adjusted}",
    "models.difference.smallest": " (the smallest attainable)",
    "models.difference.p_others": "{p:p}{smallest} for these annotators and {p_others} for others too,",
    "models.difference.open": (
        "{n_open} of {n:difference} of {metric} {n_open:~is|are} not shown; this does not mean that "
        "{n_open:~it is|they are} zero."
    ),
    "models.difference.monte_carlo": (
        "With other random flips {n:~this difference|these differences} could fall on the other side of the 5 % "
        "level: {differences}. {n_draws:flip was|flips were} drawn; increase --n-permutations."
    ),
    "models.difference.monte_carlo.one": (
        "{map} of {first} and {second} (adjusted {p:p}; 95 % Monte Carlo interval {low} to {high})"
    ),
    "models.difference.unit": (
        "Compared over {n} {group} for every model. The unit is the source, so the result is about these trained "
        "networks, not about their architectures."
    ),
    # --- does the map agree at all? -----------------------------------------------------------------
    "question.at_all": "Does the map agree with the annotations at all?",
    "at_all.undefined": "{metric} is undefined for this map.",
    "at_all": "{metric} {value} over {n:source}; {side}.{by_class}",
    "at_all.side.above": "above chance{by}",
    "at_all.side.below": "below chance{by}",
    "at_all.side.open": "not shown to differ from chance{by}",
    "at_all.same": "{side}; there is no interval, since {reason}",
    "at_all.side.unknown": "without an interval ({reason})",
    "at_all.by": " (by {value})",
    "at_all.by_zero": ", which is 0",
    "at_all.by_class": " By class: {metric} {classes}.",
    "at_all.class": "{name} {value}",
    "at_all.class.no_interval": "{name} {value} ({reason})",
    # --- with its own source? -----------------------------------------------------------------------
    "question.own": "With its own source?",
    "question.own_any": "With its own source, rather than any source?",
    "question.own_within": "With its own source, beyond what sources of the same {strata} share?",
    "own.not_tested": "Not tested: {reason}.",
    "own": (
        "{observed} against {permuted} when annotations are permuted across {sources} ({p:p}{adjusted}, "
        "{tested}){alternative}."
    ),
    "own.tested.all": "{n:source}",
    "own.tested.some": "{n_tested} of {n:source} permuted, the others keep their own annotation",
    "own.sources.any": "sources",
    "own.sources.all": "all sources",
    "own.sources.strata": "sources of the same {strata}",
    "own.not_adjusted": ", not adjusted",
    "own.adjusted": ", {p} adjusted for {n} maps",
    "own.alternative.greater": "",
    "own.alternative.less": "; the test is one-sided, for less agreement",
    "own.alternative.two-sided": ", two-sided",
    "own.pooled.miscalibrated": (
        " Unreliable: with the pairing broken within {strata}, {share:%} of {n} permuted data sets would "
        "be significant, where 5 % should be; sources of the same {strata} have something in common."
    ),
    "own.pooled.not_measured": (
        " How often this test rejects when the pairing is broken was not measured, and it is not valid where maps "
        "and annotations differ between classes."
    ),
    "own.coarse": (
        " The smallest attainable p-value is {smallest}{for_all}, so this test cannot find {sought}, "
        "however large: {why}."
    ),
    "own.coarse.for_all": ", or {smallest} for {n} maps",
    "own.coarse.draws": "{n_draws} permutations are too few; increase --n-permutations",
    "own.coarse.alone": "within these strata no source has another to be permuted with",
    "own.coarse.few": "{n:source} can be permuted in only {n_draws:way}",
    "own.sought.greater": "agreement",
    "own.sought.less": "a lack of agreement",
    "own.sought.two-sided": "a difference",
    "own.yet": " Agreement with its own source is larger than with others, yet {yet}.",
    "own.yet.open": "over all sources it is not shown to be above chance",
    "own.yet.below": "over all sources it is below chance",
    "own.yet.unknown": "there is no interval that shows it to be above chance",
    "own.lower": (
        " It is lower than under nearly all permutations ({p:p} on the lower side, which was not the alternative "
        "tested)."
    ),
    "own.within.miscalibrated": (
        " Treat with caution: with the pairing broken among such sources of similar angular size, {share:%} "
        "of {n} permuted data sets would be significant, where 5 % should be; --strata size tests for agreement "
        "beyond that."
    ),
    "own.left_out": (" {n:source} without a value for some partner {n:~is|are} not permuted."),
    # --- better than the baselines? -----------------------------------------------------------------
    "question.baselines": "Better than brightness{emission} or the centre bias?",
    "question.baselines.emission": ", emission",
    "baselines.none": "There is no value to compare.",
    "baselines.centre": "The centre bias (the mean annotation of the other sources)",
    "baselines.order.better": "{baseline} agrees less ({numbers}).",
    "baselines.order.worse": "{baseline} agrees better ({numbers}).",
    "baselines.order.open": "{baseline} cannot be distinguished from it ({numbers}).",
    "baselines.unknown": "{baseline} has {metric} {value:.2}; the difference has no interval ({reason}).",
    "baselines.numbers": "{metric} {value}; map minus baseline {difference}",
    "baselines.numbers.over": (
        "{metric} {value}, over the {n:source} for which both are defined and the map has {of_map}; map "
        "minus baseline {difference}"
    ),
    # --- controlling for brightness? ----------------------------------------------------------------
    "question.partial": "Controlling for brightness (partial correlation)?",
    "partial": (
        "Partial Spearman ρ of map and annotations, controlling for {controls}: {value} over "
        "{n:source}, {said}. This is an estimate over all sources, not a test against other sources."
    ),
    "partial.said.above": (
        "above 0: something remains that brightness at these resolutions does not account for linearly in "
        "ranks; brightness at another scale, or the centre, may account for it"
    ),
    "partial.said.below": "below 0: what brightness does not account for is anti-correlated with the annotations",
    "partial.said.open": "not shown to differ from 0: no agreement is shown when controlling for brightness",
    "partial.no_interval": (
        "Partial Spearman ρ of map and annotations, controlling for {controls}: {value} over "
        "{n:source} ({reason})."
    ),
    # --- the noise ceiling --------------------------------------------------------------------------
    "question.ceiling": "How close to the noise ceiling?",
    "ceiling": (
        "Each annotator reaches {metric} {lower} against the consensus of the others; the consensus of all "
        "{n_annotators} reaches {upper} ({bound})."
    ),
    "ceiling.bound": "an upper bound for every map",
    "ceiling.reference": "a reference, not a bound",
    "ceiling.share": " Above chance, this map{where} reaches {shares}.",
    "ceiling.shared": " ({metric} {value} over the {n:source} that two or more annotated)",
    "ceiling.share.of.lower": "{share} of the former",
    "ceiling.share.of.upper": "{share} of the latter",
    "ceiling.below": " This map lies below chance, so it has no share.",
    "ceiling.no_share": " {reason}.",
    # --- further nulls ------------------------------------------------------------------------------
    "further": (
        "{observed} against {expected} under the null “{label}” (--null {name}; {p:p}, not adjusted, "
        "{n:source}){alternative}."
    ),
    "further.rate": (
        " With the pairing broken{within}, {share:%} of {n} permuted data sets are significant, where 5 % should be."
    ),
    "further.within": " within {strata}",
    "further.miscalibrated": " This null is miscalibrated here.{rate} {assumes}",
    # --- cautions -----------------------------------------------------------------------------------
    "caution.simulated": (
        "Sources and annotators are simulated: this shows how the comparison works, and says nothing about "
        "real galaxies."
    ),
    "caution.group.training": (
        "The model was trained on {n:~this source|all {n} sources}. A model's own training images are no evidence "
        "about how it explains galaxies that it has not seen."
    ),
    "caution.group.validation": (
        "The model was selected by its results on {n:~this source|these {n} sources}."
    ),
    "caution.group.unknown": (
        "It is not known whether the model was trained on {n:~this source|these sources}; if it was, "
        "{n:~it is|they are} no evidence about how it explains galaxies that it has not seen."
    ),
    "caution.copies": (
        "Held-out sources are identified by their ids alone: a training image under another name would not be "
        "recognised."
    ),
    "caution.others": (
        "The verdict rests on the {n:held-out source}; {n_others} more that the model was trained or selected on "
        "{n_others:~is|are} reported separately."
    ),
    "caution.weighted": (
        "Sources are weighted by the consensus level of their annotations: means are weighted means, and {n:source "
        "is|sources are} as informative as {effective} of equal weight (Kish's effective number, n_eff)."
    ),
    "caution.few_sources": "{few} for confidence intervals, which need {needed}.",
    "caution.monte_carlo": (
        "With other random permutations {n:~this test|these tests} could fall on the other side of the 5 % level: "
        "{maps}. {remedy}"
    ),
    "caution.monte_carlo.map": "{map} (adjusted {p:p}; 95 % Monte Carlo interval {low} to {high})",
    "caution.monte_carlo.more": (
        "{n_draws:permutation was|permutations were} drawn; about {needed} (--n-permutations {option}) would decide."
    ),
    "caution.monte_carlo.borderline": (
        "{n_draws:permutation was|permutations were} drawn, and even {needed} would not decide: the p-value is at "
        "the level."
    ),
    "caution.class_free": (
        "Annotations are permuted across classes: what maps and annotations of a class share counts as "
        "agreement here. Add --strata class to control for the class."
    ),
    "caution.alone": (
        "{n:source is|sources are} the only one of {n:~its|their} {strata}, and {n:~keeps its|keep their} own "
        "annotation in every permutation."
    ),
    "caution.size": "The permutations do not control for angular size{measured}; {options} tests for agreement beyond size.",
    "caution.size.measured": (
        ": with the pairing broken among sources of similar size{strata}, the tests of the maps by {metric} are "
        "significant for {shares} of {n} permuted data sets each, where 5 % should be"
    ),
    "caution.size.strata": " and the same {strata}",
    "caution.one_annotator": (
        "There is one annotator, so inter-annotator agreement cannot be estimated."
    ),
    "caution.these_annotators": (
        "P-values of permutations across sources are about the annotations of these annotators; the intervals "
        "allow for other annotators."
    ),
    "caution.not_all_marked": (
        "Not every annotator marked every source. The permutation is valid if who marked which source does not "
        "depend on the sources; if it may, --strata annotators permutes only across sources that the same "
        "annotators marked."
    ),
    "caution.split": (
        "{n_train} of {n:source} {n_train:~belongs|belong} to the training part of the data set's published "
        "split and {n_test} to its test part; this model was trained or selected on {n_seen} of them."
    ),
    "caution.without_network": (
        "Only maps were given, without their network: audits that need it are missing, such as the accuracy from parts of "
        "the sky, faithfulness, and maps under random weights."
    ),
    # --- the model ---------------------------------------------------------------------------------
    "accuracy.validation": "{accuracy} accuracy on its validation images, which also chose {chose}",
    "accuracy.validation.epoch": "the epoch",
    "accuracy.validation.temperature": "the epoch and the temperature",
    "accuracy.test": "{accuracy} on its test images",
    **METHODS,
    **CAPTIONS,
}


class _Fields(string.Formatter):
    """Format fields of sentences: numbers, p-values, intervals, counts and words that follow a count."""

    def format_field(self, value: Any, spec: str) -> str:
        effective = ""
        if hasattr(value, "known"):
            if not spec:
                return with_interval(value)
            value, effective = value.n_units, in_brackets(value)
        if spec == "p":
            return p_equals(value)
        if spec == "%":
            return format_share(value)
        if spec.startswith("."):
            return format_number(value, int(spec[1:]))
        if spec.startswith("~"):
            one, several = spec[1:].split("|")
            return one if value == 1 else several
        if spec:
            one, _, several = spec.partition("|")
            return f"{value:,} {one if value == 1 else several or one + 's'}{effective}"
        return f"{value:,}" if isinstance(value, int) else str(value)


def say(key: str, **fields: Any) -> str:
    """Fill the sentence of a finding."""
    return _Fields().vformat(SENTENCES[key], (), fields)
