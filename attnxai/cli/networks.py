"""The networks whose maps are compared, and their audits; torch is imported where there are any."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attnxai.cli import options
from attnxai.cli.console import progress_by_title
from attnxai.data.wording import listed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from attnxai.audit.pooled_sums import PooledSums
    from attnxai.audit.zone_sums import ZoneSums
    from attnxai.cli.console import Steps
    from attnxai.data.images import SourceSet
    from attnxai.explanations.method import ExplanationMethod
    from attnxai.explanations.stack import MapStack
    from attnxai.models.model import AttentionModel
    from attnxai.models.zoo import ResolvedModel


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Networks:
    """Networks by the names under which they are compared, and how their maps are made.

    ``audits`` are records of audits that were made before, by network and audit; with ``run_all`` the others are made.
    """

    loaded: Mapping[str, AttentionModel] = dataclasses.field(default_factory=dict)
    methods: Sequence[ExplanationMethod] = ()
    target: str | Sequence[str] | None = None
    seed: int = 0
    audits: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    run_all: bool = False

    @classmethod
    def read(
        cls,
        models: Mapping[str, ResolvedModel],
        *,
        explain: Sequence[str] | None,
        target: Sequence[str] | None,
        audit: Sequence[str] | None,
        seed: int,
        threads: int | None,
        device: str,
    ) -> Networks:
        """Read the networks of models that were found, and interpret the options that concern them."""
        if not models:
            return cls()
        from attnxai.audit.audits import audits_for_report
        from attnxai.explanations.explaining import chosen_methods
        from attnxai.models.checkpoints import load_model

        methods = chosen_methods([name.lower() for name in options.listed(explain or ("gates",))])
        explained = options.explained_target(target, methods)
        device = options.use_machine(device, threads)
        loaded = {name: load_model(found.path) for name, found in models.items()}
        for network in loaded.values():
            network.network.to(device)
        run_all, audits = audits_for_report(audit or (), loaded)
        return cls(
            loaded=loaded,
            methods=methods,
            target=explained,
            seed=seed,
            audits=audits,
            run_all=run_all,
        )

    def hashes(self) -> dict[str, str]:
        """Hashes of the networks' files, or of the weights where there is no file, by name."""
        if not self.loaded:
            return {}
        from attnxai.models.wrapped_network import weights_sha256

        return {
            name: model.sha256 or weights_sha256(model.network)
            for name, model in self.loaded.items()
        }

    def maps(
        self, sources: SourceSet, begin: Steps
    ) -> tuple[list[MapStack], dict[str, ZoneSums | PooledSums | str]]:
        """Maps of every network, and what the first audit needs of the same forward pass."""
        stacks: list[MapStack] = []
        sums: dict[str, ZoneSums | PooledSums | str] = {}
        if not self.loaded:
            return stacks, sums
        from attnxai.audit.evidence_location import maps_and_sums

        titles = listed([method.title for method in self.methods])
        for name, network in self.loaded.items():
            maps, sums[name] = maps_and_sums(
                network,
                sources,
                self.methods,
                target=self.target,
                rng=self.seed,
                on_batch=begin(f"{name}: {titles}"),
            )
            stacks.append(dataclasses.replace(maps, model_name=name))
        return stacks, sums

    def seen(self, sources: SourceSet) -> list[NDArray[np.float32]]:
        """What networks see of images, (n_sources, rows, columns), once for all that see the same."""
        import numpy as np

        fields = {
            dataclasses.replace(network.preprocessing, mean=0.0, deviation=1.0)
            for network in self.loaded.values()
        }
        return [np.stack([one.view(image).brightness for image in sources]) for one in fields]

    def further_audits(self, sources: SourceSet, begin: Steps) -> dict[str, Mapping[str, Any]]:
        """Records of all audits of every network but the first, which the report makes itself."""
        if not self.run_all:
            return dict(self.audits)
        from attnxai.audit.audits import further_audits

        return {
            name: {
                **self.audits[name],
                **further_audits(
                    network, sources, rng=self.seed, on_step=progress_by_title(begin, name)
                ),
            }
            for name, network in self.loaded.items()
        }
