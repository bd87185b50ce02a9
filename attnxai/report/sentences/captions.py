"""Captions of figures."""

CAPTIONS: dict[str, str] = {
    "caption.metric": "{metric}: {meaning}.",
    "caption.points": "Filled points: maps of {models}{several}; open points: baselines, each at the resolution that agrees best.",
    "caption.points.several": ", a colour each, the same shape for the same map",
    "caption.means": "Points are {mean}s over {sources}, {intervals}.",
    "caption.sources": "n = {n} {group}",
    "caption.intervals": "lines their {level:%} intervals by {methods}{without}",
    "caption.intervals.none": "which have no intervals ({reason})",
    "caption.intervals.without": "; {n:mean} without a line {n:~has|have} no interval",
    "caption.permuted": (
        "Grey bars: central 95 % of the means when annotations are permuted across {sources}{permuted}; a point inside its "
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
    "caption.chance": "The thin vertical line is the value for marks at random places.",
    "caption.ceiling.alternative": "noise ceiling {low:.2} to {high:.2}",
    "caption.all_metrics": "As above for every metric, each on its own axis. {meanings}",
    "caption.classes": (
        "{metric} of every source (small points; {counts}, {group}) for the maps of {model} and two baselines. "
        "Large symbols: {mean} of each class, {intervals}."
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
        "{mean}{metric} over sources of the maps of {model} as observed (line) and when annotations are permuted across "
        "{sources}{outline}{permuted}, up to {n_draws} permutations. The p-value{former} ({side}, not adjusted) is in each "
        "panel."
    ),
    "caption.nulls.outline": " (filled) or across all sources (outline)",
    "caption.nulls.former": " of the former",
    "caption.sources_shown": (
        "Upper row: what {model} saw (asinh stretch), contours of {map}{layer}, the map of which the verdict speaks, at its {quantiles} quantiles "
        "(yellow), and the annotations of every annotator (hatched: subtracted), zoomed to what they and the highest map values "
        "cover. Lower row: the whole map, on one colour scale; dotted, the extent of the panel above. {orientation} "
        "Sources are ranked by {metric}: {ranks}."
    ),
    "caption.sources_shown.layer": " (of the feature map {layer})",
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
}
