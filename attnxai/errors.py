"""The exceptions and warnings that a user can meet.

Every exception here means: something that was given can be put right by whoever gave it. The command
line prints their text as one sentence and ends with exit code 2; a traceback means a fault of ours.
"""

from __future__ import annotations

import re

_LONG_WORD = re.compile(r"\S{300,}")


class AttnxaiError(Exception):
    """Base class of all errors that a user can correct.

    Values that messages quote come from files, and can be of any length; long ones are cut short.
    """

    def __str__(self) -> str:
        return _LONG_WORD.sub(lambda word: f"{word[0][:250]}...", super().__str__())


class ImageError(AttnxaiError, ValueError):
    """An image is missing, damaged, blank, or does not fit the model."""


class AnnotationError(AttnxaiError, ValueError):
    """An annotation table cannot be used."""


class NoMarksError(AnnotationError):
    """A file of annotations holds none."""


class CheckpointError(AttnxaiError, ValueError):
    """A file is not a checkpoint that can be read, or it does not hold what it should."""


class SpecificationError(AttnxaiError, ValueError):
    """The description of a network contradicts itself or names something unknown."""


class AlignmentError(AttnxaiError, ValueError):
    """Maps, images and annotations cannot be brought together."""


class MapFileError(AttnxaiError, ValueError):
    """A file of maps is missing, damaged, or does not hold maps that can be used."""


class DataSetError(AttnxaiError, OSError):
    """A data set is missing, incomplete or not the published one."""


class OptionError(AttnxaiError, ValueError):
    """An option has a value that cannot be used."""


class InUseError(OptionError):
    """Another run is writing to the same output."""


class OutputError(AttnxaiError, OSError):
    """A result cannot be written, as when a disk is full."""


class TrainingError(AttnxaiError, ArithmeticError):
    """Training a network came to numbers that are not finite."""


class JobError(AttnxaiError, RuntimeError):
    """A job, such as the training of one model of a study, ended without having done its work."""


class AttnxaiWarning(UserWarning):
    """Base of all warnings of this package."""


class FewSourcesWarning(AttnxaiWarning):
    """There are too few sources for what was asked; the text says what cannot be concluded."""


class LeftOutWarning(AttnxaiWarning):
    """Something that was given is not used; the text names it and says why. ``--quiet`` does not hide it."""


class UndefinedValuesWarning(AttnxaiWarning):
    """Some values of a metric are undefined and were left out; the text names and counts them."""


class AssumptionWarning(AttnxaiWarning):
    """Something that was not stated had to be assumed; the text says what and how to state it."""


class DeviceWarning(AttnxaiWarning):
    """A device could not be used, so that another one was; the text says which. ``--quiet`` does not hide it."""


class ApproximationWarning(AttnxaiWarning):
    """A numerical approximation missed its tolerance; the text says by how much and what to do."""
