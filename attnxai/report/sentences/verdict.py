"""What the annotations are, the headline, and the sentence in bold on each map."""

VERDICT: dict[str, str] = {
    # --- what the annotations are -------------------------------------------------------------------
    "annotations.any": "the annotations",
    "annotations.simulated": "the simulated annotations",
    "annotations.rule": "the rule-made annotations",
    "annotations.associations": "the human component associations",
    # --- the headline -------------------------------------------------------------------------------
    "headline.evidence": (
        " ({map}: {metric} {value} against {permuted} by permutation, {adjusted}{p:p}{smallest}, {n} {group}{permuted_sources})"
    ),
    "headline.evidence.adjusted": "adjusted ",
    "headline.evidence.permuted": ", {n_tested} of them permuted",
    "p.smallest": ", the smallest attainable",
    "headline.evidence.most.agree": "{map} stands out most",
    "headline.evidence.most.less": "{map} falls furthest short",
    "headline.less": (
        "{n_less} of {n:map} of {model} {n_less:~agrees|agree} less with {n_less:~its|their} own source than with "
        "others{anti_correlated}{evidence}."
    ),
    "headline.less.anti_correlated": (
        ", of which {n_anti:~1 is|{n_anti} are} anti-correlated with {annotations}"
    ),
    "headline.specific": (
        "No map of {model} is shown to agree with {annotations}; {n_specific} of {n} "
        "{n_specific:~distinguishes|distinguish} {n_specific:~its|their} own source beyond what the permuted "
        "sources share{evidence}."
    ),
    "headline.none_less": (
        "No map of {model} is shown to agree less with its own source than with others{evidence}."
    ),
    "headline.none": (
        "Agreement of {model} with {annotations} of its own source is not shown for {n:~its one map|any of its {n} "
        "maps}{evidence}."
    ),
    "headline.agree": (
        "{maps} of {model} {n:~agrees|agree} with {annotations} of {n:~its|their} own source{beyond}{less}{evidence}."
    ),
    "headline.maps.one": "The one map",
    "headline.maps.all": "All {n} maps",
    "headline.maps.some": "{n} of {n_all} maps",
    "headline.agree.less": ", and {n_less} {n_less:~agrees|agree} less with it than with others",
    "headline.agree.better": "{n:~it agrees|they agree} better than brightness alone",
    "headline.agree.some_better": (
        "{n_better} of them {n_better:~agrees|agree} better than brightness alone{less}"
    ),
    "headline.agree.also_worse": ", which agrees better than {n_worse}",
    "headline.agree.worse": "{baselines} {n:~agrees|agree} better",
    "headline.agree.some_worse": "brightness alone agrees better than {n_worse} of them",
    "headline.agree.open": "{n:~it is not|none is} shown to agree better than brightness alone",
    "headline.agree.unknown": ("there are too few sources to compare {n:~it|them} with brightness"),
    "headline.agree.no_comparison": "a comparison with brightness has no interval ({reason})",
    "headline.agree.beyond": ", {n_beyond} of {n:~it|them} beyond emission",
    "headline.agree.emission": "{n:~it is not|none is} shown to agree better than emission alone",
    "headline.with_value": "{name} ({value})",
    "headline.baseline.brightness": "brightness alone",
    "headline.baseline.emission": "emission alone",
    "headline.baseline.centre": "the centre bias",
    "headline.opposite": (
        "{maps} {n:~is|are} higher on the annotations than elsewhere for {on}, and lower for {off}"
    ),
    "headline.maps.several": "{n} maps",
    "headline.opposite.classes": (
        "{n} maps are higher on the annotations than elsewhere for some classes, and lower for others"
    ),
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
    "models.found.agree": (
        "{models} are shown to agree with {annotations} of their own source{less}{evidence}{unknown}."
    ),
    "models.found.all": "{models} agree with {annotations} of their own source{less}{evidence}{unknown}.",
    "models.found.less": (
        "{models} are shown to agree less with their own source than with others{less}{evidence}{unknown}."
    ),
    "models.none.agree": (
        "No map of {models} is shown to agree with {annotations} of its own source{less}{evidence}{unknown}."
    ),
    "models.none.less": (
        "No map of {models} is shown to agree less with its own source than with others{less}{evidence}{unknown}."
    ),
    "models.all_unknown": "No conclusion about the agreement of {models} with {annotations} is possible.",
    "models.unknown": "; no conclusion is possible for {models}",
    "models.every": "the {n} models",
    "models.number": "{n:model}",
    "models.which.all": "all maps of {models}",
    "models.which.some": "{n} of {n_all} maps{each} of {models}",
    "models.which.few": "some maps of {models}",
    "models.which.each": " each",
    "models.which.none": "none of {models}",
    "models.also_less": ", and {n:map} {n:~agrees|agree} less with it than with others",
    "models.evidence.highest": "highest for {map} of {model}",
    "models.evidence.lowest": "lowest for {map} of {model}",
    "models.brightness": "brightness alone agrees better than {n:~it|all these maps}",
    "models.differences.too_few": (
        "no difference between {between} can be shown over {over}, however large, as they are too few"
    ),
    "models.differences.none": "no difference between {between} is significant over {over}{least}",
    "models.differences.least": " (smallest adjusted {p:p})",
    "models.differences.some": (
        "of {n:difference} between {between} {n_found} {n_found:~is|are} significant ({n_found:~|largest: }{map}, {higher} "
        "over {lower} by {difference}, adjusted {p:p}{smallest})"
    ),
    "models.differences.two": (
        "of {n:difference}{between} {n_found} {n_found:~is|are} significant: {higher} is higher for {maps} ({most}by "
        "{difference}, adjusted {p:p}{smallest}){other}"
    ),
    "models.differences.two.between": " between {between}",
    "models.differences.two.most": "most for {map}, ",
    "models.differences.two.other": ", {lower} for {maps}",
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
    "models.difference.p_others": "{p:p}{smallest} for these annotators and {p_others} for others too,",
    "models.difference.open": (
        "{n_open} of {n:difference} of {metric} {n_open:~is|are} not shown; this does not mean that "
        "{n_open:~it is|they are} zero."
    ),
    "models.difference.more": (
        "{n:smaller difference is|smaller differences are} significant too; the table under “Comparison of models” has them all."
    ),
    "models.difference.over": (
        "Each interval is of one difference alone, and the p-values are adjusted over all {n}{others}: p can be near 0.05 where "
        "the interval is far from 0."
    ),
    "models.difference.over.others": "; those for other annotators are the larger the fewer annotators there are",
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
    # --- the line on the baselines --------------------------------------------------------------------
    "baselines.line": "Baselines: {baselines}. {found}.",
    "baselines.meaning.brightness": "brightness (the image itself)",
    "baselines.meaning.emission": "emission (1 where the image is above its noise, 0 elsewhere)",
    "baselines.meaning.centre": "the centre bias (the mean annotation of the other sources)",
    "baselines.name.brightness": "brightness",
    "baselines.name.emission": "emission",
    "baselines.name.centre": "the centre bias",
    "baselines.for": "{baseline} for {maps}",
    "baselines.clause": "{baselines} {found}",
    "baselines.than.worse": "{n:~agrees|agree} better than {maps}",
    "baselines.than.better": "{n:~agrees|agree} less than {maps}",
    "baselines.than.open": "cannot be distinguished from {maps}",
    "baselines.than.unknown": "cannot be compared with {maps}",
    "baselines.maps": "{n} of {n_all} maps",
    "baselines.maps.other": "the other {n:~one|{n}}",
    "baselines.maps.all.one": "the map",
    "baselines.maps.all.two": "both maps",
    "baselines.maps.all.many": "all {n} maps",
    "baselines.maps.any.one": "the map",
    "baselines.maps.any.two": "either map",
    "baselines.maps.any.many": "any of the {n} maps",
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
    "badge.not_shown": "agreement not shown",
    "badge.classes": ", classes differ",
    "badge.beyond": ", beyond emission",
}
