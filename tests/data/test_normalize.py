"""What normalization changes, what stays, and which sentences count as copies of each other."""

import unicodedata
from collections import Counter
from itertools import pairwise
from typing import Dict, List

import pytest

from deepnet_fairseq.data.normalize import (
    comparison_forms,
    normalize_lines,
    normalize_spaces,
    remove_control,
)


def normalise(line: str, unicode_form: str = "NFC", without_control: bool = True) -> str:
    return normalize_lines([line], unicode_form, without_control, Counter())[0]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("\ufeffErste Zeile", "Erste Zeile"),
        ("Donau\u00addampf\u00adschiff", "Donaudampfschiff"),
        ("null\x00 bell\x07 esc\x1b del\x7f c1\x9b", "null bell esc del c1"),
        ("a \u200e\u200f b", "a b"),
        ("\u202bשלום\u202c (\u2067עולם\u2069)\u061c", "שלום (עולם)"),
        ("word\u2060joiner 2\u2062x \ufff9base\ufffatext\ufffb", "wordjoiner 2x basetext"),
        ("half \ud800 a pair", "half a pair"),
        ("zero\u200bwidth \u200b", "zerowidth"),
        ("\u200bភាសា\u200bខ្មែរ\u200b\u200bល្អ\u200b", "ភាសា\u200bខ្មែរ\u200bល្អ"),
    ],
    ids=[
        "byte order mark", "soft hyphen", "controls", "between spaces", "direction", "format",
        "surrogate", "Latin ZWSP", "Khmer ZWSP",
    ],
)  # fmt: skip
def test_what_readers_cannot_see_is_removed(line: str, expected: str) -> None:
    assert normalise(line) == expected


@pytest.mark.parametrize(
    "line",
    [
        "می\u200cخواهم",  # Persian: "I want"; without ZWNJ its letters join
        "ක්\u200dරම",  # Sinhala conjunct
        "ന്\u200d",  # Malayalam chillu in its older spelling, at the end of a word
        "👩\u200d👩\u200d👧",
        "ᠠᠷᠪᠠ\u180eᠠ",
        "\u0600١٢",
        "❤\ufe0f",
        "Straße naïve ½ ﬁ Ａ ²",
    ],
    ids=[
        "Persian",
        "Sinhala",
        "Malayalam",
        "emoji",
        "Mongolian",
        "Arabic number sign",
        "variation selector",
        "compatibility",
    ],
)
def test_what_spelling_needs_stays(line: str) -> None:
    assert normalise(line) == line


@pytest.mark.parametrize(
    ("form", "line", "expected"),
    [
        ("NFC", "e\u0301te\u0301", "été"),
        ("NFC", "e\u00ad\u0301", "é"),  # composed once what stood between is gone
        ("NFC", "ﬁ Ａ", "ﬁ Ａ"),
        ("NFKC", "ﬁ Ａ ½\u00a0m²", "fi A 1⁄2 m2"),
        (
            "NFKC",
            "a\u00b4 b",
            "a \u0301 b",
        ),  # a single accent becomes a space and a mark
        ("NFKC", "\u00b4 b", "\u0301 b"),
        ("none", "e\u0301", "e\u0301"),
    ],
)
def test_text_comes_in_the_unicode_form_asked_for(form: str, line: str, expected: str) -> None:
    assert normalise(line, form) == expected


def test_white_space_becomes_single_plain_spaces_even_when_nothing_else_may_change() -> None:
    assert (
        normalise(" a\u00a0\u3000b\tc\x85d\u2028e\nf \x1f", "none", without_control=False)
        == "a b c d e f"
    )
    assert normalise("a\u200bb", "none", without_control=False) == "a\u200bb"


def random_lines() -> List[str]:
    """Every character of the first plane and a few more, in lines of unlike lengths."""
    codes = [
        code
        for code in [*range(1, 0x10000), *range(0x1F5F0, 0x1F700), 0x2F800, 0x1D15E]
        if not 0xD800 <= code < 0xE000
    ]
    shuffled = sorted(codes, key=lambda code: code * 2654435761 % 2**32)
    cuts = [start + start % 13 for start in range(0, len(shuffled), 17)]
    return ["".join(map(chr, shuffled[start:end])) for start, end in pairwise(cuts)]


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
def test_many_lines_at_once_come_out_as_one_by_one_and_stay_so(form: str) -> None:
    lines = random_lines()
    together = normalize_lines(lines, form, True, Counter())
    one_by_one = [
        " ".join(unicodedata.normalize(form, remove_control(" ".join(line.split()))).split())
        for line in lines
    ]
    assert together == one_by_one
    again: Counter = Counter()
    assert normalize_lines(together, form, True, again) == together
    assert sum(again.values()) == 0


def test_each_step_counts_the_lines_that_it_changed() -> None:
    changed: Counter = Counter()
    normalize_lines(
        ["plain", "two  spaces", "soft\u00adhyphen", "e\u0301  and\u00ad", ""], "NFC", True, changed
    )
    assert changed == {"spaces": 2, "control characters": 2, "to NFC": 1}


SAME: Dict[str, List[str]] = {
    "case": ["The House", "THE HOUSE", "the house"],
    "punctuation": ["Wait: what?", "Wait, what?!", "„Wait – what…“", "Wait what", "» Wait what «"],
    "spaces": ["ab cd", "a b c d", "abcd\u00a0"],
    "unicode": ["été", "e\u0301te\u0301", "ÉTÉ"],
    "width": ["ＡＢＣ１２３、。", "abc123"],
    "sharp s": ["STRASSE", "Straße"],
    "invisible": ["می\u200cخواهم", "میخواهم", "\ufeffمیخواهم\u200f"],
    "symbols": ["♪ la la ♪", "la la", "🙂 la la"],
    "Greek": ["Ο ΛΌΓΟΣ", "ο λόγος"],
}


@pytest.mark.parametrize("variants", SAME.values(), ids=SAME)
def test_trivially_altered_copies_share_a_form(variants: List[str]) -> None:
    assert len(set(comparison_forms(variants))) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Page 3", "Page 7"),
        ("schon", "schön"),
        ("कि", "की"),
        ("?", "!"),
        ("…", "?!"),
        ("a", ""),
        ("がく", "かく"),
        ("I", "ı"),
    ],
)
def test_different_sentences_have_different_forms(one: str, other: str) -> None:
    assert len(set(comparison_forms([one, other]))) == 2


def test_forms_of_many_lines_are_those_of_each() -> None:
    lines = [" ".join(line.split()) for line in random_lines()] + ["", "half \ud800"]
    assert comparison_forms(lines) == [comparison_forms([line])[0] for line in lines]


def test_no_lines_make_no_lines() -> None:
    assert normalize_lines([], "NFC", True, Counter()) == comparison_forms([]) == []


def test_a_form_holds_letters_marks_and_numbers_only() -> None:
    for form in comparison_forms(
        [
            f"a{chr(code)}"
            for code in range(0x20, 0x10000)
            if not 0xD800 <= code < 0xE000 and chr(code) != "\x85"
        ]
    ):
        kept = {unicodedata.category(character)[0] for character in form.decode()[1:]}
        # C: private use and unassigned
        assert kept <= {"L", "M", "N", "C"}, form.decode()


def test_every_kind_of_white_space_becomes_one_space() -> None:
    assert normalize_spaces("\u3000a\u00a0\u202fb\tc\u2028d ") == "a b c d"
