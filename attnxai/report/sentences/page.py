"""Introductions of tables, and what is said of the model."""

PAGE: dict[str, str] = {
    # --- introductions of the page ------------------------------------------------------------------
    "page.maps": "Open a map for the questions that a referee would ask, each with its own number.",
    "page.gates": (
        "Gates are the attention gates of the network: each multiplies the features of a layer at every place by a number from 0 "
        "to 1, and so shows where the network looks, but not which class it sees there."
    ),
    "page.signs": (
        "A map can be higher on the source for one class and lower for another because nothing in the training ties high values "
        "to the source: only the difference between the classes matters to the network."
    ),
    "page.cells": (
        "Each cell gives the {mean} over sources{annotators}, its {level:%} interval, the mean when annotations "
        "are permuted across {sources}, the p-value of that permutation test and, for maps, the p-value adjusted "
        "over all maps.{n}{nulls}{ceiling}{consistency}"
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
        "Minus brightness: the {metric} of the map minus that of the brightness baseline that agrees best, by which the two are "
        "compared: {baseline}."
    ),
    "page.share": (
        "Share of noise ceiling: of its lower value, what each annotator reaches against the others, above chance."
    ),
    "page.no_interval": "No interval: {reasons}.",
    "page.partial": (
        "Partial rank correlation (Spearman ρ) of map and annotations controlling for brightness, at pixel scale "
        "and at the resolution of the map: an estimate with its interval, without a test."
    ),
    "page.compared": "{n:source}{classes}{annotators}",
    "page.compared.annotators": "{n:annotator}",
    "page.class_unknown": "of unknown class",
    "page.audit": (
        "Emission: what lies above the clip of the preprocessing. Ring: what lies within {ring:.0} pixels of emission. Empty "
        "sky: the rest.{zones} A map is on the "
        "source if its mean on emission is above its mean elsewhere; its level is its median on empty sky. The audit fails "
        "if {sky}the level of a map tells the class, or if the maps of one class are mostly higher on the "
        "source than elsewhere and those of another mostly lower."
    ),
    "page.audit.zones": (
        " From a zone alone: the features of the other zones are replaced by their mean over these sources, and nothing is "
        "fitted again. AUC of the area alone: how well the size of the zone tells the class."
    ),
    "page.audit.sky": "empty sky alone or ",
    "page.shown": (
        " The table has {n} of {n_all} sources: the best, the median and the worst by every map, and others in equal steps over "
        "the ids; per_source.csv has all of them. Pictures of all would make the page too large; for those of chosen sources, "
        "compare up to {most} sources alone, by a table of annotations with their rows."
    ),
    "page.surveys": (
        "Pixels of the network{models}: {scale}{beam}. Resampling: how many pixels of an image lie along the side of one of the "
        "network's; above 1 they are averaged, below 1 interpolated. Blank and padded: mean share of the network's field.{far}"
    ),
    "page.surveys.far": (
        " Far: resampled by a factor of more than {resampling:.0}, or with a beam that differs by a factor of more than {beam:.1} "
        "after smoothing."
    ),
    "page.surveys.beam": "; beam of its training images: {beam}",
    "page.annotators": (
        "How well annotators agree about each source, independent of the metric: Krippendorff's α and ICC2 (single "
        "annotators, absolute agreement) of numbers that describe what they marked. 1 is full agreement; near 0, "
        "annotators differ on one source as much as sources differ from each other.{weights}"
    ),
    "page.annotators.weights": " Weights of sources are not used here.",
    "page.labels": (
        "The marks of each label as a target of their own, over the {group} that hold the label: the {mean} of {metric} with its "
        "{level:%} interval, and when these marks are permuted across {sources}{adjusted}. All marks: with all marks, over the same "
        "sources and annotators."
    ),
    "labels.all": "all",
    "labels.sources": "(sources)",
    "labels.short": "{metric} of {model} with the marks of each label (adjusted p)",
    "labels.short.coarse": "Without p: the smallest attainable one is above 0.05.",
    "page.labels.adjusted": "; their p-values are adjusted over {n:test} of labels and maps together",
    "page.labels.few": " Too few sources for an interval, which needs {needed}: {labels}.",
    "page.labels.untested": " Not tested: {labels} ({reason}).",
    "page.labels.none": "none of these sources holds the label",
    "page.labels.coarse": (
        " The smallest attainable{adjusted} p-value of {labels} is above 0.05, so that {n:~this test|these tests} cannot be significant."
    ),
    "page.labels.coarse.adjusted": " adjusted",
    "page.consensus": "; compared as one target: {rule}",
    "consensus.union": "the pixels that any annotator of the source marked",
    "consensus.majority": "the pixels that more than half of the annotators of the source marked",
    "consensus.staple": "the probability of the true region by STAPLE",
    "consensus.mean": "the mean of the densities of the annotators of the source",
    "page.pairwise": (
        "{measure}, mean over the sources that both marked (n){again}. {first} and {second} agree least: {value} over {n:source}."
    ),
    "page.pairwise.iou": "Intersection over union of the regions of every two annotators",
    "page.pairwise.similarity": (
        "Similarity of every two annotators, the overlap of what they marked as densities of sum 1, as some marks are points or "
        "lines"
    ),
    "page.pairwise.again": "; on the diagonal, of their own first and later looks",
    "page.consistency": (
        "Some sources were looked at again. The later look is scored as a prediction of the same annotator's "
        "first one, by the metrics and over the pixels of the noise ceiling; only first looks are compared with maps."
    ),
    "page.consistency.value": (
        "By {metric}, {n_annotators:annotator agrees with the own first look|annotators agree with their own first looks} at {value} over "
        "{n:source}{ceiling}."
    ),
    "page.consistency.ceiling": ", and each annotator with the consensus of the others at {lower} (the lower noise ceiling)",
    "page.consistency.short": "An interval needs 8 sources or more, whose values differ.",
    "page.cells.consistency": (
        " The row “self-consistency” gives the agreement of annotators' later looks with their own first ones."
    ),
    "page.models": (
        "{mean} differences over {n} {group}, paired by source, with {level:%} intervals; p from flipping the signs "
        "of the sources' differences (two-sided), adjusted over all pairs of models and all maps of a metric"
        "{others}."
    ),
    "page.models.others": "; it is about these annotators, and the last line of a cell about others too",
    "page.within": (
        "The same over the pixels of each source's own emission: pixels above the clip that lie no farther from the "
        "middle of the marks than the outermost mark ({n} of {n_all} sources have marks there and enough such pixels). "
        "Null: annotations are permuted across {sources} in a common frame, place by place along and across the "
        "emission of each. Every map is tested less its fit by the mask of emission, blurred with several "
        "widths, and by squares of these, as a blurred mask agrees with marks too; metrics that refuse negative values have no test."
        "{level}{baselines}"
    ),
    "page.within.level": (
        " Level: with maps paired with other such sources with a similar amount of emission, {shares} of {n} tests of each map "
        "by {metric} are significant, where 5 % should be."
    ),
    "page.within.baselines": " Maps that know emission and nothing else have {tests}.",
    # --- the terminal -------------------------------------------------------------------------------
    "terminal.note": (
        "{metric}: {mean} [{level:%} interval]; permuted: with the annotations of {sources}{permuted}; p{adjusted}{smallest}; "
        "minus brightness: less that of {baseline}."
    ),
    "terminal.adjusted": " adjusted over {n} maps",
    "terminal.smallest": ", the smallest attainable{draws} being {p}",
    "terminal.audit_fails": ", fails the audit",
    "terminal.limits": "Limitations{more}:",
    "terminal.limits.more": ", in full in the report and with --verbose",
    "latex.caption": (
        "{metric} of the maps of {model} and of baselines over {most}: {mean} and {level:%} interval; mean and p-value when "
        "annotations are permuted across {sources}. {smallest}"
    ),
    "page.smallest": "P-values are {adjusted}; the smallest attainable{draws} is {p}.{annotators}",
    "page.smallest.draws": " with {n:permutation}",
    "page.smallest.annotators": " They are about these {n:annotator}, the intervals about others too.",
    "page.smallest.few": (
        " They are about these {n:annotator}; the intervals allow for others only as far as these differ among themselves."
    ),
    # --- the model ---------------------------------------------------------------------------------
    "accuracy.validation": "{accuracy} accuracy on its validation images, which also chose {chose}",
    "accuracy.validation.epoch": "the epoch",
    "accuracy.validation.temperature": "the epoch and the temperature",
    "accuracy.none.scores": "class scores are not known",
    "accuracy.none.classes": "classes are not known",
    "accuracy.none.others": "not known, since their classes are not those of the model",
    "accuracy.test": "{accuracy} on its test images",
}
