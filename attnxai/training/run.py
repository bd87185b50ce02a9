"""The images, positions and changing state of one training run, and its single steps."""

from __future__ import annotations

import copy
import dataclasses
import math
import warnings
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from attnxai.data.emission import emission_mask
from attnxai.data.images import SourceSet
from attnxai.data.positions import positions_of
from attnxai.data.wording import counted
from attnxai.errors import DataSetError, FewSourcesWarning, TrainingError
from attnxai.models.elements import clipped_again
from attnxai.models.network import AttentionNetwork
from attnxai.models.prepared import prepared
from attnxai.models.preprocessing import Preprocessing
from attnxai.models.specification import ModelSpec
from attnxai.training.augmentation import augmented
from attnxai.training.progress import TrainingState
from attnxai.training.settings import Precision, TrainingSettings

# Gradients longer than this are shortened: batches of few bright pixels give rare, huge ones.
_LONGEST_GRADIENT = 5.0
FEW_VALIDATION = 20
"""With fewer validation images than this, training warns that the epoch is chosen by chance."""
# Streams of random numbers of one run: one for the order of the images, one for every step.
_PRIME = 100_003


def split_sources(
    labels: Sequence[int], *, share: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Sorted positions to train and to validate on, the same share of every class for validation."""
    values = np.asarray(labels)
    validation: list[int] = []
    for label in np.unique(values):
        members = rng.permutation(np.flatnonzero(values == label))
        validation.extend(members[: round(share * len(members))].tolist())
    chosen = np.zeros(len(values), bool)
    chosen[validation] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def training_and_validation(
    images: SourceSet, labels: Sequence[int], settings: TrainingSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Sorted positions of the images to train and to validate on.

    Images that their data set marks for validation are validated on; where it marks none, a share of every
    class is drawn.
    """
    marked = np.array([image.split == "validation" for image in images])
    if marked.any():
        return np.flatnonzero(~marked), np.flatnonzero(marked)
    rng = np.random.default_rng([settings.seed, 1])
    return split_sources(labels, share=settings.validation_share, rng=rng)


class TrainingRun:
    """The images, positions and changing state of one training run."""

    def __init__(
        self,
        spec: ModelSpec,
        images: SourceSet,
        class_names: Sequence[str],
        settings: TrainingSettings,
        field: Preprocessing,
        device: torch.device,
    ) -> None:
        self.settings, self.spec, self.device = settings, spec, device
        labels = []
        for image in images:
            if image.class_name not in class_names:
                raise DataSetError(
                    f"image {image.source} has class {image.class_name!r}; classes to train on are "
                    f"{', '.join(class_names)}"
                )
            labels.append(class_names.index(image.class_name))
        self.train, self.validation = training_and_validation(images, labels, settings)
        if len(self.train) < 2 or len(self.validation) < 1:
            raise DataSetError(f"{len(images)} images are too few to train and validate on")
        if len(self.validation) < FEW_VALIDATION:
            warnings.warn(
                f"{counted(len(self.validation), 'validation image')} of {len(images)} choose the epoch "
                f"that is kept, and measure its accuracy; with fewer than {FEW_VALIDATION} both are "
                "largely chance",
                FewSourcesWarning,
                stacklevel=3,
            )
        if settings.random_labels:
            shuffled = np.array(labels)
            rng = np.random.default_rng([settings.seed, 2])
            shuffled[self.train] = rng.permutation(shuffled[self.train])
            labels = shuffled.tolist()
        views = [field.view(image) for image in images]
        self.fingerprints = [view.fingerprint() for view in views]
        self.positions = positions_of(images)
        stack = np.stack([view.brightness for view in views])
        seen = stack[self.train]
        self.preprocessing = dataclasses.replace(
            field,
            mean=0.0 if spec.zero_sky else float(seen.mean(dtype=float)),
            deviation=float(seen.std(dtype=float)),
        )
        self.images = torch.from_numpy(stack)[:, None].to(device)
        self.emission: torch.Tensor | None = None
        if spec.min_island_pixels > 1:
            # interpolation makes islands of single pixels larger, so these are removed before
            islands = emission_mask(stack, min_island_pixels=spec.min_island_pixels)
            self.emission = self.images * torch.from_numpy(islands)[:, None].to(device)
        self.labels = torch.tensor(labels, device=device)
        network = AttentionNetwork(spec, generator=torch.Generator().manual_seed(settings.seed)).to(
            device
        )
        self.state = TrainingState(
            network=network,
            averaged=copy.deepcopy(network).eval(),
            optimiser=torch.optim.AdamW(
                network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
            ),
        )

    def batches(self, epoch: int) -> list[torch.Tensor]:
        """Positions of the images of every step of an epoch."""
        generator = torch.Generator().manual_seed(self.settings.seed * _PRIME + epoch)
        order = torch.from_numpy(self.train)[torch.randperm(len(self.train), generator=generator)]
        batches = list(torch.split(order, self.settings.batch_size))
        if len(batches) > 1 and len(batches[-1]) == 1:
            # batch norm has no variance over a single image
            last = batches.pop()
            batches[-1] = torch.cat([batches[-1], last])
        return batches

    def step(self, epoch: int, index: int, batch: torch.Tensor, n_batches: int) -> None:
        """One step of the optimiser."""
        settings, state = self.settings, self.state
        seed = (settings.seed * _PRIME + epoch) * _PRIME + index + 1
        generator = torch.Generator().manual_seed(seed)
        n_done = epoch * n_batches + index
        for group in state.optimiser.param_groups:
            group["lr"] = settings.rate(n_done, settings.epochs * n_batches)
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)  # dropout draws from torch's own state
            images, emission = self._augmented(batch, generator)
            with prepared(state.network):
                scores = self.scores(state.network, images, emission)
                loss = nn.functional.cross_entropy(scores, self.labels[batch])
                state.optimiser.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(state.network.parameters(), _LONGEST_GRADIENT)
        state.optimiser.step()
        self._average(n_done)
        state.loss_sum += float(loss.detach()) * len(batch)
        state.n_images += len(batch)
        state.step = index + 1
        if not math.isfinite(state.loss_sum):
            raise TrainingError(
                f"the training loss was no longer finite in epoch {epoch + 1}, step {index + 1}; "
                f"train with a learning rate below {settings.learning_rate:g}"
            )

    def _augmented(
        self, batch: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Images of a batch, changed at random and clipped again, and the same on the emission that gates attend to."""
        images = self.images[batch]
        if self.emission is None:
            changed = augmented(images, self.settings, generator=generator)
            return clipped_again(changed, images), None
        both = torch.cat([images, self.emission[batch]], dim=1)
        changed = clipped_again(augmented(both, self.settings, generator=generator), images)
        return changed[:, :1], changed[:, 1:]

    def _average(self, n_done: int) -> None:
        # the first weights are few and far from the later ones, so they count for less
        past = min(self.settings.weight_average, (1 + n_done) / (10 + n_done))
        pairs = zip(
            self.state.averaged.state_dict().values(),
            self.state.network.state_dict().values(),
            strict=True,
        )
        with torch.no_grad():
            for average, value in pairs:
                if self.settings.weight_average and average.is_floating_point():
                    average.lerp_(value, 1 - past)
                else:
                    average.copy_(value)

    def scores(
        self, network: nn.Module, images: torch.Tensor, emission_of: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Class scores in 32 bits, computed in the precision of the settings."""
        mean, deviation = self.preprocessing.mean, self.preprocessing.deviation
        seen = [(one - mean) / deviation for one in (images, emission_of) if one is not None]
        mixed = self.settings.precision is Precision.MIXED
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=mixed):
            scores: torch.Tensor = network(*seen)
        return scores.float()

    def validate(self) -> tuple[float, float]:
        """Loss and accuracy on the validation images, of the weights that would be kept."""
        return self.evaluate(self.validation)

    def evaluate(self, chosen: np.ndarray) -> tuple[float, float]:
        """Loss and accuracy on the images at some positions, of the weights that would be kept."""
        positions = torch.from_numpy(chosen)
        labels = self.labels[positions]
        with torch.no_grad(), prepared(self.state.averaged):
            scores = torch.cat(
                [
                    self.scores(self.state.averaged, self.images[batch])
                    for batch in torch.split(positions, 64)
                ]
            )
        loss = float(nn.functional.cross_entropy(scores, labels))
        return loss, float((scores.argmax(dim=1) == labels).float().mean())
