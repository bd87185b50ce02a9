"""What audits found."""

AUDIT: dict[str, str] = {
    "audit.line.passed": "Audit passed: {found}",
    "audit.line.failed": "Audit failed: {found}",
    "audit.line.unknown": "Audit not possible: {found}",
    "audit.network": (
        "from empty sky alone {models} {n:~tells|tell} the class, so that a map on the source does not show that the answer "
        "comes from there."
    ),
    "audit.auc": " (AUC {auc})",
    "audit.fails": "{faults}; read {n:~it|them} with care.",
    "audit.levels": "{n_all:~the only map|{n} of {n_all} maps} {n:~gives|give} the class away by {n:~its|their} level on empty sky",
    "audit.signs": (
        "{n_all:~the only map|{n} of {n_all} maps} {n:~is|are} higher on the source than elsewhere for one class and lower for "
        "another"
    ),
    "audit.passes": (
        "from empty sky alone {models} cannot tell the class, and no map is higher on the source than elsewhere for one class "
        "and lower for another."
    ),
    "audit.maps_pass": (
        "no map of {models} gives the class away by its level on empty sky, and none is higher on the source than elsewhere for "
        "one class and lower for another."
    ),
    "audit.unknown": "8 or more {sources} of each {classes} are needed; {there}.",
    "audit.unknown.of": "for {models}, {reason}",
    "audit.unknown.each.two": "of two classes",
    "audit.unknown.each.several": "class",
    "audit.unknown.there": "there {n:~is|are} {counts}",
    "audit.unknown.none": "no class is known",
    "audit.unknown.one": "only {counts}",
    "audit.unknown.sky": "{counts}, too few with empty sky",
    "audit.map": "{map} fails the audit: {faults}.",
    "audit.map.level": "its level on empty sky tells the class (AUC {aucs})",
    "audit.map.sign": "it is higher on the source than elsewhere for {above}, and lower for {below}",
    "audit.count": "{n:~The audit with a verdict fails.|{n_failed} of the {n} audits with a verdict {fail}.}",
    "audit.fail": "{n:~fails|fail}",
    "audit.none_fails": "{n:~The audit with a verdict passes.|None of the {n} audits with a verdict fails.}",
    "audit.no_verdict": "No audit has a verdict here.",
    "audit.badge.passes": "passes",
    "audit.badge.fails": "fails: {faults}",
    "audit.fault.level": "level",
    "audit.fault.sign": "sign",
    "audit.figure.EvidenceLocation": (
        "How well the class is told by the whole network and from each zone of the sky alone (circles), and by the area of "
        "the zone (squares): AUC with its 95 % bootstrap interval over sources; 0.5 is chance."
    ),
    "audit.figure.Faithfulness": (
        "Above: how much better the order of each map is than that of the same map at random shifts, as the difference of "
        "the areas under the probability, with 95 % intervals over sources. Above 0 the answer rests on what the map ranks "
        "highest. Below: the mean probability as pixels are replaced by blank sky or restored in the order of each map, of "
        "brightness (dashed) and at random (dotted). Deletion and ROAD should fall early, insertion rise early."
    ),
    "audit.figure.RandomisationResult": (
        "Rank correlation of each map with that of the trained network as its layers become random, from the last to the "
        "first; bands are 95 % intervals over sources, averaged over draws. A map that stays above the dotted line with all "
        "layers random, on emission too, does not depend on what was learned."
    ),
    "audit.figure.NoiseStability": (
        "Rank correlation of each map with that of the same image with added noise at its own level, over the field and on "
        "emission alone, with 95 % intervals over sources."
    ),
    "audit.figure.RotationAudit": (
        "Correlation of each map, rotated by random angles, with the map of the rotated image: with 95 % intervals over "
        "sources (circles), and for maps of images that were turned there and back, which is what interpolation alone does "
        "(squares)."
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
    "audit.level": "Level on empty sky, {name}",
    "audit.level_auc": "AUC of that level{name}",
    "audit.of": ", {name}",
    "audit.undefined": "{map} is undefined for {n:source}.",
}
