"""Which pairs are kept, how dropped ones are counted, and that memory and folders stay small."""

import logging
import os
import random
import tracemalloc
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Tuple

import pytest
from omegaconf import OmegaConf
from omegaconf.errors import ValidationError

from deepnet_fairseq.data import cleaning, deduplicate
from deepnet_fairseq.data.bitext import corpus_file, part_of_test_set
from deepnet_fairseq.data.cleaning import SplitCounts, clean_pair
from deepnet_fairseq.data.contamination import ContaminationIndex
from deepnet_fairseq.data.filters import CleaningConfig
from deepnet_fairseq.data.normalize import normalize_spaces
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.io import read_lines

Pairs = List[Tuple[str, str]]
SHORT, LONG = "abc", "a longer sentence of seven words altogether"
GERMAN, ENGLISH = (
    "Alle Menschen sind frei und gleich an Würde geboren.",
    "All human beings are born free and equal in dignity.",
)


def clean(
    folder: Path,
    sentences: Iterable[Tuple[str, str]],
    split: str = "train",
    pair: Tuple[str, str] = ("de", "en"),
    **config: Any,
) -> Tuple[Pairs, SplitCounts]:
    index = config.pop("index", ContaminationIndex())
    counts = clean_pair(sentences, folder, pair, split, CleaningConfig(**config), index)
    return read(folder, split, pair), counts


def read(folder: Path, split: str = "train", pair: Tuple[str, str] = ("de", "en")) -> Pairs:
    return list(
        zip(
            *(read_lines(corpus_file(folder, pair, split, language)) for language in pair),
            strict=True,
        )
    )


@pytest.fixture
def index() -> ContaminationIndex:
    index = ContaminationIndex()
    index.add("de", ["Ein Test."], "test")
    index.add("en", ["A test."], "test")
    index.add("en", ["Of dev!"], "dev")
    return index


KEPT = ("Haus", "house")
# config, the pair to drop, and why; it is between two copies of a pair, of which the first is kept
DROPPED: List[Tuple[Dict[str, Any], Tuple[str, str], str]] = [
    ({}, ("", "x"), "with an empty side"),
    ({}, ("x", "\u3000 \t"), "with an empty side"),
    ({}, ("x", "\ufeff"), "with an empty side"),
    ({}, ("\u200c", "x"), "with an empty side"),
    ({}, ("ein  TEST", "trial"), "in dev or test"),
    ({}, ("dev", "»of dev«"), "in dev or test"),
    ({"drop_identical": True}, ("Peter", " Peter\u00ad"), "with identical sides"),
    ({"min_length": 4}, (SHORT, LONG), "too short"),
    ({"min_length": 1, "max_length": 42}, (SHORT, LONG), "too long"),
    ({"max_length": 6, "length_unit": "words"}, (LONG, SHORT), "too long"),
    ({"max_length_ratio": 14}, (SHORT, LONG), "of too different lengths"),
    ({"max_length_ratio": 6.5, "length_unit": "words"}, (LONG, SHORT), "of too different lengths"),
    ({"identify_languages": True}, (ENGLISH, ENGLISH), "in another language"),
    ({"identify_languages": True}, (GERMAN, GERMAN), "in another language"),
]


@pytest.mark.parametrize(
    ("config", "pair", "reason"),
    DROPPED,
    ids=[f"{reason}-{pair[0]}" for _, pair, reason in DROPPED],
)
def test_a_filter_drops_what_it_is_for(
    tmp_path: Path, index: ContaminationIndex, config: Dict[str, Any], pair: tuple, reason: str
) -> None:
    kept, counts = clean(tmp_path, [KEPT, pair, KEPT], index=index, **config)
    assert kept == [KEPT]
    assert (counts.read, counts.kept, counts.dropped) == (3, 1, {reason: 1, "repeated": 1})


@pytest.mark.parametrize(
    ("config", "pair"),
    [
        ({}, ("Peter", "Peter")),
        ({"drop_held_out": False}, ("Ein Test.", "Of dev!")),
        ({}, ("A test.", "Ein Test.")),  # held out in the other language
        ({"min_length": 3, "max_length": 43}, (SHORT, LONG)),
        ({"max_length_ratio": 14.5}, (SHORT, LONG)),
        ({"max_length": 7, "max_length_ratio": 7, "length_unit": "words"}, (SHORT, LONG)),
        ({"identify_languages": True}, (GERMAN, ENGLISH)),
        ({"identify_languages": True}, ("All human beings", "Alle Menschen")),  # too short to tell
        ({"identify_languages": True, "identify_min_characters": 100}, (ENGLISH, GERMAN)),
        (
            {"identify_languages": True},
            ("12 345 678 901 234 567 890", "12 345 678 901 234 567 890"),
        ),
    ],
)
def test_a_filter_keeps_what_it_is_not_for(
    tmp_path: Path, index: ContaminationIndex, config: Dict[str, Any], pair: tuple
) -> None:
    kept, counts = clean(tmp_path, [KEPT, pair], index=index, **config)
    assert kept == [KEPT, pair]
    assert counts.dropped == {}


def test_repeated_pairs_stay_when_they_may(tmp_path: Path) -> None:
    assert clean(tmp_path, [KEPT, KEPT], drop_repeated=False)[0] == [KEPT, KEPT]


def test_pairs_are_compared_after_normalisation(tmp_path: Path) -> None:
    kept, counts = clean(
        tmp_path, [("e\u0301te\u0301", "summer"), ("été", "summer\u200b"), ("été", "Summer")]
    )
    assert kept == [("été", "summer"), ("été", "Summer")]
    assert counts.dropped == {"repeated": 1}
    assert counts.changed == {"to NFC": 1, "control characters": 1}


def test_a_pair_counts_under_the_first_filter_that_drops_it(
    tmp_path: Path, index: ContaminationIndex
) -> None:
    limits = {
        "drop_identical": True,
        "min_length": 8,
        "max_length": 50,
        "max_length_ratio": 2.0,
        "identify_languages": True,
    }
    index.add("de", [ENGLISH], "test")
    worst_first = [
        ("", ""),  # empty, identical, too short
        (SHORT, SHORT),  # identical, too short
        (SHORT, LONG * 2),  # too short, too long, uneven
        ("Ein Test.", LONG * 2),  # too long, uneven, held out
        ("Ein Test.", LONG),  # uneven, held out
        (ENGLISH[:40], ENGLISH[:30]),  # in another language
    ]
    index.add("en", [ENGLISH[:30]], "dev")
    _, counts = clean(tmp_path, [*worst_first, (ENGLISH[:40], ENGLISH[:35])], index=index, **limits)
    assert counts.dropped == {
        "with an empty side": 1,
        "with identical sides": 1,
        "too short": 1,
        "too long": 1,
        "of too different lengths": 1,
        "in dev or test": 1,
        "in another language": 1,
    }


def test_dev_loses_empty_and_test_sentences_only(tmp_path: Path, index: ContaminationIndex) -> None:
    strict = {
        "drop_identical": True,
        "min_length": 5,
        "max_length_ratio": 1.0,
        "identify_languages": True,
    }
    pairs = [
        ("x", "Of dev!"),
        ("", "x"),
        ("ein test", "x"),
        (SHORT, SHORT),
        (ENGLISH, GERMAN),
        ("x", "Of dev!"),
        ("e\u0301", "y\ufeff"),
    ]
    kept, counts = clean(tmp_path, pairs, "dev", index=index, **strict)
    assert kept == [
        ("x", "Of dev!"),
        (SHORT, SHORT),
        (ENGLISH, GERMAN),
        ("x", "Of dev!"),
        ("é", "y"),
    ]
    assert counts.dropped == {"with an empty side": 1, "in test": 1}
    assert clean(tmp_path, pairs, "dev", index=index, drop_held_out=False)[1].dropped == {
        "with an empty side": 1
    }


@pytest.mark.parametrize("part", ["supervised", "zero-shot", part_of_test_set("newstest2017")])
def test_a_test_set_keeps_every_line_and_all_but_its_white_space(
    tmp_path: Path, index: ContaminationIndex, part: str
) -> None:
    pairs = [("Ein Test.", "A test."), ("", "x"), ("e\u0301\u00ad", "\ufeffa\u00a0 b "), KEPT, KEPT]
    strict = CleaningConfig(
        "NFKC", drop_identical=True, min_length=5, max_length_ratio=1.0, identify_languages=True
    )
    counts = clean_pair(iter(pairs), tmp_path, ("de", "en"), "test", strict, index, part)
    lines = [
        list(read_lines(corpus_file(tmp_path, ("de", "en"), "test", language, part)))
        for language in ("de", "en")
    ]
    assert list(zip(*lines, strict=True)) == [
        (normalize_spaces(a), normalize_spaces(b)) for a, b in pairs
    ]
    assert asdict(counts) == {
        "read": 5,
        "kept": 5,
        "dropped": {},
        "changed": {"spaces": 1},
        "notes": [],
    }


def test_persian_keeps_its_zero_width_non_joiner(tmp_path: Path) -> None:
    pairs = [("I want", "می\u200cخواهم\u200f")]
    assert clean(tmp_path, pairs, pair=("en", "fa"))[0] == [("I want", "می\u200cخواهم")]


def plain_cleaning(pairs: Pairs, tests: set, devs: set) -> Tuple[Pairs, Dict[str, int]]:
    """The default rules for ASCII letters, as a loop over a list."""
    kept: Dict[Tuple[str, str], None] = {}
    dropped = {"with an empty side": 0, "in dev or test": 0, "repeated": 0}
    for raw in pairs:
        left, right = (" ".join(side.split()) for side in raw)
        reason = (
            "with an empty side"
            if not left or not right
            else "repeated"
            if (left, right) in kept
            else ""
        )
        if (
            left
            and right
            and any(side.replace(" ", "").lower() in tests | devs for side in (left, right))
        ):
            reason = "in dev or test"
        if reason:
            dropped[reason] += 1
        else:
            kept[left, right] = None
    return list(kept), dropped


@pytest.mark.parametrize("batch", [1, 7, 2000])
@pytest.mark.parametrize("records", [20, 2**20])
def test_random_text_is_cleaned_as_a_plain_loop_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int, records: int
) -> None:
    monkeypatch.setattr(cleaning, "BATCH", batch)
    monkeypatch.setattr(deduplicate, "RECORDS_IN_MEMORY", records)
    rng = random.Random(5)
    pairs = [
        (
            "".join(rng.choices("aB  ", k=rng.randrange(7))),
            "".join(rng.choices("cD  ", k=rng.randrange(7))),
        )
        for _ in range(1500)
    ]
    index = ContaminationIndex()
    index.add("de", ["ab", "a b a"], "test")
    index.add("en", ["CC", "d"], "dev")
    expected, dropped = plain_cleaning(pairs, {"ab", "aba"}, {"cc", "d"})
    kept, counts = clean(tmp_path, pairs, index=index)
    assert kept == expected
    assert counts.dropped == dropped
    assert counts.read == 1500 == counts.kept + sum(counts.dropped.values())


def test_sides_without_word_spaces_pass_limits_in_words_and_a_note_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pairs = [(LONG, "一二三四五六七八九"), (LONG + " and more", "一"), (SHORT, "二")]
    kept, counts = clean(
        tmp_path,
        pairs,
        pair=("en", "zh"),
        length_unit="words",
        min_length=2,
        max_length=8,
        max_length_ratio=1.1,
    )
    assert kept == pairs[:1]
    assert counts.dropped == {"too short": 1, "too long": 1}
    assert counts.notes == [
        "zh has no spaces between words: its sides pass the limits of length in words"
    ]
    assert f"en-zh train: {counts.notes[0]}" in caplog.text
    assert clean(tmp_path, pairs, pair=("en", "zh"), length_unit="words")[1].notes == []


def test_languages_that_cannot_be_identified_pass_and_a_note_says_so(tmp_path: Path) -> None:
    kept, counts = clean(
        tmp_path, [(ENGLISH, GERMAN), (GERMAN, GERMAN)], pair=("en", "yi"), identify_languages=True
    )
    assert kept == [(ENGLISH, GERMAN)]
    assert counts.dropped == {"in another language": 1}
    assert counts.notes == ["the language identifier doesn't know yi: its sides pass"]


def test_the_log_tells_what_became_of_the_pairs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleaning, "SECONDS_BETWEEN_REPORTS", 0)
    with caplog.at_level(logging.INFO):
        clean(tmp_path, [KEPT, KEPT, ("a  b", ""), ("x", "y")])
    assert "de-en train: 4 pairs cleaned, " in caplog.text
    assert (
        "de-en train: 2 pairs of 4 kept; "
        "dropped: 1 repeated, 1 with an empty side; changed: 1 spaces" in caplog.text
    )


def break_off() -> Iterator[Tuple[str, str]]:
    yield from [(f"Satz {number}", "x") for number in range(5000)]
    raise DataError("train.de, line 5001: not UTF-8")


@pytest.mark.parametrize("split", ["train", "dev", "test"])
@pytest.mark.parametrize(
    ("sentences", "message"),
    [
        (break_off, "line 5001: not UTF-8"),
        (lambda: [KEPT] * 2500 + [("\ud800", "x")], r"sentences 2001 to 4000: '\\ud800' is half a"),
    ],
    ids=["breaks off", "surrogate"],
)
def test_broken_input_leaves_nothing_behind_and_the_old_files_alone(
    tmp_path: Path, split: str, sentences: Any, message: str
) -> None:
    clean(tmp_path, [("alt", "old")], split)
    with pytest.raises(DataError, match=message):
        clean(tmp_path, sentences(), split, remove_control=False)
    assert read(tmp_path, split) == [("alt", "old")]
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 2
    assert len(os.listdir(tmp_path / "supervised" / "de-en")) == 2


def test_nothing_to_clean_makes_empty_files(tmp_path: Path) -> None:
    kept, counts = clean(tmp_path, [])
    assert kept == [] and asdict(counts) == asdict(SplitCounts())
    assert clean(tmp_path, [("", "x")])[1].dropped == {"with an empty side": 1}


def test_an_unknown_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="split is 'valid'; it must be train, dev or test"):
        clean(tmp_path, [KEPT], "valid")


def test_the_section_is_read_from_yaml() -> None:
    text = (
        "{unicode_form: none, max_length: null, max_length_ratio: 9, length_unit: words, "
        "drop_repeated: false}"
    )
    config = OmegaConf.to_object(
        OmegaConf.merge(OmegaConf.structured(CleaningConfig), OmegaConf.create(text))
    )
    assert config == CleaningConfig(
        unicode_form="none", max_length_ratio=9.0, length_unit="words", drop_repeated=False
    )
    with pytest.raises(ValidationError, match="max_length"):
        OmegaConf.merge(
            OmegaConf.structured(CleaningConfig), OmegaConf.create("{max_length: many}")
        )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"unicode_form": "nfc"}, "unicode_form is 'nfc'; choose one of NFC, NFKC, none"),
        ({"length_unit": "bytes"}, "length_unit is 'bytes'; choose one of characters, words"),
        ({"min_length": 0}, "min_length is 0; it must be at least 1"),
        ({"min_length": 9, "max_length": 8}, "max_length is 8; it must be at least 9"),
        ({"max_length_ratio": 0.5}, "max_length_ratio is 0.5; it must be at least 1"),
        ({"max_length_ratio": float("nan")}, "max_length_ratio is nan; it must be at least 1"),
        ({"identify_min_characters": -1}, "identify_min_characters is -1; it must be at least 0"),
        (
            {"identify_min_confidence": 1.0},
            "identify_min_confidence is 1.0; it must be at least 0 and below 1",
        ),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right(
    values: Dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError) as error:
        CleaningConfig(**values)
    assert str(error.value) == message


def test_a_missing_package_is_told_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deepnet_fairseq.data.language_identification.find_spec", lambda name: None)
    CleaningConfig().check_packages()
    with pytest.raises(DataError, match="pip install"):
        CleaningConfig(identify_languages=True).check_packages()


def test_the_fingerprint_names_the_identifiers_version() -> None:
    assert CleaningConfig().fingerprint() == asdict(CleaningConfig())
    assert CleaningConfig(identify_languages=True).fingerprint()["py3langid"].startswith("0.")


def peak_memory(folder: Path, count: int) -> int:
    """Return the peak memory of Python and numpy, in bytes, while `count` pairs are cleaned."""
    sentences = (
        (f"Satz {number % (count // 2 + 1)} und etwas mehr", f"sentence {number}")
        for number in range(count)
    )
    tracemalloc.start()
    try:
        counts = clean_pair(
            sentences, folder, ("de", "en"), "train", CleaningConfig(), ContaminationIndex()
        )
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        assert counts.kept == count


def test_memory_does_not_grow_with_the_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deduplicate, "RECORDS_IN_MEMORY", 4096)
    monkeypatch.setattr(deduplicate, "BATCH", 4096)
    small, large = (peak_memory(tmp_path, count) for count in (10000, 80000))
    # 8 bytes per pair would be 560,000; a Python set of digests takes ten times as much
    assert large - small < 300000


def test_peak_memory_sees_what_is_held_for_each_pair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deduplicate, "RECORDS_IN_MEMORY", 10**6)
    small, large = (peak_memory(tmp_path, count) for count in (10000, 30000))
    assert large - small > 300000
