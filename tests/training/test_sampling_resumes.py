"""Epochs of a resumed training: several data folders, virtual epochs, changing temperatures."""

from collections import Counter
from pathlib import Path
from typing import Any, List

import numpy as np
import pytest
from support.multilingual_toy import (
    DIRECTIONS,
    OURS,
    PAIRS,
    STOCK,
    WEIGHTS,
    batch_iterator,
    binarize,
    epochs,
    set_up,
)

from deepnet_fairseq.training.sampling.virtual_epochs import TemperatureSchedule, VirtualEpochs

TEMPERATURE = ["--sampling-method", "temperature"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return binarize(tmp_path_factory.mktemp("corpus"), PAIRS)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three folders for German, two for French, one for Romanian, of unequal sizes."""
    sizes = [
        {("de", "en"): 40, ("en", "fr"): 30, ("en", "ro"): 13},
        {("de", "en"): 50, ("en", "fr"): 20},
        {("de", "en"): 31},
    ]
    folders = [
        binarize(tmp_path_factory.mktemp(f"shard{n}"), size, seed=n) for n, size in enumerate(sizes)
    ]
    return ":".join(map(str, folders))


@pytest.mark.parametrize(
    "flags",
    [[], ["--sampling-method", "uniform"], ["--sampling-weights", WEIGHTS]],
    ids=["concat", "uniform", "weights"],
)
def test_data_folders_take_turns_as_in_stock(shards: str, flags: List[Any]) -> None:
    stock, ours = (epochs(set_up(name, shards, *flags), last=5) for name in (STOCK, OURS))
    assert ours == stock


def test_temperature_counts_all_data_folders_from_the_first_epoch_on(shards: str) -> None:
    """Stock counts a folder that it has not read like its largest; afterwards the two agree."""
    stock, ours = (epochs(set_up(name, shards, *TEMPERATURE), last=7) for name in (STOCK, OURS))
    assert ours[:2] != stock[:2]
    # Six parts: stock has seen every folder of every direction after three epochs.
    assert ours[3:] == stock[3:]
    shares = np.array([40 + 50 + 31, 30 + 20, 13]) / (2 * (121 + 50 + 13))
    ratios = np.repeat(shares, 2) ** (1 / 1.5)
    counts = Counter(direction for batch in ours[0] for direction, _ in batch)
    expected = ratios / ratios.sum() * sum(counts.values())
    assert [counts[f"main:{direction}"] for direction in DIRECTIONS.split(",")] == pytest.approx(
        expected, abs=3
    )


RESUMED = {
    "concat": [],
    "temperature": TEMPERATURE,
    "parts": ["--virtual-epoch-size", 131],
    "temperature in parts": [*TEMPERATURE, "--virtual-epoch-size", 170],
    "changing temperature": [*TEMPERATURE, "--sampling-temperature-schedule", "1:5,3:2,6:1"],
    "changing temperature in parts": [
        *TEMPERATURE,
        "--sampling-temperature-schedule",
        "1:5,4:1",
        "--virtual-epoch-size",
        170,
    ],
}


@pytest.mark.parametrize("folders", ["data", "shards"])
@pytest.mark.parametrize("flags", RESUMED.values(), ids=RESUMED)
def test_every_epoch_can_be_the_first_of_a_process(
    request: pytest.FixtureRequest, folders: str, flags: List[Any]
) -> None:
    corpus = request.getfixturevalue(folders)
    through = epochs(set_up(OURS, corpus, *flags), last=7)
    for first in range(2, 8):
        assert epochs(set_up(OURS, corpus, *flags), first=first, last=7) == through[first - 1 :]


def test_iterator_resumes_in_the_middle_of_an_epoch(data: Path) -> None:
    flags = [
        *TEMPERATURE,
        "--sampling-temperature-schedule",
        "1:5,2:1",
        "--virtual-epoch-size",
        170,
    ]
    for epoch in (1, 2, 3):
        tasks = [set_up(OURS, data, *flags) for _ in range(2)]
        for task in tasks:
            task.load_dataset("train", epoch=epoch, combine=True)
        stopped, resumed = (batch_iterator(task, epoch, num_shards=2, shard_id=1) for task in tasks)
        batches = stopped.next_epoch_itr()
        for _ in range(3):
            next(batches)
        resumed.load_state_dict(stopped.state_dict())
        rest = resumed.next_epoch_itr()
        assert [batch["id"].tolist() for batch in rest if batch] == [
            batch["id"].tolist() for batch in batches if batch
        ]
        assert resumed.end_of_epoch()


def test_an_iterator_that_is_kept_continues_with_the_next_epoch(data: Path) -> None:
    task = set_up(OURS, data, *TEMPERATURE)
    task.load_dataset("train", epoch=1, combine=True)
    kept = batch_iterator(task, 1)
    from_one = [[batch["id"].tolist() for batch in kept.next_epoch_itr()] for _ in range(3)]
    fresh = [
        [batch["id"].tolist() for batch in batch_iterator(task, epoch).next_epoch_itr()]
        for epoch in (1, 2, 3)
    ]
    assert from_one == fresh


def test_an_epoch_of_other_folders_than_those_loaded_is_refused(shards: str) -> None:
    task = set_up(OURS, shards)
    task.load_dataset("train", epoch=1, combine=True)
    with pytest.raises(RuntimeError, match="epoch 2 reads other data folders than those loaded"):
        len(batch_iterator(task, 2))
    task.load_dataset("train", epoch=2, combine=True)
    assert len(batch_iterator(task, 2)) > 0


def test_virtual_epochs_of_a_sample_hold_each_example_once(data: Path) -> None:
    all_batches = epochs(set_up(OURS, data, "--virtual-epoch-size", 131), last=8)
    for first in (0, 4):  # 460 directed examples: 131 + 131 + 131 + 67
        examples = [
            example
            for batches in all_batches[first : first + 4]
            for batch in batches
            for example in batch
        ]
        assert [sum(map(len, batches)) for batches in all_batches[first : first + 4]] == [
            131,
            131,
            131,
            67,
        ]
        assert len(set(examples)) == len(examples) == 460
    assert all_batches[0] != all_batches[4]


@pytest.mark.parametrize(
    "flags", [["--virtual-data-size", 300], []], ids=["of a set size", "of fairseq's size"]
)
def test_a_changing_temperature_gives_stocks_epochs_at_each(data: Path, flags: List[Any]) -> None:
    ours = epochs(
        set_up(
            OURS, data, *TEMPERATURE, "--sampling-temperature-schedule", "1:5,3:2.5,4:1", *flags
        ),
        last=5,
    )
    for epoch, temperature in enumerate((5, 5, 2.5, 1, 1), start=1):
        stock = set_up(STOCK, data, *TEMPERATURE, "--sampling-temperature", temperature, *flags)
        assert epochs(stock, first=epoch, last=epoch) == [ours[epoch - 1]]


def test_a_changing_temperature_begins_a_new_sample(data: Path) -> None:
    """Stock that begins in epoch 3 draws what ours draws if epoch 3 ends a sample early."""
    parts = [*TEMPERATURE, "--virtual-epoch-size", 100, "--virtual-data-size", 400]
    ours = epochs(set_up(OURS, data, *parts, "--sampling-temperature-schedule", "1:5,3:1"), last=4)
    before = epochs(set_up(STOCK, data, *parts, "--sampling-temperature", 5), last=2)
    assert ours[:2] == before
    small = [
        sum(
            direction in ("main:en-ro", "main:ro-en") for batch in batches for direction, _ in batch
        )
        for batches in ours
    ]
    assert min(small[:2]) > max(small[2:])  # Romanian is rare at temperature 1
    examples = {example for batches in ours[2:4] for batch in batches for example in batch}
    assert len(examples) == 200  # of 460, none twice in a sample


SCHEDULES = {
    "": "not EPOCH:TEMPERATURE",
    "5": "'5' is not EPOCH:TEMPERATURE",
    "1:5,": "'' is not EPOCH:TEMPERATURE",
    "1:hot": "'1:hot' is not",
    "2:5": "epochs are 2; they must begin with 1",
    "1:5,3:2,3:1": "epochs are 1, 3, 3",
    "1:5,9:2,4:1": "epochs are 1, 9, 4",
    "1:0": "temperature 0.0",
    "1:5,2:-1": "temperature -1.0",
    "1:nan": "temperature nan",
    "1:inf": "temperature inf",
}


@pytest.mark.parametrize(("text", "complaint"), SCHEDULES.items(), ids=SCHEDULES)
def test_malformed_schedules_are_refused(data: Path, text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match="--sampling-temperature-schedule.*") as error:
        set_up(OURS, data, *TEMPERATURE, "--sampling-temperature-schedule", text)
    assert complaint in str(error.value)


def test_a_schedule_holds_from_its_epoch_to_the_next() -> None:
    schedule = TemperatureSchedule("1:5,10:2.5,20:1")
    assert [schedule.at(epoch) for epoch in (1, 9, 10, 19, 20, 1000)] == [5, 5, 2.5, 2.5, 1, 1]
    assert [schedule.next_change(epoch) for epoch in (1, 9, 10, 19, 20)] == [10, 10, 20, 20, None]


def test_samples_follow_from_the_epoch_alone() -> None:
    def plan() -> VirtualEpochs:
        schedule = TemperatureSchedule("1:2,6:1")
        return VirtualEpochs(
            [[40, 10], [6]], lambda epoch: np.array([1.0, 2.0]), schedule.next_change, 100, 30
        )

    samples = [plan().sample_of(epoch) for epoch in range(1, 12)]
    # Four parts of 100 examples; epoch 6 begins another sample.
    assert [s.number for s in samples] == [1] * 4 + [2] + [3] * 4 + [4] * 2
    assert [s.first_epoch for s in samples] == [1] * 4 + [5] + [6] * 4 + [10] * 2
    even, odd = [40, 6], [10, 6]
    assert [s.examples for s in samples] == [even] * 4 + [odd] + [even] * 4 + [odd] * 2
    assert {s.epoch_size for s in samples} == {30}
    again = plan()
    backwards = [again.sample_of(epoch).first_epoch for epoch in range(11, 0, -1)]
    assert backwards == [s.first_epoch for s in reversed(samples)]
