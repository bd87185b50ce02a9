"""``attnxai maps``."""

from __future__ import annotations

import contextlib
import dataclasses
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from attnxai.cli import options
from attnxai.cli.annotation_options import SourcesOption, annotation_options, keywords_of
from attnxai.cli.console import (
    console,
    details,
    progress,
    stage,
    stderr,
    verbosity,
)
from attnxai.cli.endings import command, resumable
from attnxai.cli.help import OUTPUT
from attnxai.cli.options import flag, output_option
from attnxai.data.wording import counted, listed
from attnxai.errors import AssumptionWarning, LeftOutWarning, OptionError

if TYPE_CHECKING:
    from attnxai.data.image_list import ImageList
    from attnxai.data.images import SourceSet
    from attnxai.explanations.map_run import MapRun


@command(
    """Write the maps of a model for images to a file.

    FITS files have coordinates on the sky, for DS9 and CARTA; NPZ files and Zarr groups are for Python. All can be
    compared with annotations by attnxai compare --maps. Zarr takes any number of images: they are read in parts, the
    same command resumes after an interruption, and images that cannot be used are listed.""",
    shared=(options.reading_options, annotation_options),
)
def maps(
    model: options.ModelOption,
    output: Annotated[
        Path,
        output_option(
            "File of maps ({map_ending_names}); without an ending a folder with a FITS file for each source.",
            "PATH",
        ),
    ],
    images: Annotated[
        str | None, options.any_images_option("mirabest, or those that the annotations name")
    ] = None,
    annotations: SourcesOption = None,
    data_dir: options.DataDirOption = None,
    contours: Annotated[
        bool,
        flag(
            "--contours",
            "Write contours of high values as DS9 region files, into a folder beside the maps.",
            OUTPUT,
        ),
    ] = False,
    overwrite: options.OverwriteOption = False,
    explain: options.ExplainOption = None,
    target: options.TargetOption = None,
    seed: options.SeedOption = 0,
    threads: options.ThreadsOption = None,
    device: options.DeviceOption = "auto",
    workers: options.WorkersOption = 1,
    scheduler: options.SchedulerOption = None,
    **given: Any,
) -> None:
    """``attnxai maps``."""
    with stage("Starting"):
        from attnxai.annotations.inputs import list_all_images, read_inputs
        from attnxai.data.image_list import ImageList
        from attnxai.data.wording import first_of
        from attnxai.explanations.explaining import chosen_methods
        from attnxai.explanations.files.contours import write_regions
        from attnxai.explanations.files.formats import read_map_chunks
        from attnxai.explanations.files.header import array_names
        from attnxai.jobs.output_folder import output_folder
        from attnxai.models.zoo import resolve_model

    reading = keywords_of(given, annotated=bool(annotations))
    names = [name.lower() for name in options.listed(explain or ("gates",))]
    methods = chosen_methods(names)
    device = options.use_machine(device, threads, scheduler)
    request = _Request(
        model=model,
        methods=names,
        target=options.explained_target(target, methods),
        seed=seed,
        device=device,
        workers=workers,
        scheduler=scheduler,
        overwrite=overwrite,
    )
    into_store = output.suffix.lower() == ".zarr"
    options.check_workers(workers, scheduler)
    if (workers > 1 or scheduler) and not into_store:
        name = "--scheduler" if scheduler else "--workers"
        raise OptionError(f"{name} is for maps in Zarr; name an --output that ends in .zarr")
    beside = output.with_name(f"{output.stem}-regions")
    empty: list[str] = []
    with contextlib.ExitStack() as claimed:
        regions = None
        if contours:
            regions = claimed.enter_context(
                output_folder(beside, what="region folder", overwrite=overwrite)
            )
        write = None if into_store else claimed.enter_context(request.claim(output))
        options.say_what_ships([model] if resolve_model(model).shipped else [], annotations or ())
        with stage("Reading model and images"):
            if not annotations:
                found = list_all_images(images or "mirabest", data_dir=data_dir, **reading)
            else:
                found = ImageList.of(
                    read_inputs(annotations, images, data_dir=data_dir, **reading).images
                )
        if write is None:
            request.fill(output, found)
        else:
            write(found.read())
        if regions is not None:
            with stage("Writing contours"), regions.writing() as folder:
                maps = read_map_chunks(output)
                file_names = array_names(maps.sources)  # one each, also across chunks
                for stack in maps.chunks():
                    of_chunk = found.read(stack.sources)
                    empty += write_regions(folder, stack, of_chunk, names=file_names)
    if empty:
        stderr.print(
            f"Note: {counted(len(empty), 'source')} without contours, since the maps are constant: {first_of(empty, 5)}"
        )
    console.print(f"Maps: {output}", soft_wrap=True)
    if regions is not None:
        console.print(f"Regions: {regions.path}", soft_wrap=True)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What is computed, whatever the images and the output."""

    model: str
    methods: list[str]
    target: Any
    seed: int
    device: str
    workers: int
    scheduler: str | None
    overwrite: bool

    @contextlib.contextmanager
    def claim(self, output: Path) -> Iterator[Callable[[SourceSet], None]]:
        """Claim a file for the maps of images that are in memory together; what is yielded computes and writes them."""
        from attnxai.explanations.explaining import chosen_methods, explain
        from attnxai.explanations.files.formats import map_output
        from attnxai.models.checkpoints import load_model

        with map_output(output, overwrite=self.overwrite) as write:

            def compute(images: SourceSet) -> None:
                loaded = load_model(self.model)
                loaded.network.to(self.device)
                titles = listed([one.title for one in chosen_methods(self.methods)])
                with progress() as begin:
                    stack = explain(
                        loaded,
                        images,
                        self.methods,
                        target=self.target,
                        rng=self.seed,
                        on_batch=begin(f"{loaded.name}: {titles}"),
                    )
                with stage("Writing"):
                    write(stack, images)
                details.print(
                    f"{counted(len(stack), 'source')}; {', '.join(stack.layers)}", soft_wrap=True
                )

            yield compute

    def fill(self, output: Path, images: ImageList) -> None:
        """Fill a store chunk by chunk, and say which images have no maps."""
        from attnxai.explanations.map_run import write_map_store

        kept = ""

        def tell(n_done: int, n_all: int, _: int) -> None:
            nonlocal kept
            kept = "finished chunks of images are kept"
            show(n_done, n_all)

        with resumable(lambda: kept), progress() as begin:
            show = begin.resumed("Maps", "image")
            run = write_map_store(
                output,
                self.model,
                images,
                self.methods,
                target=self.target,
                seed=self.seed,
                device=self.device,
                n_workers=self.workers,
                scheduler=self.scheduler,
                overwrite=self.overwrite,
                option="--output",
                on_progress=tell,
            )
        for note in run.notes:
            warnings.warn(note, AssumptionWarning, stacklevel=2)
        n_good = run.n_images - run.n_unusable
        details.print(f"{counted(n_good, 'source')}; {', '.join(run.layers)}", soft_wrap=True)
        if run.n_unusable:
            _print_unusable(run, output)


def _print_unusable(run: MapRun, output: Path) -> None:
    """A table of images without maps, also with ``--quiet``, since they are left out."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("Image without maps")
    table.add_column("Reason", overflow="fold")
    for source, reason in run.unusable.items():
        table.add_row(source, verbosity.with_options(reason))
    warnings.warn(
        f"{run.n_unusable} of {counted(run.n_images, 'image')} cannot be used and {'has' if run.n_unusable == 1 else 'have'} "
        f"no maps; reason in {output} says why",
        LeftOutWarning,
        stacklevel=2,
    )
    quiet, stderr.quiet = stderr.quiet, False
    stderr.print(table)
    if run.n_unusable > len(run.unusable):
        stderr.print(f"and {run.n_unusable - len(run.unusable)} more")
    stderr.quiet = quiet
