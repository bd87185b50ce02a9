"""The paragraph of methods, which cites publications by their keys in references.bib."""

METHODS: dict[str, str] = {
    "methods.explained": "{maps} explained the score of {of_class}.",
    "methods.layer": "{maps}{of_model} are those of the feature map {layer}.",
    "methods.layer.of": " of {model}",
    "methods.predicted_class": "the predicted class of each image, less the mean of the others",
    "methods.difference": "{first} less {n:~that|the mean} of {others}",
    "methods.compared": (
        "We compared the {maps} of {models} with {annotations} {annotators}for {n} {group}"
        "{of_first}, using attnxai {version} [@attnxai]."
    ),
    "methods.files": "Maps were read from {n:~the file|the files} {files}.",
    "methods.files.of": " (of {model})",
    "methods.mirabest": "Images are those of MiraBest [@MiraBest2023], of the survey FIRST [@Becker1995].",
    "methods.first": "Images are from the survey FIRST [@Becker1995].",
    "methods.frdeep": "Images are those of {release}{references}.",
    "methods.networks.equivariant attention": (
        "The attention-gated {n:~network|networks} of {models} {n:~is|are} equivariant [@Bowles2021; @Bowles2021E2] "
        "under the group {group}, with steerable convolutions [@Weiler2019]."
    ),
    "methods.networks.equivariant attention trivial": (
        "The attention-gated {n:~network|networks} of {models} [@Bowles2021; @Bowles2021E2] {n:~is|are} not equivariant "
        "to rotations or reflections: {n:~its|their} convolutions are of the trivial group {group}."
    ),
    "methods.networks.attention gate cnn": (
        "The {n:~network|networks} of {models} {n:~is an attention-gated CNN|are attention-gated CNNs} [@Bowles2021]."
    ),
    "methods.networks.lenet": "The {n:~network|networks} of {models} {n:~is a LeNet|are LeNets} [@Scaife2021].",
    "methods.networks.steerable lenet": (
        "The {n:~network|networks} of {models} {n:~is a LeNet|are LeNets} with steerable convolutions of the group "
        "{group} [@Scaife2021; @Weiler2019]."
    ),
    "methods.networks.steerable lenet trivial": (
        "The {n:~network|networks} of {models} {n:~is a LeNet|are LeNets} [@Scaife2021] and not equivariant to rotations "
        "or reflections: {n:~its|their} convolutions are of the trivial group {group}."
    ),
    "methods.of_first": " (of the first model)",
    "methods.annotators": "({n:annotator}{references}) ",
    "methods.annotators.consensus": "({name}{references}) ",
    "methods.grid": (
        "Maps were interpolated bilinearly to the network's input grid of {rows} × {columns} pixels of {scale} "
        "arcsec, and agreement was computed over the pixels that the network sees; marked areas count by the fraction "
        "of each pixel that they cover, less what is subtracted from them; points and lines were given "
        "a Gaussian profile of {fwhm} arcsec FWHM as densities, and the same full width as regions."
    ),
    "methods.consensus": "The target of each source was a consensus of its annotators, {rule}{references}.",
    "methods.metrics": (
        "{n:~The metric was|Metrics were} {metrics}; {n:~it|each} is the {mean} over sources{annotators}{intervals}."
    ),
    "methods.and_annotators": " and annotators",
    "methods.no_intervals": "; the {n:~source is|sources are} too few for intervals",
    "methods.intervals": ", with {level:%} intervals by {method}{resamples}",
    "methods.resamples": " ({n} resamples)",
    "methods.blocks": (
        "Sources were dealt at random into {n_blocks} blocks, within which annotations were permuted."
    ),
    "methods.tests": (
        "Significance was assessed by permuting annotations across {sources} ({n_draws} permutations, or all "
        "where there are fewer; p = (b + 1)/(B + 1) for sampled ones [@Phipson2010], {side}), {adjusted} for each metric; "
        "conclusions rest on {metric}."
    ),
    "methods.no_test": "Agreement was not tested: {reason}.",
    "methods.side.greater": "one-sided",
    "methods.side.less": "one-sided, for less agreement",
    "methods.side.two-sided": "two-sided",
    "methods.correction.holm": "adjusted by Holm's method{over}",
    "methods.correction.bh": "adjusted by the Benjamini–Hochberg method{over}",
    "methods.correction.max_t": "adjusted by max-T{over}",
    "methods.correction.none": "not adjusted",
    "methods.over_maps": " over {n:~the one map|the {n} maps}",
    "methods.nulls": (
        "Further nulls ({nulls}) used surrogates of each source's map, with {n_draws} draws each; their p-values "
        "are not adjusted."
    ),
    "methods.weights": "Sources were weighted by the consensus level of their annotations{effective}.",
    "methods.weights.effective": " (effective number {n})",
    "methods.baselines": (
        "Baselines were the brightness that the network saw{emission}, also at the resolution of its coarser layers, and "
        "the leave-one-out centre bias (the mean annotation of the other sources); partial rank correlations "
        "control for brightness at pixel scale and at the layer's resolution."
    ),
    "methods.baselines.emission": " and a map that is 1 on emission (pixels above the clip) and 0 elsewhere",
    "methods.within": (
        "Agreement beyond emission was assessed on the pixels of each source's own emission ({n_pixels} pixels or more), "
        "by differences from the blurred mask of emission and by permuting annotations in a frame along and across the "
        "emission, with maps less their fit by masks blurred with Gaussians of {widths} pixels standard deviation and squares of these."
    ),
    "methods.location": (
        "Where evidence comes from was audited on {n} {group}: emission is what lies above the clip of the preprocessing"
        "{islands}, the ring what lies within {ring} pixels of it, and empty sky the rest."
    ),
    "methods.location.islands": " in islands of {n} pixels or more",
    "methods.location.zones": (
        "For class scores from one zone alone, the sums of features over the other zones were replaced by their means over "
        "these sources; nothing was fitted again."
    ),
    "methods.location.intervals": (
        "AUCs of the audit have BCa bootstrap intervals over sources within classes ({n_bootstrap} resamples{closed}), shares exact "
        "binomial ones."
    ),
    "methods.location.closed": "; for many sources by their limit without resamples, ABC [@DiCiccio1992]",
    "methods.ceiling": (
        "The noise ceiling [@Nili2014] was measured by the same metric: each annotator against the consensus of the others, "
        "and the consensus of all against each; scores as a share of it were resampled jointly with it over "
        "sources and annotators ({n_bootstrap} resamples, corrected dual bootstrap [@Schuett2023])."
    ),
    "methods.consistency": (
        "Self-consistency was measured by the same metric, with later looks of annotators as predictions of their own first ones."
    ),
    "methods.labels": (
        "Each label was also compared as a target of its own, over the sources that hold it, with p-values {adjusted}."
    ),
    "methods.over_labels": " over all labels and maps",
    "methods.models": (
        "Models were compared by differences paired by source over {n} sources, tested by flipping signs "
        "({n_draws} flips, two-sided), with p-values {adjusted}{others}."
    ),
    "methods.over_pairs": " over all pairs of models and maps",
    "methods.models.others": (
        "; about other annotators by the crossed interval turned into a test, adjusted by Holm's method"
    ),
    "methods.seed": "The seed was {seed}.",
    "methods.no_seed": "Random numbers came from a generator that the user passed.",
}
