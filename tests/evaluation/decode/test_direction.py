"""Directions and their test files, from the pairs of a corpus."""

from pathlib import Path

from deepnet_fairseq.evaluation.decode.test_data import both_ways


def test_both_ways_of_every_pair_supervised_first() -> None:
    directions = both_ways([("de", "en"), ("en", "zu")], [("de", "zu")])
    assert [d.name for d in directions] == ["de-en", "en-de", "en-zu", "zu-en", "de-zu", "zu-de"]
    assert directions[3].source_file(Path("c")) == Path("c/supervised/en-zu/opus.en-zu-test.zu")
    assert directions[5].reference_file(Path("c")) == Path("c/zero-shot/de-zu/opus.de-zu-test.de")


def test_a_trained_pair_without_a_test_set_of_its_own_is_not_zero_shot_in_another() -> None:
    directions = both_ways(
        [("an", "en"), ("de", "en")],
        [],
        {"ted": [("an", "en"), ("an", "de")]},
        untested=[("an", "en")],
    )
    names = [(direction.name, direction.zero_shot) for direction in directions]
    assert names == [
        ("de-en", False),
        ("en-de", False),
        ("ted.an-de", True),
        ("ted.de-an", True),
        ("ted.an-en", False),
        ("ted.en-an", False),
    ]


def test_further_test_sets_come_last_with_files_names_and_means_of_their_own() -> None:
    directions = both_ways(
        [("de", "en")],
        [("de", "fr")],
        {"ted": [("de", "en"), ("de", "fr")], "flores200": [("de", "en")]},
    )
    assert [d.name for d in directions[4:]] == [
        "flores200.de-en",
        "flores200.en-de",
        "ted.de-en",
        "ted.en-de",
        "ted.de-fr",
        "ted.fr-de",
    ]
    assert [
        (d.subset, d.zero_shot)
        for d in (directions[0], directions[2], directions[4], directions[8])
    ] == [
        ("test", False),
        ("test", True),
        ("flores200", False),
        ("ted", True),
    ]
    assert directions[5].source_file(Path("c")) == Path(
        "c/test-sets/flores200/de-en/opus.de-en-test.en"
    )
