"""A user's own residual network: a full report by one command, and by five lines of Python."""

from __future__ import annotations

import json
import sys

import pytest
import torch

import attnxai as package
from attnxai.jobs import plugins
from attnxai.models.wrapped_network import weights_sha256
from tests.cli.program import attnxai, refused
from tests.cli.samples import QUICK
from tests.models.ordinary_networks import PREPROCESSING, ResNet, trained
from tests.registries import names_free

PLUGIN = """
import torch
from torch import nn

import attnxai


class Block(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride, padding=1)
        self.second = nn.Conv2d(after, after, 3, padding=1)
        self.shortcut = nn.Conv2d(before, after, 1, stride)

    def forward(self, x):
        return torch.relu(self.second(torch.relu(self.first(x))) + self.shortcut(x))


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(Block(1, 4, 2), Block(4, 8, 2))
        self.score = nn.Linear(8, 1)

    def forward(self, x):
        return self.score(self.blocks(x).mean(dim=(2, 3)))


@attnxai.models.register_model("mine")
def mine():
    network = Residual()
    network.load_state_dict(torch.load("weights.pt", weights_only=True))
    preprocessing = attnxai.models.Preprocessing(size=48, pixel_scale_arcsec=5.4, deviation=0.1)
    return attnxai.wrap(network, preprocessing=preprocessing, class_names=("FR I", "FR II"))
"""


@pytest.fixture
def folder(sample, monkeypatch):
    """The sample, a plug-in and its weights; the plug-in is forgotten afterwards."""
    (sample / "my_residual_net.py").write_text(PLUGIN, encoding="utf-8")
    monkeypatch.setattr(plugins, "LOADED", [])
    with names_free("mine"):
        plugins.load_plugins([str(sample / "my_residual_net.py")])
        module = sys.modules["my_residual_net"]
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = module.Residual()
        torch.save(network.state_dict(), sample / "weights.pt")
        yield sample
    sys.modules.pop("my_residual_net", None)


def test_one_command_gives_a_full_report(folder, without_figures):
    done = attnxai(
        "compare", "--plugin", "my_residual_net.py", "--model", "mine", "--annotations", "mine.csv",
        "--explain", "gradcam,cam", *QUICK, "--metric", "nss", cwd=folder, check=0,
    )  # fmt: skip
    assert "not a local file" not in done.stderr
    report = folder / "attnxai-report"
    summary = json.loads((report / "summary.json").read_text(encoding="utf-8"))
    (plugin,), (model,) = summary["settings"]["plugins"], summary["models"]
    assert (plugin["kind"], plugin["file"]) == ("plug-in", "my_residual_net.py")
    assert (model["name"], model["architecture"], model["file"]) == ("mine", "Residual", "")
    assert model["code"]["file"] == "my_residual_net.py"
    assert len(model["code"]["sha256"]) == len(model["sha256"]) == 64
    assert model["specification"]["one_score"]
    assert model["sources"]["by_group"] == {"unknown": 10}
    assert {result["explanation"] for result in model["results"]} >= {"gradcam", "cam"}
    page = (report / "index.html").read_text(encoding="utf-8")
    assert "no file; sha256 of its weights" in page
    assert "model mine: module my_residual_net" in page
    assert "for 10 sources (whether the model was trained on them is not known)" in page
    assert "Grad-CAM maps are those of the feature map blocks." in page
    assert "group C1" not in page
    assert "Bowles" not in page


def test_five_lines_of_python_give_a_full_report(sample, without_figures):
    network = trained(ResNet, channels=3)
    annotations = package.read_annotations(sample / "mine.csv")
    images = package.read_images(sample / "images")
    # three of the five lines; annotations and images are the other two
    model = package.wrap(
        network,
        preprocessing=PREPROCESSING,
        class_names=("FR I", "FR II"),
        channels=3,
        layer="layer3",
    )
    maps = package.explain(model, images, "gradcam")
    settings = package.ComparisonSettings(metrics=("nss",), n_permutations=199, n_bootstrap=200)
    package.compare(maps, annotations, images, settings=settings).write_report(sample / "report")
    (facts,) = json.loads((sample / "report" / "summary.json").read_text(encoding="utf-8"))[
        "models"
    ]
    assert facts["sha256"] == weights_sha256(model.network)
    assert facts["code"]["module"] == "tests.models.ordinary_networks"
    assert "ResNet: ResNet" in (sample / "report" / "index.html").read_text(encoding="utf-8")


def test_what_a_network_of_the_user_cannot_do_is_refused(folder):
    given = ("--plugin", "my_residual_net.py", "--model", "mine")
    done = attnxai("compare", *given, "--annotations", "mine.csv", cwd=folder)
    refused(done, "the model mine (Residual) has no attention gates", "as with --explain gradcam")
    done = attnxai("compare", "--model", "network", "--annotations", "mine.csv", cwd=folder)
    refused(done, "a model of your own is registered by a plug-in, given with --plugin")
    done = attnxai(
        "compare", *given[:2], "--model", "mien", "--annotations", "mine.csv", cwd=folder
    )
    refused(done, "or registered models (mine)", "did you mean mine?")
    done = attnxai("models", "info", *given, cwd=folder, check=0)
    assert "my_residual_net.py" in done.words
    assert "sha256 of weights" in done.words
    done = attnxai("models", "convert", *given, "--output", "mine.pt", cwd=folder)
    refused(done, "cannot be saved as a model file")
    (folder / "weights.pt").unlink()
    done = attnxai("models", "info", *given, cwd=folder)
    assert done.returncode == 2
    assert "the registered model mine cannot be made: FileNotFoundError" in done.words
    assert "my_residual_net.py)" in done.words
