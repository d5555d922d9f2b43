"""The sampler's benchmark: a corpus of OPUS-100's shape that fairseq reads, and its table."""

import re
from pathlib import Path

import pytest
from fairseq.data.indexed_dataset import MMapIndexedDataset

from benchmarks import sampler
from benchmarks.index_files import opus100_sizes, write_corpus


def test_sizes_have_opus_100s_shape() -> None:
    sizes = opus100_sizes()
    assert len(sizes) == 99
    assert sum(sizes) == 54_656_433
    assert [
        sum(size >= bound for size in sizes) for bound in (1_000_001, 1_000_000, 100_000, 3_000)
    ] == [0, 44, 73, 99]
    assert sizes == sorted(sizes, reverse=True)


def test_generated_files_are_fairseqs(tmp_path: Path) -> None:
    sizes = write_corpus(tmp_path, pairs=50_000, vocabulary=7)
    assert sum(sizes.values()) == pytest.approx(50_000, rel=0.01)
    english, other = (
        MMapIndexedDataset(str(tmp_path / f"train.en-l00.{language}")) for language in ("en", "l00")
    )
    assert len(english) == len(other) == sizes["l00"] == 915
    assert len(english[914]) == english.sizes[914]
    assert english.sizes.mean() == pytest.approx(19, abs=2)
    assert (tmp_path / "train.en-l00.en.bin").stat().st_size == 2 * english.sizes.sum()


def test_the_table_compares_both_tasks_in_one_run(capfd: pytest.CaptureFixture) -> None:
    sampler.main(
        (
            "--examples 4000 --stock-examples 2000 --repeats 1 --vocabulary 20 "
            "-- --sampling-method uniform"
        ).split()
    )
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].startswith("flags: --sampling-method uniform; medians")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines
        if line.startswith("|")
    ]
    assert len({len(row) for row in rows}) == 1
    assert [(row[0], row[2]) for row in rows[2:]] == [
        (sampler.STOCK, "1"),
        (sampler.OURS, "1"),
        (sampler.OURS, "1"),
    ]
    assert all(
        float(row[-2]) > 0.05 for row in rows[2:]
    )  # GiB; Python, torch and fairseq alone are more
    assert re.fullmatch(
        r"stock / ours at 2,000: task [\d.]+, epoch 1 [\d.]+, .*, peak [\d.]+, anonymous [\d.]+",
        lines[-1],
    )


def test_a_killed_run_is_named() -> None:
    line, medians = sampler.row(sampler.STOCK, 109_312_866, [None])
    assert line[:4] == [sampler.STOCK, "109,312,866", "0", "killed: out of memory"]
    assert medians == {}
    finished, _ = sampler.row(
        sampler.OURS,
        5,
        [
            dict.fromkeys(
                ("task", "epoch 1", "epoch 1 CPU", "first batch 1", "epoch 2", "peak", "anonymous"),
                1.0,
            )
        ],
    )
    assert len(line) == len(finished)
