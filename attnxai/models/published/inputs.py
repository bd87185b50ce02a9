"""How the inputs of a published network were scaled: read from its weights, its name or its layers' order."""

from __future__ import annotations

import dataclasses

import torch
from torch.nn import functional

from attnxai.data.images import assume
from attnxai.models.preprocessing import FIRST_PREPROCESSING, SYMMETRIC_RANGE, Preprocessing
from attnxai.models.published.origin import PublishedFile
from attnxai.models.published.state_dicts import StateDict
from attnxai.models.specification import LayerOrder

_FRDEEP = dataclasses.replace(FIRST_PREPROCESSING, mean=0.0019, deviation=0.0270)
_STATED = {"inputs_symmetric": SYMMETRIC_RANGE, "inputs_standardised": FIRST_PREPROCESSING}
_HALVES = SYMMETRIC_RANGE.mean, SYMMETRIC_RANGE.deviation
_HOW_TO_STATE = f"put {' or '.join(_STATED)} into its name"
# how many times nearer to one expectation than to the other a mean has to be
_CLEARLY = 3.0


def order_of_layers(content: StateDict, file: PublishedFile, *, usual: LayerOrder) -> LayerOrder:
    """Whether batch norm stands before the rectifier: after it, no running mean can be below zero."""
    means = torch.cat([tensor for name, tensor in content.items() if name.endswith("running_mean")])
    if bool((means < 0).any()):
        return LayerOrder.CONV_NORM_RELU
    if bool((means > 0).any()):
        return LayerOrder.CONV_RELU_NORM
    for text in file.texts:
        stated = [order for order in LayerOrder if order in text]
        if len(stated) == 1:
            return stated[0]
    assume(
        f"model file {file.path} does not tell the order of its layers, since its batch norms hold no "
        f"statistics; {usual} is assumed. Put {' or '.join(LayerOrder)} into its name"
    )
    return usual


def inputs_of_cnn(
    content: StateDict, file: PublishedFile, order: LayerOrder
) -> tuple[Preprocessing, str]:
    """How the inputs of an ordinary attention network were scaled, with a note that says from what it follows.

    The networks of arXiv 2012.01248 were trained with batch norm before the rectifier on inputs in [-1, 1],
    those of arXiv 2111.04742 with the opposite order on standardised inputs. Where the mean of the first batch
    norm tells what empty sky was, it decides; a name that states it comes before everything.
    """
    for text in file.texts:
        stated = [value for words, value in _STATED.items() if words in text]
        if len(stated) == 1:
            return _for_data(
                stated[0], file, "as the name of the file or folder states", known=True
            )
    if (measured := _by_first_norm(content, order)) is not None:
        return _for_data(measured, file, "as the mean of its first batch norm shows")
    by_order = SYMMETRIC_RANGE if order is LayerOrder.CONV_NORM_RELU else FIRST_PREPROCESSING
    kernel_size = int(content["conv1a.weight"].shape[-1])
    if by_order is SYMMETRIC_RANGE and kernel_size != 3:
        assume(
            f"model file {file.path} does not tell how its inputs were scaled: published networks with a "
            f"kernel of {kernel_size} have batch norm after the rectifier and it has not; [-1, 1] is "
            f"assumed; {_HOW_TO_STATE}"
        )
    return _for_data(by_order, file, f"as in published networks of its order of layers ({order})")


def standardised_inputs(file: PublishedFile) -> tuple[Preprocessing, str]:
    """The published standardisation of the images that a network was trained on, with a note on it."""
    return _for_data(FIRST_PREPROCESSING, file, "as in published networks of its form")


def _for_data(
    preprocessing: Preprocessing, file: PublishedFile, because: str, *, known: bool = False
) -> tuple[Preprocessing, str]:
    """Scaling for the data set of a file, with a note that says from what it follows."""
    data = file.other_data
    if data == "FRDEEP" and preprocessing is FIRST_PREPROCESSING:
        preprocessing, because = _FRDEEP, "as published for FRDEEP"
    elif data not in (None, "FRDEEP"):
        preprocessing = dataclasses.replace(preprocessing, beam_arcsec=None)
    if data not in (None, "FRDEEP") and not known:
        assume(
            f"model file {file.path} belongs to {data}, whose preprocessing is not published; that of FIRST "
            "images is assumed; state another with dataclasses.replace(model, preprocessing=...) and "
            "attnxai.save_model"
        )
    if (preprocessing.mean, preprocessing.deviation) == _HALVES:
        return preprocessing, f"Inputs are scaled to [-1, 1], {because}."
    return preprocessing, (
        f"Inputs are standardised by mean {preprocessing.mean:.4f} and deviation "
        f"{preprocessing.deviation:.4f}, {because}."
    )


def _by_first_norm(content: StateDict, order: LayerOrder) -> Preprocessing | None:
    """The scaling under which the first layer has the mean that its batch norm holds; None if neither has.

    About 98 % of the pixels of prepared images are empty, so that the mean of the first layer is nearly what it
    gives for empty sky, before the rectifier exactly what it gives for the mean pixel.
    """
    weight = content["conv1a.weight"].float()
    bias = content["conv1a.bias"].float() if "conv1a.bias" in content else None
    given = content["bnorm1a.running_mean"].float()
    if not bool(given.any()):
        return None
    misfits = []
    for scaling in _STATED.values():
        before = order is LayerOrder.CONV_NORM_RELU
        pixel = ((FIRST_PREPROCESSING.mean if before else 0.0) - scaling.mean) / scaling.deviation
        blank = torch.full((1, 1, scaling.size, scaling.size), pixel)
        response = functional.conv2d(blank, weight, bias, padding=weight.shape[-1] // 2)
        response = response if before else functional.relu(response)
        misfits.append(float((response.mean(dim=(0, 2, 3)) - given).square().sum().sqrt()))
    symmetric, standardised = misfits
    if symmetric * _CLEARLY < standardised:
        return SYMMETRIC_RANGE
    return FIRST_PREPROCESSING if standardised * _CLEARLY < symmetric else None
