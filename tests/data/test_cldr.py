"""The embedded corpus: deterministic, disjoint, aligned, and what CLDR says."""

import hashlib
import os
import subprocess
import sys
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Dict, List, Set, Tuple

import pytest

from deepnet_fairseq.data.bitext import SUPERVISED, ZERO_SHOT, check_pair, corpus_file
from deepnet_fairseq.data.corpora.build import BuildContext
from deepnet_fairseq.data.corpora.cldr import CldrCorpus
from deepnet_fairseq.data.corpora.cldr_phrasebook import Phrasebook
from deepnet_fairseq.data.corpora.cldr_phrases import (
    country_name,
    locale_of,
    moment,
    price,
    quantity,
)
from deepnet_fairseq.data.corpora.cldr_sentences import KINDS, Sentences
from deepnet_fairseq.data.download import Downloads
from deepnet_fairseq.data.filters import CleaningConfig
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.io import read_lines
from deepnet_fairseq.parallel import Jobs

CONTEXT = BuildContext(Downloads(Path("none")), CleaningConfig(), Jobs())
SMALL = CldrCorpus(
    languages=["de", "ja", "ar"],
    zero_shot=["ja-de", "ar-de"],
    train_lines=300,
    dev_lines=23,
    test_lines=31,
    countries=9,
    years=2,
)


def digest(root: Path) -> Dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("opus.*"))
    }


def text(
    root: Path, pair: Tuple[str, str], split: str, language: str, part: str = SUPERVISED
) -> List[str]:
    return list(read_lines(corpus_file(root, pair, split, language, part)))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cldr")
    SMALL.build(root, CONTEXT)
    return root


def test_the_same_seed_gives_the_same_bytes_in_any_process(corpus: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from deepnet_fairseq.data.corpora.cldr import CldrCorpus\n"
        "from deepnet_fairseq.data.filters import CleaningConfig\n"
        "from deepnet_fairseq.data.corpora.build import BuildContext\n"
        "from deepnet_fairseq.data.download import Downloads\n"
        "from deepnet_fairseq.parallel import Jobs\n"
        "context = BuildContext(Downloads(Path('none')), CleaningConfig(), Jobs())\n"
        f"{SMALL!r}.build(Path(sys.argv[1]), context)"
    )
    environment = {
        **os.environ,
        "PYTHONHASHSEED": "7",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, env=environment)
    assert digest(tmp_path) == digest(corpus)


def test_another_seed_gives_other_sentences(corpus: Path, tmp_path: Path) -> None:
    replace(SMALL, seed=2).build(tmp_path, CONTEXT)
    assert digest(tmp_path).keys() == digest(corpus).keys()
    assert not set(digest(tmp_path).values()) & set(digest(corpus).values())


def test_every_split_has_the_lines_asked_for_on_both_sides(corpus: Path) -> None:
    for pair in SMALL.supervised_pairs():
        assert [check_pair(corpus, pair, split) for split in ("train", "dev", "test")] == [
            300,
            23,
            31,
        ]
    for pair in SMALL.zero_shot_pairs():
        assert check_pair(corpus, pair, "test", part=ZERO_SHOT) == 31
        assert not corpus_file(corpus, pair, "train", pair[0], part=ZERO_SHOT).exists()


def test_no_sentence_of_a_language_stands_in_two_splits_of_any_pair(corpus: Path) -> None:
    sentences: Dict[Tuple[str, str], Set[str]] = {}
    for pair in SMALL.supervised_pairs():
        for split in ("train", "dev", "test"):
            for language in pair:
                sentences.setdefault((language, split), set()).update(
                    text(corpus, pair, split, language)
                )
    for pair in SMALL.zero_shot_pairs():
        for language in pair:
            sentences[language, "test"].update(text(corpus, pair, "test", language, part=ZERO_SHOT))
    for language in SMALL.all_languages():
        train, dev, test = (sentences[language, split] for split in ("train", "dev", "test"))
        assert not train & dev and not train & test and not dev & test
        assert (len(dev), len(test)) == (
            23,
            31,
        )  # the same contents in all pairs, and each only once


def test_a_training_sentence_has_one_translation(corpus: Path) -> None:
    for pair in SMALL.supervised_pairs():
        for language in pair:
            sentences = text(corpus, pair, "train", language)
            assert len(set(sentences)) == len(sentences)


def test_test_sets_are_parallel_over_all_languages(corpus: Path) -> None:
    english = [text(corpus, pair, "test", "en") for pair in SMALL.supervised_pairs()]
    assert english[0] == english[1] == english[2]
    assert text(corpus, ("de", "ja"), "test", "ja", part=ZERO_SHOT) == text(
        corpus, ("en", "ja"), "test", "ja"
    )


def test_text_is_composed_and_free_of_odd_spaces_and_direction_marks(corpus: Path) -> None:
    for path in corpus.rglob("opus.*"):
        content = path.read_text(encoding="utf-8")
        assert unicodedata.is_normalized("NFC", content)
        assert not {
            char
            for char in content
            if unicodedata.category(char) in ("Zs", "Zl", "Zp", "Cc") and char not in " \n"
        }
        assert not set(content) & set("\u061c\u200e\u200f")
        assert "  " not in content and " \n" not in content


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [  # as published in CLDR's charts
        (country_name(locale_of("de"), "US"), "Vereinigte Staaten"),
        (quantity(locale_of("ru"), "length-kilometer", 1), "1 километр"),
        (quantity(locale_of("ru"), "length-kilometer", 3), "3 километра"),
        (quantity(locale_of("ru"), "length-kilometer", 5), "5 километров"),
        (quantity(locale_of("zh"), "length-kilometer", 5), "5公里"),
        (price(locale_of("en"), "USD", 1), "1 US dollar"),
        (price(locale_of("en"), "USD", 40), "40 US dollars"),
        (moment(locale_of("de"), "day", -24), "vor 24 Tagen"),
        (moment(locale_of("en"), "day", 45), "in 45 days"),
        (moment(locale_of("fr"), "second", 90), "dans 90 secondes"),
    ],
)
def test_phrases_are_cldrs(phrase: str, expected: str) -> None:
    assert phrase == expected


@pytest.mark.parametrize("kind", KINDS)
def test_a_small_kind_enumerates_distinct_contents(kind: str) -> None:
    config = replace(
        SMALL, countries=4, currencies=2, units=2, language_names=4, max_number=2, years=1
    )
    sentences = Sentences(Phrasebook(config.all_languages(), config), [kind])
    count = sentences.count(kind)
    numbers = range(0, count, max(1, count // 2000))
    for language in config.all_languages():
        assert len({sentences.render(language, kind, number) for number in numbers}) == len(numbers)


def test_the_whole_of_a_small_inventory_can_be_used(tmp_path: Path) -> None:
    # 4 countries taken 3 at a time, in order
    config = replace(
        SMALL, kinds=["choice"], countries=4, train_lines=20, dev_lines=2, test_lines=2
    )
    config.build(tmp_path, CONTEXT)
    assert check_pair(tmp_path, ("de", "en"), "train") == 20
    with pytest.raises(
        DataError, match="21 [+] 2 [+] 2 per pair, but the inventory yields only 24 distinct"
    ):
        replace(config, train_lines=21).build(tmp_path, CONTEXT)


def test_all_opus100_languages_that_cldr_has_can_be_spoken() -> None:
    # OPUS-100's codes, all but li, which CLDR hasn't
    codes = (
        "af am an ar as az be bg bn br bs ca cs cy da de dz el eo es et eu fa fi fr fy ga gd gl gu "
        "ha he hi hr hu hy id ig is it ja ka kk "
        "km kn ko ku ky lt lv mg mk ml mn mr ms mt my nb ne nl nn no oc or pa pl ps pt ro ru rw se "
        "sh si sk sl sq sr sv ta te tg th tk tr "
        "tt ug uk ur uz vi wa xh yi yo zh zu"
    ).split()
    config = CldrCorpus(
        languages=["de"],
        countries=5,
        currencies=3,
        units=2,
        language_names=5,
        max_number=3,
        years=1,
    )
    for code in codes:
        try:
            sentences = Sentences(Phrasebook(["en", code], config), list(KINDS))
        except DataError as error:
            assert f"missing or ambiguous in {code}" in str(
                error
            )  # an, dz, … lack names; the message says so
            continue
        for kind in KINDS:
            assert sentences.render(code, kind, sentences.count(kind) - 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"languages": []}, "languages is empty"),
        ({"languages": ["de", "en"]}, "leave the pivot 'en' out"),
        ({"languages": ["de", "de"]}, "name each language once"),
        ({"zero_shot": ["de-fr"]}, "'fr' is not one of the languages"),
        ({"zero_shot": ["de"]}, "'de' is not a language pair"),
        ({"kinds": ["poem"]}, "choose one or more of visit"),
        ({"kinds": []}, "choose one or more of visit"),
        ({"dev_lines": 0}, "dev_lines is 0; it must be at least 1"),
        ({"first_year": 9999}, "first_year is 9999"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_wrong_config_is_explained(changes: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        replace(SMALL, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"languages": ["tlh"], "zero_shot": []}, "'tlh' is not a language of CLDR"),
        ({"countries": 1000}, r"corpus.countries is 1000, but only \d\d have a name of their own"),
        ({"units": 1000}, "corpus.units is 1000, but only"),
    ],
    ids=["language", "countries", "units"],
)
def test_an_inventory_that_does_not_suffice_is_explained(
    tmp_path: Path, changes: dict, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        replace(SMALL, **changes).build(tmp_path, CONTEXT)
    assert not list(tmp_path.iterdir())
