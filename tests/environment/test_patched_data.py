"""Dictionaries, numpy's retired names and data loaders."""

import warnings
from io import StringIO
from pathlib import Path
from typing import List

import numpy as np
import pytest
import torch
from fairseq.data import Dictionary, FairseqDataset, data_utils, iterators
from fairseq.modules.dynamic_crf_layer import DynamicCRF


@pytest.mark.patch("numpy-int-and-float")
def test_spans_that_must_not_overlap_are_masked() -> None:
    with data_utils.numpy_seed(3):
        mask = data_utils.compute_mask_indices(
            (2, 60), None, 0.4, 4, mask_type="static", no_overlap=True
        )
    assert mask.shape == (2, 60)
    assert mask.sum(axis=1).tolist() == [24, 24]  # 0.4 * 60, in spans of 4


@pytest.mark.patch("numpy-int-and-float")
def test_crf_scores_the_targets_within_the_beam() -> None:
    torch.manual_seed(3)
    crf = DynamicCRF(num_embedding=14, low_rank=4, beam_size=5)
    emissions, targets = torch.randn(2, 6, 14), torch.randint(14, (2, 6))
    log_likelihood = crf(emissions, targets, torch.ones(2, 6, dtype=torch.bool))
    assert (log_likelihood < 0).all() and torch.isfinite(log_likelihood).all()


def padded_dictionary(words: str, path: Path) -> str:
    """Write the dictionary that fairseq-preprocess would, and return its path."""
    dictionary = Dictionary()
    for word in words:
        dictionary.add_symbol(word, n=5)
    dictionary.finalize(padding_factor=8)
    dictionary.save(str(path))
    assert "madeupword0000 0" in path.read_text()
    return str(path)


def words_of(dictionary: Dictionary) -> List[str]:
    """Return the words that came from text."""
    return sorted(
        word
        for word in dictionary.symbols[dictionary.nspecial :]
        if not word.startswith("madeupword")
    )


@pytest.mark.patch("dictionary-padding-words")
def test_two_padded_dictionaries_join(tmp_path: Path) -> None:
    one, two = (
        padded_dictionary("abc", tmp_path / "dict.1.txt"),
        padded_dictionary("xyzvw", tmp_path / "dict.2.txt"),
    )
    joined = Dictionary.load(one)
    joined.add_from_file(two)
    assert words_of(joined) == sorted("abcxyzvw")
    assert len(set(joined.symbols)) == len(joined.symbols) == len(joined.indices)
    both = tmp_path / "dict.both.txt"
    both.write_text(Path(one).read_text() + Path(two).read_text())
    assert Dictionary.load(str(both)).symbols == joined.symbols


@pytest.mark.patch("dictionary-padding-words")
def test_update_takes_words_and_counts_but_no_padding(tmp_path: Path) -> None:
    joined = Dictionary.load(padded_dictionary("abc", tmp_path / "dict.1.txt"))
    size = len(joined)
    joined.update(Dictionary.load(padded_dictionary("cd", tmp_path / "dict.2.txt")))
    assert words_of(joined) == list("abcd")
    assert len(joined) == size + 1
    assert joined.count[joined.index("c")] == 10


@pytest.mark.patch("dictionary-padding-words")
def test_padding_of_one_dictionary_stays_where_it_is(tmp_path: Path) -> None:
    path = padded_dictionary("abc", tmp_path / "dict.txt")
    dictionary = Dictionary.load(path)
    assert len(dictionary) == 8
    assert dictionary.symbols[4:] == ["a", "b", "c", "madeupword0000"]


@pytest.mark.patch("dictionary-padding-words")
@pytest.mark.parametrize(
    "line", ["a 3", "madeupword0000 3"], ids=["word", "word-of-the-text-that-looks-like-padding"]
)
def test_other_duplicates_are_still_refused(line: str, tmp_path: Path) -> None:
    dictionary = Dictionary.load(padded_dictionary("abc", tmp_path / "dict.txt"))
    with pytest.raises(RuntimeError, match="Duplicate word"):
        dictionary.add_from_file(StringIO(f"{line}\n"))


class Numbers(FairseqDataset):
    """Twelve numbers."""

    def __getitem__(self, index: int) -> int:
        return index

    def __len__(self) -> int:
        return 12

    def num_tokens(self, index: int) -> int:
        return 1

    def size(self, index: int) -> int:
        return 1

    def collater(self, samples: List[int]) -> torch.Tensor:
        return torch.tensor(samples)


@pytest.mark.patch("pin-memory-only-for-cuda")
def test_batches_come_without_a_warning() -> None:
    batches = [np.arange(start, start + 4) for start in (0, 4, 8)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        epoch = iterators.EpochBatchIterator(Numbers(), Numbers().collater, batches).next_epoch_itr(
            shuffle=False
        )
        collated = list(epoch)
    assert [batch.tolist() for batch in collated] == [batch.tolist() for batch in batches]
    assert all(batch.is_pinned() == torch.cuda.is_available() for batch in collated)
