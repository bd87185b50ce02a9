"""``attnxai annotations``."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attnxai.cli import completion, options
from attnxai.cli.annotation_options import (
    FILES_HELP,
    LabelOption,
    MergeSpellingsOption,
    annotation_options,
    keywords_of,
)
from attnxai.cli.console import console, details, progress, stage, stderr
from attnxai.cli.endings import add_command, command
from attnxai.cli.help import IMAGES, OUTPUT, Group
from attnxai.cli.options import flag, option, output_option
from attnxai.errors import AlignmentError

if TYPE_CHECKING:
    from attnxai.annotations.annotation_set import AnnotationSet
    from attnxai.data.images import SourceSet

annotations_app = typer.Typer(
    help="Summarise, check and convert files of annotations.",
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode=None,
)
_MOST_PAIRS = 10

FilesArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="FILES",
        help=FILES_HELP,
    ),
]


@command(
    """Say what files of annotations hold: annotators, sources, labels, shapes, classes, and what is left out.""",
    shared=(annotation_options, options.reading_options),
)
def summary(
    files: FilesArgument,
    images: options.ImagesOption = None,
    data_dir: options.DataDirOption = None,
    output: Annotated[Path | None, output_option("CSV file of the table.", "FILE")] = None,
    overwrite: Annotated[
        bool, flag("--overwrite", "Replace the file if it exists.", OUTPUT)
    ] = False,
    **given: Any,
) -> None:
    """``attnxai annotations summary``."""
    from attnxai.annotations.annotator_names import spellings_of
    from attnxai.annotations.summary import summarise_annotations
    from attnxai.data.csv_table import write_frame
    from attnxai.data.wording import counted, first_of, printable
    from attnxai.jobs.files import output_file
    from attnxai.report.tables.table import Table, count_column, text_column
    from attnxai.report.tables.text import render_terminal

    with contextlib.ExitStack() as claimed:
        if output is not None:
            claimed.enter_context(output_file(output, extensions=(".csv",), overwrite=overwrite))
        found, shown = _read(files, images, data_dir, given)
        frame = summarise_annotations(found)
        n_files = len(found.files) or 1
        console.print(
            f"{counted(n_files, 'file')}: {found.kind}; {counted(len(found.sources), 'source')}, "
            f"{counted(len(found.annotators), 'annotator')}, {counted(len(found), 'mark')}",
            soft_wrap=True,
        )
        columns = [text_column("Annotator", [printable(name) for name in frame["annotator"]])]
        columns += [
            count_column(heading, frame[name].tolist())
            for heading, name in (("Sources", "n_sources"), ("Marks", "n_marks"))
        ]
        if frame["n_marks_again"].any():
            columns.append(count_column("Marked again", frame["n_marks_again"].tolist()))
        columns += [
            text_column(name.capitalize(), frame[name].tolist())
            for name in ("labels", "shapes", "frames", "classes")
            if frame[name].any()
        ]
        console.print(render_terminal(Table(columns=tuple(columns))))
        for kind, n in found.origins_of_labels().items():
            console.print(f"Labels from {printable(kind)}: {counted(n, 'mark')}", soft_wrap=True)
        for reason, n in found.left_out.items():
            console.print(f"Left out: {counted(n, 'row')}, {reason}", soft_wrap=True)
        spelled = [spelling.sentence() for spelling in spellings_of(found.annotators)]
        for notice in (*found.notices, *spelled, *_without_coordinates(found, shown)):
            console.print(f"Note: {notice}", soft_wrap=True)
        known = {image.source for image in shown}
        if known and (without := [source for source in found.sources if source not in known]):
            console.print(
                f"Without an image are {len(without)} of {counted(len(found.sources), 'source')}: "
                f"{first_of([repr(printable(source)) for source in without], 5)}",
                soft_wrap=True,
            )
        elif named := found.image_files():
            missing = [str(path) for path in named.values() if not path.exists()]
            console.print(
                f"Images are named for {len(named)} of {counted(len(found.sources), 'source')}"
                + (f"; {len(missing)} do not exist: {first_of(missing, 3)}" if missing else ""),
                soft_wrap=True,
            )
        if output is not None:
            write_frame(frame, output)
            console.print(f"Table: {output}", soft_wrap=True)


@command(
    """Look for annotators whose marks are turned over, shifted or counted from 1, and for spellings of one name.

    Every annotator is compared with the others and with the brightness of the images. The contact sheet
    shows every source with the marks of everybody.""",
    shared=(annotation_options, options.reading_options),
)
def check(
    files: FilesArgument,
    images: options.ImagesOption = None,
    data_dir: options.DataDirOption = None,
    output: Annotated[
        Path | None,
        output_option(
            "Contact sheet, .png or .pdf; more than 30 sources make several. "
            "[default: contact-sheet.png with --images, else none]",
            "FILE",
        ),
    ] = None,
    table: Annotated[
        Path | None, option("CSV file of what was found about every annotator.", OUTPUT, "FILE")
    ] = None,
    overwrite: Annotated[bool, flag("--overwrite", "Replace files that exist.", OUTPUT)] = False,
    seed: options.SeedOption = 0,
    **given: Any,
) -> None:
    """``attnxai annotations check``."""
    with stage("Starting"):
        from attnxai.annotations.checks import check_annotations
        from attnxai.data.csv_table import write_frame
        from attnxai.data.wording import counted, printable
        from attnxai.jobs.files import check_output_file
        from attnxai.report.contact_sheet import EXTENSIONS, draw_contact_sheet
        from attnxai.report.tables.table import Table, count_column, number_column, text_column
        from attnxai.report.tables.text import render_terminal

    if output is None and images is not None:
        output = Path("contact-sheet.png")
    if output is not None:
        check_output_file(output, extensions=EXTENSIONS, overwrite=overwrite)
    if table is not None:
        check_output_file(table, extensions=(".csv",), overwrite=overwrite, option="--table")
    with stage("Reading annotations and images"):
        found, sources = _read(files, images, data_dir, given, needs_images=True)
    with stage("Checking"):
        checks = check_annotations(found, sources, rng=seed)
    for sentence in checks.sentences():
        console.print(sentence, soft_wrap=True)
    if checks.pairs:
        pairs = checks.pairs[:_MOST_PAIRS]
        columns = (
            text_column("Annotator", [printable(pair.first) for pair in pairs]),
            text_column("and", [printable(pair.second) for pair in pairs]),
            number_column("Similarity", [pair.similarity for pair in pairs], 2),
            count_column("Sources", [pair.n_sources for pair in pairs]),
        )
        rest = len(checks.pairs) - len(pairs)
        note = (
            f"{counted(rest, 'further pair is', 'further pairs are')} more alike." if rest else ""
        )
        details.print(render_terminal(Table(columns=columns, note=note)))
    if table is not None:
        write_frame(checks.to_frame(), table)
        console.print(f"Table: {table}", soft_wrap=True)
    if output is not None:
        with progress() as begin:
            sheets = draw_contact_sheet(
                found, sources, output, overwrite=overwrite, on_step=begin("Contact sheet")
            )
        for sheet in sheets:
            console.print(f"Contact sheet: {sheet}", soft_wrap=True)


@command(
    """Convert annotations to another format: an annotation table, DS9 regions or what other programs read.

    What the format has no place for is counted. Several files become one table, or one file becomes a file for
    each source, as the format has it.""",
    shared=(annotation_options, options.reading_options),
)
def convert(
    files: FilesArgument,
    output: Annotated[
        Path,
        output_option(
            "File to write, such as marks.csv, or a folder for formats of several files.", "PATH"
        ),
    ],
    to: Annotated[
        str | None,
        option(
            "Format to write: {writer_names}. [default: by the ending of the file]",
            OUTPUT,
            "NAME",
            choices=completion.writer_names,
        ),
    ] = None,
    overwrite: Annotated[bool, flag("--overwrite", "Replace files that exist.", OUTPUT)] = False,
    images: options.ImagesOption = None,
    data_dir: options.DataDirOption = None,
    label: LabelOption = None,
    merge_spellings: MergeSpellingsOption = False,
    **given: Any,
) -> None:
    """``attnxai annotations convert``."""
    from attnxai.annotations.annotation_set import parse_labels
    from attnxai.annotations.annotator_names import merge_spellings as one_spelling
    from attnxai.annotations.readers import write_annotations
    from attnxai.annotations.writers import find_writer
    from attnxai.data.wording import counted

    writer = find_writer(output, to)  # before anything is read
    labels = parse_labels(options.listed(label or ()) or None)
    with stage("Reading annotations"):
        found, sources = _read(files, images, data_dir, given, needs_images=writer.needs_images)
        found = found.with_labels(labels)
        if merge_spellings:
            found = one_spelling(found)
    with stage("Writing"):
        written = write_annotations(found, output, writer.name, images=sources, overwrite=overwrite)
    for notice in found.notices:
        stderr.print(f"Note: {notice}")
    held = tuple(filter(writer.can_hold, found.annotations))
    found = dataclasses.replace(found, annotations=held)
    details.print(
        f"{counted(len(found), 'mark')} on {counted(len(found.sources), 'source')} by "
        f"{counted(len(found.annotators), 'annotator')}; {writer.name}",
        soft_wrap=True,
    )
    where = written[0] if len(written) == 1 else f"{output} ({len(written)} files)"
    console.print(f"Annotations: {where}", soft_wrap=True)


@command(
    """Mark images by the criterion of Fanaroff and Riley (1974), as a rule and not a person would.

    The core and the brightest regions on either side of it become points; the class, the ratio and its margin stand in
    columns of their own.""",
    shared=(options.reading_options,),
)
def rule(
    images: Annotated[
        str,
        typer.Argument(metavar="IMAGES", help=options.IMAGES_HELP),
    ],
    output: Annotated[Path, output_option("File to write, such as rule.csv.", "FILE")],
    overwrite: Annotated[
        bool, flag("--overwrite", "Replace the file if it exists.", OUTPUT)
    ] = False,
    beam_arcsec: Annotated[
        float | None,
        option("Beam of images that do not state it.", IMAGES, "ARCSEC", min=1e-6),
    ] = None,
    data_dir: options.DataDirOption = None,
    **given: Any,
) -> None:
    """``attnxai annotations rule``."""
    from attnxai.annotations.inputs import read_all_images
    from attnxai.annotations.readers import write_annotations
    from attnxai.annotations.rules import fr_annotations
    from attnxai.annotations.writers import find_writer
    from attnxai.data.wording import counted

    find_writer(output)
    with stage("Reading images"):
        sources = read_all_images(images, data_dir=data_dir, **given)
    with progress() as begin:
        show, done = begin("Marking"), 0

        def step() -> None:
            nonlocal done
            done += 1
            show(done, len(sources))

        found = fr_annotations(sources, beam_arcsec=beam_arcsec, on_step=step)
    (written,) = write_annotations(found, output, images=sources, overwrite=overwrite)
    for notice in found.notices:
        stderr.print(f"Note: {notice}")
    details.print(f"{counted(len(found), 'mark')} on {counted(len(found.sources), 'source')}")
    console.print(f"Annotations: {written}", soft_wrap=True)


def _without_coordinates(annotations: AnnotationSet, images: SourceSet) -> Iterator[str]:
    """What compare says of marks on the sky whose images have no coordinates, of the first such source."""
    from attnxai.annotations.pixel_shapes import place_on_pixels
    from attnxai.annotations.shapes import Frame
    from attnxai.data.wording import counted

    on_sky = {a.source: a.shape for a in annotations.annotations if a.shape.frame is Frame.ICRS}
    grids = {one.source: one.grid for one in images if one.source in on_sky}
    refused = [source for source in on_sky if source in grids and grids[source].wcs is None]
    if not refused:
        return
    first, n_more = refused[0], len(refused) - 1
    try:
        place_on_pixels([on_sky[first]], grids[first], source=first)
    except AlignmentError as error:
        more = f" (this also concerns {counted(n_more, 'more source')})" if n_more else ""
        yield f"{error}{more}"


def _read(
    files: list[str],
    images: str | None,
    data_dir: Path | None,
    given: dict[str, Any],
    *,
    needs_images: bool = False,
) -> tuple[AnnotationSet, SourceSet]:
    """Annotations, with the images of their sources where they are named or needed."""
    from attnxai.annotations.inputs import read_inputs

    options.say_what_ships((), files)
    inputs = read_inputs(
        files, images, data_dir=data_dir, needs_images=needs_images, **keywords_of(given)
    )
    for note in inputs.notes:
        stderr.print(f"Note: {note}")
    return inputs.annotations, inputs.images


add_command(annotations_app, summary)
add_command(annotations_app, check)
add_command(annotations_app, convert)
add_command(annotations_app, rule)
