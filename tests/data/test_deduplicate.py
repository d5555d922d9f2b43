"""Repeated pairs are told as a Python set tells them, whatever fits in memory."""

import random
from pathlib import Path
from typing import List, Tuple

import pytest

from deepnet_fairseq.data import deduplicate
from deepnet_fairseq.data.deduplicate import write_first_occurrences

Pairs = List[Tuple[str, str]]


def unique(folder: Path, pairs: Pairs, records_in_memory: int) -> Pairs:
    """Write, deduplicate and read the pairs; only the result may stay in the scratch folder."""
    scratch = folder / "scratch"
    scratch.mkdir()
    sources, destinations = (
        [scratch / "in.a", scratch / "in.b"],
        [folder / "out.a", folder / "out.b"],
    )
    for side, path in enumerate(sources):
        path.write_text("".join(f"{pair[side]}\n" for pair in pairs), encoding="utf-8")
    kept = write_first_occurrences(sources, destinations, scratch, records_in_memory)
    result = list(
        zip(
            *(path.read_text(encoding="utf-8").split("\n")[:-1] for path in destinations),
            strict=True,
        )
    )
    assert kept == len(result)
    assert not list(scratch.glob("records*"))
    return result


def draw(count: int, different: int) -> Pairs:
    rng = random.Random(count * 31 + different)
    return [(f"ä{rng.randrange(different)}", f"b{rng.randrange(3)}") for _ in range(count)]


@pytest.mark.parametrize("records_in_memory", [50, 333, 3999, 4000, 10**6])
@pytest.mark.parametrize("different", [1, 40, 3000, 10**9])
def test_the_first_of_equal_pairs_stays_in_its_place(
    tmp_path: Path, records_in_memory: int, different: int
) -> None:
    # from 3 different pairs, each repeated more often than memory holds, to 4,000
    pairs = draw(4000, different)
    assert unique(tmp_path, pairs, records_in_memory) == list(dict.fromkeys(pairs))


def test_a_corpus_larger_than_a_batch_keeps_its_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deduplicate, "BATCH", 64)
    pairs = draw(5000, 700)
    assert unique(tmp_path, pairs, 300) == list(dict.fromkeys(pairs))


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [("one", "pair")],
        [("ab", "c"), ("a", "bc"), ("abc", ""), ("", "abc")],  # the same letters, split differently
        [
            ("a", "b"),
            ("b", "a"),
            ("a", "c"),
            ("c", "b"),
        ],  # a pair is both its sides, in their order
        [("a\u2028b", "c\x85d"), ("a", "c\x85d")],  # what str.splitlines would split
        [("same", "pair")] * 40,
    ],
    ids=["nothing", "one", "borders", "sides", "odd line ends", "always the same"],
)
@pytest.mark.parametrize("records_in_memory", [1, 100])
def test_pairs_are_equal_when_both_sides_are(
    tmp_path: Path, pairs: Pairs, records_in_memory: int
) -> None:
    assert unique(tmp_path, pairs, records_in_memory) == list(dict.fromkeys(pairs))


def test_files_of_unequal_length_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x\ny\n")
    (tmp_path / "b").write_text("x\n")
    with pytest.raises(ValueError, match="shorter"):
        write_first_occurrences(
            [tmp_path / "a", tmp_path / "b"], [tmp_path / "c", tmp_path / "d"], tmp_path
        )
    assert not (tmp_path / "c").exists() and not (tmp_path / "d").exists()
