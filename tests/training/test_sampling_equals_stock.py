"""The epochs of translation_multi_deepnet are those of stock's task, batch by batch."""

import pickle
from pathlib import Path
from typing import Any, List

import pytest
import torch
from fairseq.data.iterators import EpochBatchIterator
from support.multilingual_toy import (
    OURS,
    PAIRS,
    STOCK,
    WEIGHTS,
    batch_iterator,
    binarize,
    epochs,
    lengths_of,
    set_up,
    write_weights,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return binarize(tmp_path_factory.mktemp("corpus"), PAIRS)


SAMPLING = {
    "concat": [],
    "uniform": ["--sampling-method", "uniform"],
    "temperature of 1.5": ["--sampling-method", "temperature"],
    "temperature of 5": ["--sampling-method", "temperature", "--sampling-temperature", 5],
    "weights": ["--sampling-weights", WEIGHTS],
    "fewer than there are": ["--sampling-method", "temperature", "--virtual-data-size", 101],
    "more than there are": ["--sampling-method", "temperature", "--virtual-data-size", 1009],
    "concat in parts": ["--virtual-epoch-size", 131],
    "temperature in parts": [
        "--sampling-method",
        "temperature",
        "--sampling-temperature",
        5,
        "--virtual-epoch-size",
        170,
    ],
    "weights in parts of a set size": [
        "--sampling-weights",
        WEIGHTS,
        "--virtual-epoch-size",
        90,
        "--virtual-data-size",
        250,
    ],
    "one part": ["--virtual-epoch-size", 100_000],
    "updated order": ["--update-ordered-indices-seed"],
}


@pytest.mark.parametrize("flags", SAMPLING.values(), ids=SAMPLING)
def test_epochs_are_stocks_batch_by_batch(data: Path, flags: List[Any]) -> None:
    stock, ours = (epochs(set_up(name, data, *flags), last=5) for name in (STOCK, OURS))
    assert sum(map(len, stock)) > 15
    assert ours == stock
    assert ours[0] != ours[1]


def test_weights_from_a_file_are_stocks(data: Path, tmp_path: Path) -> None:
    flags = ["--sampling-weights-from-file", write_weights(tmp_path / "weights.json")]
    stock, ours = (epochs(set_up(name, data, *flags), last=2) for name in (STOCK, OURS))
    assert ours == stock


LIMITS = {
    "sentences": {"max_tokens": None, "max_sentences": 7},
    "both": {"max_tokens": 90, "max_sentences": 5},
    "no multiple": {"required_batch_size_multiple": 1},
    "large multiple": {"required_batch_size_multiple": 64, "max_tokens": 400},
    "long sources left out": {"max_positions": (20, 200)},
    "long targets left out": {"max_positions": (200, 9)},
    "one limit for both": {"max_positions": 17},
    "no limit": {"max_positions": None},
    "max_tokens as limit": {"max_tokens": 16, "max_positions": (16, 16)},
    "another seed": {"seed": 12},
}


@pytest.mark.parametrize("changes", LIMITS.values(), ids=LIMITS)
def test_batches_are_stocks_within_every_limit(data: Path, changes: dict) -> None:
    flags = SAMPLING["temperature of 5"]
    stock, ours = (epochs(set_up(name, data, *flags), last=2, **changes) for name in (STOCK, OURS))
    assert ours == stock


@pytest.mark.parametrize("num_shards", [2, 3])
def test_every_process_gets_stocks_batches(data: Path, num_shards: int) -> None:
    for shard_id in range(num_shards):
        tasks = [set_up(name, data) for name in (STOCK, OURS)]
        stock, ours = (
            epochs(task, last=2, num_shards=num_shards, shard_id=shard_id) for task in tasks
        )
        assert ours == stock
        assert (
            len({len(batches) for batches in ours}) == 1
        )  # the same number in every process, with an empty one to fill up


@pytest.mark.parametrize("grouped", [True, False], ids=["in groups", "one by one"])
@pytest.mark.parametrize("num_shards", [1, 3])
def test_batches_are_shuffled_as_fairseqs_iterator_does(
    data: Path, num_shards: int, grouped: bool
) -> None:
    """Stock's task drops --grouped-shuffling, so the reference is fairseq's iterator itself."""
    task = set_up(OURS, data)
    task.load_dataset("train", epoch=1, combine=True)
    for shard_id in range(num_shards):
        shared = {
            "seed": 3,
            "num_shards": num_shards,
            "shard_id": shard_id,
            "grouped_shuffling": grouped,
        }
        ours = batch_iterator(task, 1, **shared)
        reference = EpochBatchIterator(
            ours.dataset, ours.collate_fn, list(ours.frozen_batches), **shared
        )
        for epoch in (1, 2):
            assert list(ours.ordered_batches(epoch, False, True)) == reference.ordered_batches(
                epoch, False, True
            )


def test_a_curriculum_is_stocks(data: Path) -> None:
    curricula = []
    for name in (STOCK, OURS):
        task = set_up(name, data)
        task.load_dataset("train", epoch=1, combine=True)
        curricula.append(
            [
                batch["id"].tolist()
                for batch in batch_iterator(task, 1).next_epoch_itr(shuffle=False)
            ]
        )
    assert curricula[0] == curricula[1]


FORMATS = {
    "no tokens": [],
    "target token in the encoder": ["--encoder-langtok", "tgt"],
    "tokens on both sides": ["--encoder-langtok", "src", "--decoder-langtok"],
    "tokens for bos and eos": [
        "--encoder-langtok",
        "tgt",
        "--decoder-langtok",
        "--lang-tok-replacing-bos-eos",
    ],
    "padding on the other sides": [
        "--decoder-langtok",
        "--left-pad-source",
        "False",
        "--left-pad-target",
        "True",
    ],
    "language ids": ["--enable-lang-ids"],
    "truncated sources": [
        "--truncate-source",
        "--max-source-positions",
        10,
        "--encoder-langtok",
        "tgt",
    ],
    "mbart style": ["--lang-tok-style", "mbart", "--decoder-langtok"],
}


@pytest.mark.parametrize("flags", FORMATS.values(), ids=FORMATS)
def test_collated_batches_are_stocks_tensor_by_tensor(data: Path, flags: List[str]) -> None:
    collated = []
    for name in (STOCK, OURS):
        task = set_up(name, data, *flags)
        task.load_dataset("train", epoch=1, combine=True)
        collated.append(list(batch_iterator(task, 1).next_epoch_itr()))
    assert len(collated[0]) == len(collated[1]) > 10
    for stock, ours in zip(*collated, strict=True):
        assert_equal(stock, ours)


def assert_equal(stock: Any, ours: Any) -> None:
    assert type(stock) is type(ours)
    if isinstance(stock, dict):
        assert stock.keys() == ours.keys()
        for key in stock:
            assert_equal(stock[key], ours[key])
    elif isinstance(stock, torch.Tensor):
        assert torch.equal(stock, ours)
    else:
        assert stock == ours


def test_batches_hold_sentences_of_similar_length(data: Path) -> None:
    """Measure the share of padding, against batches of the same sizes in random order."""
    task = set_up(OURS, data)
    [batches] = epochs(task, last=1)
    lengths = lengths_of(task, batches)
    padded = sum(len(batch) * batch.max(0).sum() for batch in lengths)
    words = sum(batch.sum() for batch in lengths)
    assert padded / words < 1.35
    assert all(len(batch) * batch.max() <= 200 for batch in lengths)


def test_a_worker_process_reads_the_same(data: Path) -> None:
    read = []
    for workers in (0, 2):
        task = set_up(OURS, data)
        task.load_dataset("train", epoch=1, combine=True)
        read.append(
            list(batch_iterator(task, 1, num_workers=workers, data_buffer_size=2).next_epoch_itr())
        )
    for here, there in zip(*read, strict=True):
        assert_equal(here, there)


def test_a_dataset_survives_the_way_to_a_spawned_worker(data: Path) -> None:
    task = set_up(OURS, data, "--encoder-langtok", "tgt", "--virtual-epoch-size", 100)
    epochs(task, last=2)
    sent = pickle.dumps(task.dataset("train"))
    received = pickle.loads(sent)
    (direction, example), (received_direction, received_example) = (
        task.dataset("train")[170],
        received[170],
    )
    assert direction == received_direction == 1
    assert_equal(example, received_example)
    assert (
        len(sent) < 20_000
    )  # bytes, for six directions: neither sentences nor lengths nor the order of an epoch


def test_extra_data_is_stocks(data: Path, tmp_path: Path) -> None:
    mined = binarize(tmp_path / "mined", {("de", "fr"): 40}, seed=9)
    flags = [
        "--extra-data",
        f"{{'mined': '{mined}'}}",
        "--extra-lang-pairs",
        "{'mined': 'de-fr,fr-de'}",
        "--decoder-langtok",
    ]
    stock, ours = (epochs(set_up(name, data, *flags), last=2) for name in (STOCK, OURS))
    assert any(direction == "mined:fr-de" for batch in ours[0] for direction, _ in batch)
    assert ours == stock
