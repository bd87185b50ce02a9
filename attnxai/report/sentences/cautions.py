"""Cautions under the verdict."""

CAUTIONS: dict[str, str] = {
    "caution.simulated": (
        "Sources and annotators are simulated: this shows how the comparison works, and says nothing about "
        "real galaxies."
    ),
    "caution.rule": (
        "The annotations of {annotators} were made by a rule, not by a person: they are computed from the brightness "
        "of the images, so that agreement with them is no agreement with human judgement."
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
    "caution.positions.none": (
        "The model file states no positions of the sources that the model was trained and selected on: one of them in "
        "another image, shifted by some pixels or from another survey, would not be recognised among the {n:held-out "
        "source}."
    ),
    "caution.positions.images": (
        "{m} of {n:held-out source} {m:~has|have} no celestial coordinates, so that another image of a source that the "
        "model was trained or selected on would not be recognised among them."
    ),
    "caution.positions.sources": (
        "{m} of {n:source} that the model was trained or selected on {m:~has|have} no known position: other images of "
        "{m:~it|them} would not be recognised."
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
    "caution.few_permuted": (
        "Only {n_tested} of {n:source} {n_tested:~is|are} permuted, and p-values rest on {n_tested:~it|these}. The others keep "
        "their own annotation, which brings the mean under permutation closer to the observed one; what the permuted "
        "sources alone show stands at each map."
    ),
    "caution.alone": (
        "{n:source is|sources are} the only one of {n:~its|their} {strata}, and {n:~keeps its|keep their} own "
        "annotation in every permutation."
    ),
    "caution.line": (
        "Caution: angular size counts as agreement{models}: with the annotations of another source of similar size{strata}, "
        "{shares} of {n} tests are significant, where 5 % should be.{size} Repeat with {options}."
    ),
    "caution.line.models": " for {models}",
    "caution.line.all": (
        " Permuted within halves of size as well, {n:~the one map that agrees|all maps that agree} still {n:~does|do} (adjusted "
        "{p:p}{at_most})."
    ),
    "caution.line.at_most": " or less",
    "caution.line.some": (
        " Permuted within halves of size as well, {left} of the {n} maps that agree still {left:~does|do}."
    ),
    "caution.line.none": " Permuted within halves of size as well, no map is shown to agree.",
    "caution.size": "The permutations do not control for angular size{measured}; {options} tests for agreement beyond size.",
    "caution.size.measured": (
        ": with maps paired with other sources of similar size{strata}, {shares} of {n} tests of each map by {metric} are "
        "significant, where 5 % would be if size did not matter"
    ),
    "caution.size.strata": " and the same {strata}",
    "caution.one_annotator": (
        "There is one annotator, so inter-annotator agreement cannot be estimated."
    ),
    "caution.consensus": (
        "Maps are compared with a consensus, the {name}: the intervals are over sources and do not allow for other "
        "annotators, and there is no noise ceiling."
    ),
    "caution.these_annotators": (
        "P-values of permutations across sources are about the annotations of these annotators; the intervals "
        "allow for other annotators."
    ),
    "caution.these_annotators.few": (
        "P-values of permutations across sources are about the annotations of these annotators alone."
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
    "caution.survey.scale.coarser": (
        "{images} {n:~has|have} pixels of {scale}, larger than those of the network ({own}) by a factor of {factor:.1}: it sees "
        "interpolated brightness, at a scale far from that of its training."
    ),
    "caution.survey.scale.finer": (
        "{images} {n:~has|have} pixels of {scale}, of which {factor:.1} lie along the side of a pixel of the network ({own}): it "
        "sees their mean, at a scale far from that of its training."
    ),
    "caution.survey.beam.larger": (
        "{images} {n:~has|have} a beam of {beam}, larger than that of the images that the network was trained on ({own}) "
        "by a factor of {factor:.1}: sources look smoother than those that it knows."
    ),
    "caution.survey.beam.smaller": (
        "{images} {n:~has|have} a beam of {beam}, smaller than that of the images that the network was trained on ({own}) "
        "by a factor of {factor:.1}: sources look sharper than those that it knows; --match-beam smooths images in survey "
        "brightness to it."
    ),
    "caution.survey.unseen": (
        "More than {most:%} of the network's field is blank or padded in {images}, up to {share:%}: how well a map agrees "
        "there rests on what is left."
    ),
    "caution.without_network": (
        "Only maps were given, without their network: audits that need it are missing, such as the accuracy from parts of "
        "the sky, faithfulness, and maps under random weights."
    ),
}
