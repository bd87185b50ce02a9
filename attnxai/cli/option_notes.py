"""What the pages of commands say of options beside their help: units, links, and what is refused with what remedy.

Keys are an option, or a command and an option where only that command's is meant.
"""

from __future__ import annotations

from collections.abc import Mapping

UNITS = {"ARCSEC": "arcsec", "PIXELS": "pixels", "NATS": "nats"}
"""Units by the placeholder of a value."""

Link = tuple[str, str]

LINKS: Mapping[str, tuple[Link, ...]] = {
    "--model": (
        ("shipped model", "../models.md#shipped-models"),
        ("one that a plug-in registers", "../../how_to/own_network.md"),
    ),
    "plan --model": (),
    "--images": (
        ("images", "../images.md"),
        ("batches", "../images.md#fr-deep-and-batches-like-it"),
    ),
    "models convert --images": (("positions of its sources", "../models.md#held-out-sources"),),
    "annotate IMAGES": (("batches", "../images.md#fr-deep-and-batches-like-it"),),
    "annotations rule IMAGES": (("images", "../images.md"),),
    "--labels": (("CSV table", "../images.md#a-folder-with-labels"),),
    "compare --annotations": (
        ("any format", "../annotations.md"),
        ("simulated sample", "../sample.md"),
        ("marked by a rule", "../../explanation/fanaroff_riley_rule.md"),
    ),
    "study --annotations": (("held out", "../../explanation/study.md#held-out-annotations"),),
    "FILES": (
        ("any format", "../annotations.md"),
        ("simulated sample", "../sample.md"),
        ("marked by a rule", "../../explanation/fanaroff_riley_rule.md"),
    ),
    "--maps": (("any program", "../export.md#maps-of-other-programs"),),
    "audit --maps": (
        ("maps of this model", "../export.md#maps"),
        ("explain anew", "../../explanation/audit.md#maps-from-a-file"),
    ),
    "maps --output": (("File of maps", "../export.md#maps"),),
    "maps --contours": (("contours", "#contours"),),
    "--explain": (("Explanation method", "../explanations.md"),),
    "--audit": (("audits", "../../explanation/audit.md"),),
    "--only": (("Audit", "../../explanation/audit.md"),),
    "audit --min-island-pixels": (("islands", "../../explanation/audit.md#zones"),),
    "compare --metric": (("Metric", "../../explanation/agreement.md#metrics"),),
    "compare --null": (
        ("Null", "../../explanation/nulls.md"),
        ("permutation across sources", "../../explanation/agreement.md#permutation-across-sources"),
    ),
    "--within": (("own emission", "../../explanation/agreement.md#beyond-emission"),),
    "--strata": (
        ("sources are permuted", "../../explanation/agreement.md#permutation-across-sources"),
        ("`class`", "../../explanation/agreement.md#sources-without-a-class"),
    ),
    "--correction": (("Adjustment", "../../explanation/model_comparison.md#corrections"),),
    "--consensus": (("one target", "../../explanation/annotators.md#consensus"),),
    "--merge-spellings": (
        ("for one", "../../explanation/annotators.md#spellings-of-a-name"),
    ),
    "--label-of": (("Label", "../annotations.md#annotators-labels-and-sources"),),
    "--format": (("Format", "../annotations.md"),),
    "--to": (("Format", "../annotations.md"),),
    "annotations check --table": (("what was found", "../../explanation/annotators.md#columns-of-the-checks"),),
    "--fill-blank": (("NaN pixels", "../images.md#blank-pixels"),),
    "--prepared": (("clipped and scaled", "../images.md#from-survey-brightness-to-8-bit"),),
    "--hdu": (("HDU", "../images.md#several-images-or-planes"),),
    "--plane": (("Plane", "../images.md#several-images-or-planes"),),
    "--pad": (("blank sky", "../images.md#small-cutouts"),),
    "--match-beam": (("finer beam", "../images.md#beams"),),
    "--preset": (("Size of the network", "../models.md#presets"),),
    "--published-form": (("not exactly symmetric", "../models.md#which-symmetries-are-exact"),),
    "train --min-island-pixels": (
        ("noise", "../../explanation/attention_gates.md#noise-above-the-clip"),
    ),
    "--hold-out": (("held out", "../models.md#held-out-sources"),),
    "--random-labels": (("control for maps", "../../explanation/faithfulness.md#random-labels"),),
    "--temperature-scaling": (("temperature", "../../explanation/calibration.md"),),
    "--equal": (("What is equal", "../../explanation/study.md#what-is-equal"),),
    "--measure-on": (
        ("`validation` or `test`", "../../explanation/study.md#validation-images-or-test-images"),
    ),
    "--reference-loss": (
        ("first epoch", "../../explanation/study.md#epochs-until-the-reference-loss"),
    ),
    "--pilot": (("pilot", "../../how_to/planning.md#from-a-pilot-study"),),
    "--agreement": (("simulate", "../../how_to/planning.md#from-simulated-galaxies"),),
    "validate --null": (("Null", "../../explanation/nulls.md"),),
    "--scheduler": (("Dask scheduler", "../../how_to/many_machines.md"),),
}  # fmt: skip
"""Words of the help that are links, with the pages that they lead to."""

REFUSED: Mapping[str, str] = {
    "--model": "a file that is not a model, or an unknown name",
    "plan --model": "a name that the pilot lacks",
    "compare --model": "a file that is not a model, an unknown name, or a model given twice",
    "--images": "a path without images",
    "--data-dir": "a folder without MiraBest (`attnxai data fetch mirabest` fetches it)",
    "compare --annotations": "files with errors, which are all listed by line and column",
    "FILES": "files with errors, which are all listed by line and column",
    "--maps": "a file given twice",
    "audit --maps": "maps of another model (by SHA-256) or field; images without maps and without a reason for it (leave "
    "them out); with `--only` of audits that explain anew",
    "--split": "without `--maps`; other than once, or once for each file; files that state it (leave it out)",
    "--field": "without `--maps`; files of attnxai, which state it (leave it out)",
    "compare --images": "sources without an image (correct the column `image`, or give their folder)",
    "compare --explain": "without `--model`",
    "--target": "a class that the model lacks; with methods that explain none, such as `gates`; in `compare`, without `--model`",
    "--audit": "without `--model`; an audit of another model (by SHA-256)",
    "--source-weights": "annotations without consensus levels (leave it out)",
    "--strata": "a column that the annotations lack",
    "--label": "a label that no mark has",
    "--label-of": "an unknown label, or a word given twice",
    "--annotator-of": "a word given twice",
    "--format": "a file that is not of this format",
    "annotations check --table": "a name without `.csv`; an existing file without `--overwrite`",
    "--figure": "a name without `.png` or `.pdf`; an existing file without `--overwrite`",
    "--to": "a format that is not written",
    "--hold-out": "a file that names none of the images",
    "--baseline": "a group that is not among `--group`",
    "--title": "more than 100 characters",
    "--hdu": "an HDU without an image",
    "--plane": "a plane that the cube lacks",
    "--pixel-scale-arcsec": "with `mirabest`",
    "--labels": "with MiraBest or batches, which have their own",
    "--confidence": "with other images than MiraBest",
    "--hybrids": "with other images than MiraBest",
    "--published-form": "without `--preset paper`",
    "--size": "less than 8 times the binning, or more than the images have (give larger cutouts)",
    "models symmetry --size": "more than the images have",
    "--patience": "above 0 with `--random-labels`",
    "--scheduler": "with `--workers`; maps in other files than Zarr; a cluster with other versions",
    "compare --scheduler": "with `--workers`; a cluster with other versions",
    "--device": "a device that is not there (`cpu` always is)",
    "--output": "an existing file without `--overwrite`",
    "compare --output": "a folder with other files",
    "repeat --output": "a folder that exists",
    "repeat REPORT": "a page without the record of a comparison, or a damaged one; inputs that changed or are missing",
    "--moved": "a path that the command does not name",
    "audit --output": "a folder with other files, or an audit without `--overwrite`",
    "plan --output": "a folder with other files, or a plan without `--overwrite`",
    "study --output": "a folder with other files, or with models of other images or settings (name another)",
    "validate --output": "a folder with other files, or one begun with another seed or version (name another)",
    "data fetch --output": "a folder that cannot be written to",
    "study --group": "a list without the baseline (add it)",
    "--measure-on": "`test` for images without a test split",
    "study --annotations": "sources that the models were trained on (hold them out)",
    "--pilot": "a folder without a report, or a map that agrees no better than with permuted marks",
    "--metric": "an unknown name",
    "--agreement": "together with `--pilot`; 0 or less, or above 1",
    "--effect": "0 or less",
    "--sd-source": "with `--pilot` or `--agreement`",
    "--sd-annotator": "with `--pilot` or `--agreement`",
    "--sd-residual": "with `--pilot` or `--agreement`",
    "--repeats": "more than there are images",
    "--class": "a name above 100 characters",
    "--test": "images without a test split, or on which the model was trained",
    "--plugin": "a file that is missing, has the name of another module or cannot be imported",
    "--quiet": "together with `--verbose`",
}  # fmt: skip
"""What is refused, beyond values outside the limits and unknown names; the remedy stands in parentheses."""
