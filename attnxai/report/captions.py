"""Captions of figures, introductions of tables and answers on emission, as templates; :mod:`~.sentences` says how they are written."""

CAPTIONS: dict[str, str] = {
    # --- captions -----------------------------------------------------------------------------------
    "caption.metric": "{metric}: {meaning}.",
    "caption.points": "Filled points: maps of {models}{several}; open points: baselines.",
    "caption.points.several": ", a colour each, the same shape for the same map",
    "caption.means": "Points are {mean}s over {sources}, {intervals}.",
    "caption.sources": "n = {n} {group}",
    "caption.intervals": "lines their {level:%} intervals by {methods}{without}",
    "caption.intervals.none": "which have no intervals ({reason})",
    "caption.intervals.without": "; {n:mean} without a line {n:~has|have} no interval",
    "caption.permuted": (
        "Grey bars: central 95 % of the means when annotations are permuted across {sources}; a point inside its "
        "bar agrees no better with its own source than with others, a point left of it less well, a point right "
        "of it better. {side}"
    ),
    "caption.permuted.any": "sources",
    "caption.permuted.mixed_any": "all sources",
    "caption.permuted.strata": "sources of the same {strata}",
    "caption.side.greater": (
        "The tests are one-sided, for more agreement: p reaches 0.05 a little inside the right end."
    ),
    "caption.side.less": (
        "The tests are one-sided, for less agreement: p reaches 0.05 a little inside the left end."
    ),
    "caption.side.two-sided": "The tests are two-sided: p is about 0.05 at either end.",
    "caption.further": (
        "Thin {n:~line|lines} beneath each bar{order}: the same under {nulls}, with surrogates of each source's "
        "map."
    ),
    "caption.further.order": ", from top to bottom",
    "caption.further.untested": "{null} could not be tested for some maps ({reason})",
    "caption.ceiling": (
        "Band: the noise ceiling, from {who} each against the consensus of the others (lower edge) to the "
        "consensus of all against each (upper edge; {bound})."
    ),
    "caption.ceiling.who": "the {n} annotators",
    "caption.ceiling.who.any": "the annotators",
    "caption.ceiling.bound": "an upper bound for every map",
    "caption.ceiling.reference": "a reference, which a map can exceed",
    "caption.chance": "The thin vertical line is the value without any agreement.",
    "caption.ceiling.alternative": "noise ceiling {low:.2} to {high:.2}",
    "caption.all_metrics": "As above for every metric, each on its own axis. {meanings}",
    "caption.classes": (
        "{metric} of every source (small points; {counts}, {group}) for the maps of {model} and two baselines. "
        "Diamonds: {mean} of each class, {intervals}."
    ),
    "caption.classes.intervals": "with its {level:%} interval by {methods}",
    "caption.classes.no_intervals": "which has too few sources for an interval",
    "caption.classes.alternative": "Distribution of {metric} over sources by class. {mean}s: {means}.",
    "caption.models": (
        "Difference in {metric}, one model minus the other over the same sources, for each map: right of the "
        "vertical line the first has the higher value. Points are {mean}s over {sources} and "
        "{n_annotators:annotator}, {intervals}. Filled points: the {level:%} interval excludes zero and the p-value "
        "of the sign-flip test, {adjusted}, is at most {alpha}{others}."
    ),
    "caption.models.over": " over the {n:contrast}",
    "caption.models.others": (
        ", and so is the p-value about other annotators, adjusted by Holm's method"
    ),
    "caption.nulls": (
        "{mean} over sources of the maps of {model} as observed (line) and when annotations are permuted across "
        "{sources}{outline}, up to {n_draws} permutations. The p-value{former} ({side}, not adjusted) is in each "
        "panel."
    ),
    "caption.nulls.outline": " (filled) or across all sources (outline)",
    "caption.nulls.former": " of the former",
    "caption.sources_shown": (
        "Upper row: what {model} saw (asinh stretch), contours of {map}, the map of which the verdict speaks, at its {quantiles} quantiles "
        "(yellow), and the annotations of every annotator, zoomed to what they and the highest map values "
        "cover. Lower row: the whole map, on one colour scale; dotted, the extent of the panel above. {orientation} "
        "Sources are ranked by {metric}: {ranks}."
    ),
    "caption.sources_shown.alternative": (
        "Images with contours of the map and annotations; by {metric}, {ranks}."
    ),
    "caption.north.all": "North is up and east left as the arrows show; ticks in arcsec from the centre.",
    "caption.north.some": (
        "North is up and east left where arrows show it; the other images have no celestial coordinates."
    ),
    "caption.north.none": (
        "No celestial coordinates are known, so the orientation on the sky is not stated."
    ),
    # --- introductions of the page ------------------------------------------------------------------
    "page.cells": (
        "Each cell gives the {mean} over sources{annotators}, its {level:%} interval, the mean when annotations "
        "are permuted across {sources}, the p-value of that permutation test and, for maps, the p-value adjusted "
        "over all maps.{n}{nulls}{ceiling}"
    ),
    "page.cells.n": (
        " Where a value rests on fewer sources than its table, their number n stands beneath it."
    ),
    "page.cells.nulls": (
        " Further nulls follow by their names (not adjusted); * marks those that are miscalibrated here: they "
        "call too many maps significant when the pairing is broken."
    ),
    "page.cells.ceiling": (
        " The rows “noise ceiling” give the inter-annotator agreement: the lower value is that of each annotator "
        "against the others, the upper one that of the consensus of all against each. The share of the lower value "
        "that a map reaches, above chance, is in its cell. Intervals of shares, in the table of verdicts, are by the dual bootstrap; where only one of the "
        "interval of a share and that of the mean excludes chance, that of the mean decides."
    ),
    "page.weighted": (
        "Values are weighted means over sources; n_eff is the number of sources of equal weight that would be as "
        "informative (Kish)."
    ),
    "page.minus_brightness": (
        "Minus brightness: the {metric} of the map minus that of {baseline}, the brightness baseline that agrees best."
    ),
    "page.minus_emission": (
        "Minus emission: the same with {baseline}, which knows where the image shows emission and nothing else."
    ),
    "page.share": (
        "Share of noise ceiling: of its lower value, what each annotator reaches against the others, above chance."
    ),
    "page.no_interval": "No interval: {reasons}.",
    "page.partial": (
        "Partial rank correlation (Spearman ρ) of map and annotations controlling for brightness, at pixel scale "
        "and at the resolution of the map: an estimate with its interval, without a test."
    ),
    "page.audit": (
        "Emission is what lies above the clip of the preprocessing, the ring what lies within {ring:.0} pixels of the "
        "image of it, empty sky the rest. From a zone alone: the sums of features over the other zones are replaced by their mean over "
        "these sources; nothing is fitted again. The area alone is what the mask of a zone tells, in the direction in "
        "which it tells the classes. A map is on the source if its mean on emission is above its mean elsewhere; its "
        "level is its median on empty sky. The audit fails where empty sky alone, or the level of a map, tells the class, "
        "or most maps lie on the source for one class and off it for another."
    ),
    "page.annotators": (
        "How well annotators agree about each source, independent of the metric: Krippendorff's α and ICC2 (single "
        "annotators, absolute agreement) of numbers that describe what they marked. 1 is full agreement; near 0, "
        "annotators differ on one source as much as sources differ from each other.{weights}"
    ),
    "page.annotators.weights": " Weights of sources are not used here.",
    "page.models": (
        "{mean} differences over {n} {group}, paired by source, with {level:%} intervals; p from flipping the signs "
        "of the sources' differences (two-sided), adjusted over all pairs of models and all maps of a metric"
        "{others}."
    ),
    "page.models.others": "; it is about these annotators, and the last line of a cell about others too",
    # --- beyond emission ------------------------------------------------------------------------------
    "question.emission": "Beyond lying on emission?",
    "emission.shown": "Shown: it agrees better than emission alone, on the whole field and on the source's own emission.",
    "emission.not_shown": "Not shown: {reasons}.",
    "emission.missing.field": "it is not shown to agree better than emission alone on the whole field",
    "emission.missing.own": (
        "it is not shown to agree better than blurred emission on the source's own emission"
    ),
    "emission.missing.test": "the permutation within emission does not show agreement with its own source",
    "emission.missing.level": "the permutation within emission is miscalibrated for these data",
    "emission.own": " On the source's own emission it has {metric} {value} over {n:source}",
    "emission.difference": "; minus {baseline}, {difference}",
    "emission.test": (
        ". Less what blurred emission explains of it, {observed:.2} against {permuted:.2} when annotations are "
        "permuted across {sources} at the same place within their emission ({p:p}{adjusted})."
    ),
    "emission.no_test": ". Not tested: {reason}.",
    "emission.level": (
        " With the pairing broken among such sources with a similar amount of emission, {share:%} of {n} permuted data sets would be "
        "significant, where 5 % should be."
    ),
    "emission.level.unknown": (
        " The false positive rate of this test was not measured on these data, as strata have too few sources."
    ),
    "page.within": (
        "The same over the pixels of each source's own emission: pixels above the clip that lie no farther from the "
        "middle of the marks than the outermost mark ({n} of {n_all} sources have marks there and enough such pixels). "
        "Null: annotations are permuted across {sources} in a common frame, place by place along and across the "
        "emission of each. Every map is tested less its fit by the mask of emission, blurred with several "
        "widths, and by squares of these, as a blurred mask agrees with marks too; metrics that refuse negative values have no test."
        "{level}{baselines}"
    ),
    "page.within.level": (
        " Level: with the pairing broken among such sources with a similar amount of emission, {shares} of {n} permuted data sets "
        "are significant for each map by {metric}, where 5 % should be."
    ),
    "page.within.baselines": " Maps that know emission and nothing else have {tests}.",
}
