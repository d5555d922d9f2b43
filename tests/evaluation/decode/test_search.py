"""The beam search against fairseq's own, step by step, and its limits."""

import math

import pytest
import torch
from fairseq.data import Dictionary
from fairseq.search import BeamSearch

from deepnet_fairseq.evaluation.decode.search import BeamSearchWithLimits

SENTENCES, BEAMS, LENGTH = 3, 4, 6


@pytest.fixture
def dictionary() -> Dictionary:
    made = Dictionary()
    for number in range(23):
        made.add_symbol(f"word{number}")
    return made


@pytest.fixture
def limited(dictionary: Dictionary) -> BeamSearchWithLimits:
    search = BeamSearchWithLimits(dictionary)
    search.set_limits([9, 9, 9], torch.device("cpu"))
    return search


@pytest.mark.parametrize("step", range(LENGTH))
@pytest.mark.parametrize("seed", range(4))
def test_every_step_chooses_what_fairseq_chooses(
    dictionary: Dictionary, limited: BeamSearchWithLimits, step: int, seed: int
) -> None:
    torch.manual_seed(seed)
    lprobs = torch.randn(SENTENCES, BEAMS, len(dictionary)).log_softmax(-1)
    lprobs[:, :, dictionary.pad()] = -math.inf
    scores = -torch.rand(SENTENCES, BEAMS, LENGTH).cumsum(-1)
    expected = BeamSearch(dictionary).step(step, lprobs.clone(), scores[:, :, :step])
    actual = limited.step(step, lprobs.clone(), scores[:, :, :step], None, torch.arange(SENTENCES))
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(actual, expected, strict=True))


def test_a_vocabulary_smaller_than_the_beams_gives_as_many_candidates_as_fairseq(
    limited: BeamSearchWithLimits,
) -> None:
    small = Dictionary()
    small.add_symbol("a")
    search = BeamSearchWithLimits(small)
    search.set_limits([9] * SENTENCES, torch.device("cpu"))
    lprobs = torch.arange(SENTENCES * BEAMS * len(small)).view(SENTENCES, BEAMS, -1).float().neg()
    for step in (0, 1):
        expected = BeamSearch(small).step(step, lprobs.clone(), torch.zeros(SENTENCES, BEAMS, step))
        actual = search.step(
            step, lprobs.clone(), torch.zeros(SENTENCES, BEAMS, step), None, torch.arange(SENTENCES)
        )
        assert [tensor.tolist() for tensor in actual] == [tensor.tolist() for tensor in expected]


def test_a_sentence_at_its_limit_can_only_end(
    dictionary: Dictionary, limited: BeamSearchWithLimits
) -> None:
    limited.set_limits([9, 2, 9], torch.device("cpu"))
    torch.manual_seed(1)
    lprobs, scores = (
        torch.randn(SENTENCES, BEAMS, len(dictionary)).log_softmax(-1),
        torch.zeros(SENTENCES, BEAMS, LENGTH),
    )
    # the sentences of the batch stand in another order by now
    best, tokens, beams = limited.step(2, lprobs.clone(), scores, None, torch.tensor([2, 0, 1]))
    finite = best > -math.inf
    assert finite.sum(1).tolist() == [2 * BEAMS, 2 * BEAMS, BEAMS]
    assert tokens[2][finite[2]].tolist() == [dictionary.eos()] * BEAMS
    assert sorted(beams[2][finite[2]].tolist()) == list(range(BEAMS))
    assert best[2][finite[2]].tolist() == lprobs[2, beams[2][finite[2]], dictionary.eos()].tolist()
