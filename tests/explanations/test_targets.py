"""Which class scores an explanation is of."""

from __future__ import annotations

import torch

from attnxai.explanations.targets import against_the_others, class_weights

CLASSES = ("FR I", "FR II", "hybrid")
SCORES = torch.tensor([[0.1, 3.0, 0.2], [5.0, 3.0, 0.2]])


def test_weights_of_the_class_scores() -> None:
    one = class_weights("FR II", SCORES, CLASSES)
    torch.testing.assert_close(one, torch.tensor([[0.0, 1.0, 0.0]] * 2))
    two = class_weights(("FR II", "hybrid"), SCORES, CLASSES)
    torch.testing.assert_close(two, torch.tensor([[0.0, 1.0, -1.0]] * 2))
    three = class_weights(("hybrid", "FR II", "FR I"), SCORES, CLASSES)
    torch.testing.assert_close(three, torch.tensor([[-0.5, -0.5, 1.0]] * 2))


def test_without_a_target_it_is_the_highest_score_against_the_others() -> None:
    found = class_weights(None, SCORES, CLASSES)
    torch.testing.assert_close(found, torch.tensor([[-0.5, 1.0, -0.5], [1.0, -0.5, -0.5]]))
    # what all scores have in common does not count
    common = (found * (SCORES + 7.0)).sum(dim=1) - (found * SCORES).sum(dim=1)
    torch.testing.assert_close(common, torch.zeros(2), atol=1e-5, rtol=0)
    for row, name in zip(found, ("FR II", "FR I"), strict=True):
        target = against_the_others(name, CLASSES)
        torch.testing.assert_close(class_weights(target, SCORES, CLASSES)[0], row)
