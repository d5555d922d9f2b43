"""Length bucketing: sorting and batching in pieces, rejected flags, and memory per example."""

import shutil
import tracemalloc
from pathlib import Path
from typing import Any, List, Optional

import numpy as np
import pytest
import torch
from fairseq.data import data_utils
from fairseq.data.indexed_dataset import MMapIndexedDataset
from support.multilingual_toy import (
    OURS,
    PAIRS,
    STOCK,
    WEIGHTS,
    batch_iterator,
    binarize,
    epochs,
    set_up,
)

from deepnet_fairseq.training.sampling import bucketing
from deepnet_fairseq.training.sampling.batches import Batches, BatchOrder
from deepnet_fairseq.training.sampling.bucketing import (
    BatchLimits,
    IncrementalBatcher,
    bucket_by_length,
    stable_sort,
)
from deepnet_fairseq.training.sampling.mmap_dataset import LazyMMapDataset


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return binarize(tmp_path_factory.mktemp("corpus"), PAIRS)


def limits(
    max_tokens: Optional[int] = None,
    max_sentences: Optional[int] = None,
    multiple: int = 1,
    longest: Optional[int] = None,
) -> BatchLimits:
    return BatchLimits(max_tokens, max_sentences, multiple, longest, longest)


@pytest.mark.parametrize(
    "flags",
    [[], ["--sampling-method", "temperature", "--virtual-epoch-size", 170]],
    ids=["concat", "parts"],
)
def test_pieces_make_no_difference(
    data: Path, monkeypatch: pytest.MonkeyPatch, flags: List[Any]
) -> None:
    stock = epochs(set_up(STOCK, data, *flags), last=3)
    monkeypatch.setattr(bucketing, "CHUNK", 97)
    assert epochs(set_up(OURS, data, *flags), last=3) == stock


@pytest.mark.parametrize("size", [0, 1, 49, 50, 51, 1234])
def test_sorting_is_stable_in_pieces(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(bucketing, "CHUNK", 50)
    draw = np.random.default_rng(size)
    keys, examples = (
        draw.integers(0, 40, size).astype(np.uint16),
        draw.permutation(size).astype(np.uint32),
    )
    in_order, counts = stable_sort(examples, keys)
    assert in_order.tolist() == examples[np.argsort(keys, kind="stable")].tolist()
    assert counts.tolist() == np.bincount(keys).tolist()


CUTS = {
    "tokens": limits(max_tokens=120),
    "sentences": limits(max_sentences=7),
    "tokens in eights": limits(max_tokens=300, multiple=8),
    "both in fives": limits(max_tokens=200, max_sentences=12, multiple=5),
    "fewer sentences than the multiple": limits(max_tokens=100, max_sentences=3, multiple=8),
    "one sentence at a time": limits(max_tokens=40, multiple=8),
    "a batch longer than a piece": limits(max_tokens=8000, multiple=8),
    "no limit": limits(),
}


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("in_order", [True, False], ids=["sorted", "unsorted"])
def test_batches_made_in_pieces_are_fairseqs(
    monkeypatch: pytest.MonkeyPatch, cut: BatchLimits, in_order: bool
) -> None:
    monkeypatch.setattr(bucketing, "CHUNK", 64)
    for seed in range(20):
        draw = np.random.default_rng(seed)
        tokens = draw.integers(1, 41, draw.integers(1, 900))
        tokens = np.sort(tokens) if in_order else tokens
        batcher = IncrementalBatcher(cut)
        for piece in np.split(tokens, np.sort(draw.integers(0, len(tokens), 9))):
            batcher.add(piece)
        whole = data_utils.batch_by_size(
            np.arange(len(tokens)), None, tokens, cut.max_tokens, cut.max_sentences, cut.multiple
        )
        assert batcher.ends().tolist() == np.cumsum([len(batch) for batch in whole]).tolist()


def test_sentences_too_long_for_16_bits_are_left_out_or_refused() -> None:
    lengths = np.array([5, 65535, 7], np.uint16)
    batches, too_long, first = bucket_by_length(
        np.arange(3, dtype=np.uint32), lambda side: lengths, limits(200, longest=100), seed=1
    )
    assert (sorted(example for batch in batches for example in batch), too_long, first) == (
        [0, 2],
        1,
        [1],
    )
    for sides in ((lengths, lengths[[0, 0, 0]]), (lengths[[0, 0, 0]], lengths)):
        with pytest.raises(
            ValueError, match=r"1 (source|target) sentences have 65535 tokens or more"
        ):
            bucket_by_length(np.arange(3, dtype=np.uint32), sides.__getitem__, limits(), seed=1)


def test_an_example_costs_few_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucketing, "CHUNK", 1 << 12)
    # Each further thread works on a chunk, or a length, of its own.
    monkeypatch.setattr(bucketing, "THREADS", 1)
    monkeypatch.setattr(bucketing, "AHEAD", 1)
    size, draw = 1 << 19, np.random.default_rng(1)
    lengths = [draw.geometric(0.05, size).clip(1, 250).astype(np.uint16) for _ in range(2)]
    tracemalloc.start()
    try:
        batches, *_ = bucket_by_length(
            np.arange(size, dtype=np.uint32),
            lambda side: lengths[side].copy(),
            limits(4096, multiple=8),
            seed=1,
        )
        kept, peak = (measured / size for measured in tracemalloc.get_traced_memory())
    finally:
        tracemalloc.stop()
    assert sum(map(len, batches)) == size
    assert kept < 4.5  # its number, and its share of where a batch ends
    # Number before and after sorting, length, length of the other side, and temporary arrays.
    assert peak < 12.5


def test_every_example_is_there_once_when_none_is_to_be_repeated(data: Path) -> None:
    for batches in epochs(set_up(OURS, data), last=3):
        examples = [example for batch in batches for example in batch]
        assert len(examples) == len(set(examples)) == 2 * sum(PAIRS.values())


def test_a_sentence_too_long_stops_a_set_up_that_may_not_skip_it(data: Path) -> None:
    task = set_up(OURS, data)
    task.load_dataset("train", epoch=1, combine=True)
    with pytest.raises(ValueError, match=r"examples exceed \(12, 12\) tokens.*main:"):
        len(batch_iterator(task, 1, max_positions=(12, 12), ignore_invalid_inputs=False))


def test_the_log_says_what_an_epoch_has(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    task = set_up(OURS, data, "--sampling-weights", WEIGHTS, "--virtual-data-size", 230)
    [batches] = epochs(task, last=1, max_positions=(25, 200))
    [line] = [record.message for record in caplog.records if record.message.startswith("epoch 1:")]
    assert f"230 of 460 examples in {len(batches)} batches, set up in 0." in line
    assert "main:ro-en 80 (34.78%), main:fr-en 60 (26.09%), main:en-de 40 (17.39%)" in line
    [warning] = [record.message for record in caplog.records if "invalid sizes" in record.message]
    assert warning.startswith(
        f"{230 - sum(map(len, batches))} samples have invalid sizes and will be skipped, "
        "max_positions=(25, 200)"
    )


REFUSED = {
    "--sampling-method RoundRobin": ["--sampling-method", "RoundRobin"],
    "--enable-reservsed-directions-shared-datasets": [
        "--enable-reservsed-directions-shared-datasets"
    ],
    "--virtual-data-size needs --sampling-method": ["--virtual-data-size", 100],
    "--virtual-data-size is 0": ["--virtual-data-size", 0, "--sampling-method", "uniform"],
    "--virtual-epoch-size is -5": ["--virtual-epoch-size", -5],
    "--sampling-temperature-schedule needs --sampling-method temperature": [
        "--sampling-temperature-schedule",
        "1:5",
    ],
    "and no --sampling-weights": (
        [
            "--sampling-temperature-schedule",
            "1:5",
            "--sampling-method",
            "temperature",
            "--sampling-weights",
            WEIGHTS,
        ]
    ),
    "--sampling-weights has no weight for main:en-fr": [
        "--sampling-weights",
        {k: w for k, w in WEIGHTS.items() if k != "main:en-fr"},
    ],
}


@pytest.mark.parametrize(("complaint", "flags"), REFUSED.items(), ids=REFUSED)
def test_flags_without_effect_are_refused(data: Path, complaint: str, flags: List[Any]) -> None:
    with pytest.raises(ValueError) as error:
        set_up(OURS, data, *flags).load_dataset("train", epoch=1, combine=True)
    assert complaint in str(error.value)


def test_sentences_of_the_mmap_dataset_are_stocks(data: Path) -> None:
    path = str(data / "train.de-en.en")
    stock, ours = MMapIndexedDataset(path), LazyMMapDataset(path)
    assert len(ours) == len(stock) == 157
    assert ours.sizes.tolist() == stock.sizes.tolist()
    for i in range(157):
        assert torch.equal(ours[i], stock[i])


@pytest.mark.parametrize(
    "content",
    [b"", b"MMIDIDX\0\0", b"TNTIDX\0\0" + bytes(40)],
    ids=["empty", "cut off", "another format"],
)
def test_an_index_in_another_format_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "train.idx").write_bytes(content)
    (tmp_path / "train.bin").write_bytes(b"12")
    with pytest.raises(ValueError, match=r"train\.idx: not an index of --dataset-impl mmap"):
        LazyMMapDataset(str(tmp_path / "train"))


def test_equal_dictionaries_are_one_object_and_stocks(data: Path, tmp_path: Path) -> None:
    stock, ours = (set_up(name, data).dicts for name in (STOCK, OURS))
    assert list(ours) == list(stock)
    assert len({id(dictionary) for dictionary in ours.values()}) == 1
    assert all(ours[language].symbols == stock[language].symbols for language in stock)
    for dictionary in data.glob("dict.*"):
        shutil.copy(dictionary, tmp_path)
    (tmp_path / "dict.ro.txt").write_text(
        (data / "dict.ro.txt").read_text().replace("w3 1\n", "") + "w3 1\n"
    )
    with pytest.raises(AssertionError, match="Diffrent dictionary"):
        set_up(OURS, tmp_path)


def test_batches_answer_like_lists() -> None:
    batches = Batches(np.array([7, 3, 5, 2, 9], np.uint32), np.array([2, 3, 5]))
    assert list(batches) == [[7, 3], [5], [2, 9]]
    assert batches[-1] == [2, 9]
    with pytest.raises(IndexError, match="batch 3 of 3"):
        batches[3]
    order = BatchOrder(batches, np.array([2, 0, -1]))
    assert list(order) == [[2, 9], [7, 3], []]
    assert list(order[1:]) == [[7, 3], []]
    assert all(type(example) is int for batch in order for example in batch)
