"""The answers on each map, under the sentence in bold."""

ANSWERS: dict[str, str] = {
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
        "{observed} against {permuted} when annotations are permuted across {sources} ({p:p}{smallest}{adjusted}, "
        "{tested}){alternative}."
    ),
    "own.tested.all": "{n:source}",
    "own.tested.some": (
        "{n_tested} of {n:source} permuted, the others keep their own annotation; over {n_tested:~that one|the {n_tested}} "
        "alone, {observed} against {permuted}"
    ),
    "permuted.caption": " ({n_tested} of {n}; the others keep their own)",
    "permuted.table": (
        " {n_tested} of {n} sources are permuted; the others keep their own annotation, so that the mean under permutation "
        "differs less from the observed one than if all were permuted."
    ),
    "permuted.methods": " Of {n} sources, {n_tested} were permuted; the others kept their own annotation.",
    "permuted.blocks.clause": ", within {n} random blocks",
    "permuted.blocks.sentence": " Annotations are permuted within {n} random blocks of sources.",
    "own.sources.any": "sources",
    "own.sources.all": "all sources",
    "own.sources.strata": "sources of the same {strata}",
    "own.not_adjusted": ", not adjusted",
    "own.adjusted": ", {p} adjusted for {n} maps",
    "own.alternative.greater": "",
    "own.alternative.less": "; the test is one-sided, for less agreement",
    "own.alternative.two-sided": ", two-sided",
    "own.pooled.miscalibrated": (
        " Unreliable: with maps paired with other sources of the same {strata}, {share:%} of {n} tests are "
        "significant, where 5 % should be; sources of the same {strata} have something in common."
    ),
    "own.pooled.not_measured": (
        " How often this test rejects on these data with the pairing broken cannot be measured, as strata have fewer than "
        "{n} sources on average; it is not valid where maps and annotations differ between classes."
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
        " Treat with caution: with maps paired with other such sources of similar angular size, {share:%} of {n} tests "
        "are significant, where 5 % should be; --strata size tests for agreement beyond that."
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
    "baselines.unknown": "{baseline} has {metric} {value}; the difference has no interval ({reason}).",
    "baselines.numbers": "{metric} {value}; map minus baseline {difference}",
    "baselines.numbers.over": (
        "{metric} {value}, over the {n:source} for which both are defined and the map has {of_map}; map "
        "minus baseline {difference}"
    ),
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
        ". Less what blurred emission explains of it, {observed} against {permuted} when annotations are "
        "permuted across {sources} at the same place within their emission ({p:p}{adjusted})."
    ),
    "emission.no_test": ". Not tested: {reason}.",
    "emission.level": (
        " With maps paired with other such sources with a similar amount of emission, {share:%} of {n} tests are significant, "
        "where 5 % should be."
    ),
    "emission.level.unknown": (
        " The false positive rate of this test was not measured on these data, as strata have too few sources."
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
        "Each annotator reaches {metric} {lower} against the consensus of the others; the consensus of {of_all} "
        "reaches {upper} ({bound})."
    ),
    "ceiling.two": "both",
    "ceiling.all": "all {n}",
    "ceiling.bound": "an upper bound for every map",
    "ceiling.reference": "a reference, not a bound",
    "ceiling.share": " Above chance, this map{where} reaches {shares}.",
    "ceiling.shared": " ({metric} {value} over the {n:source} that two or more annotated)",
    "ceiling.share.of.lower": "{share} of the former",
    "ceiling.share.of.upper": "{share} of the latter",
    "ceiling.below": " This map lies below chance, so it has no share.",
    "ceiling.no_share": " {reason}.",
    "ceiling.consistency": (
        " Looking again, an annotator agrees with the own first look at {value} over {n:source} (self-consistency)."
    ),
    # --- further nulls ------------------------------------------------------------------------------
    "further": (
        "{observed} against {expected} under the null “{label}” (--null {name}; {p:p}, not adjusted, "
        "{n:source}){alternative}."
    ),
    "further.rate": (
        " With maps paired with other sources{within}, {share:%} of {n} tests are significant, where 5 % should be."
    ),
    "further.within": " of the same {strata}",
    "further.miscalibrated": " This null is miscalibrated here.{rate} {assumes}",
}
