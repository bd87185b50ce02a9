"""``attnxai annotate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from attnxai.cli import options
from attnxai.cli.console import console, details, stage, stderr
from attnxai.cli.endings import command
from attnxai.cli.help import ANNOTATIONS, OUTPUT
from attnxai.cli.options import flag, option, output_option


@command(
    """Write a page on which colleagues mark images, as one HTML file that works offline.

    Send them the file; each sends back the table that the page downloads, and attnxai compare takes all of them."""
)
def annotate(
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGES",
            help="Image files ({image_names}), a folder of them, 'mirabest', or a folder or .tar.gz archive of batches.",
        ),
    ],
    output: Annotated[
        Path | None, output_option("File of the page. [default: annotate.html]", "FILE")
    ] = None,
    overwrite: Annotated[
        bool, flag("--overwrite", "Replace the file if it exists.", OUTPUT)
    ] = False,
    title: Annotated[
        str, option("Title of the page.", ANNOTATIONS)
    ] = "Annotation of radio galaxies",
    class_name: Annotated[
        list[str] | None,
        option(
            "Class to choose from, besides unsure; repeat for several. [default: FR I, FR II, hybrid]",
            ANNOTATIONS,
            "NAME",
            "--class",
        ),
    ] = None,
    blind: Annotated[
        bool,
        flag("--blind", "Show random names instead of ids, and no sky positions.", ANNOTATIONS),
    ] = False,
    shuffle: Annotated[
        bool, flag("--shuffle", "Show the images in random order.", ANNOTATIONS)
    ] = False,
    repeats: Annotated[
        str,
        option(
            "How many images to show twice, or a share such as 10%, for the self-consistency of annotators; names are "
            "random, as with --blind.",
            ANNOTATIONS,
            "N",
        ),
    ] = "0",
    seed: Annotated[
        int,
        option("Random seed of the order, the repeats and the random names.", ANNOTATIONS, min=0),
    ] = 0,
    data_dir: options.DataDirOption = None,
    hdu: options.HduOption = None,
    plane: options.PlaneOption = None,
) -> None:
    """``attnxai annotate``."""
    with stage("Starting"):
        from attnxai.annotations.inputs import read_all_images
        from attnxai.annotations.page.document import CLASSES, write_annotation_page
        from attnxai.data.image_files import read_images
        from attnxai.data.wording import counted
        from attnxai.jobs.files import output_file

    output = output or Path("annotate.html")
    with output_file(output, extensions=(".html", ".htm"), overwrite=overwrite):
        with stage("Reading images"):
            # blank pixels are shown as such
            if len(images) == 1:
                sources = read_all_images(
                    images[0], data_dir=data_dir, fill_blank=True, hdu=hdu, plane=plane
                )
            else:
                sources = read_images(images, fill_blank=True, hdu=hdu, plane=plane)
        with stage("Writing"):
            written = write_annotation_page(
                sources,
                output,
                title=title,
                classes=options.listed(class_name) if class_name else CLASSES,
                blind=blind,
                shuffle=shuffle,
                repeats=repeats,
                rng=seed,
            )
    for note in written.notes:
        stderr.print(f"Note: {note}")
    n_repeats = written.n_looks - written.n_images
    twice = f", {n_repeats} of them twice" if n_repeats else ""
    details.print(
        f"{counted(written.n_images, 'image')}{twice}; {written.n_bytes / 1e6:.1f} MB",
        soft_wrap=True,
    )
    console.print(f"Page: {output}", soft_wrap=True)
