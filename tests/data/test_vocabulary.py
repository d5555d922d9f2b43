"""The shared vocabulary: its sample, its options, and ids that fairseq agrees with."""

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import List

import pytest
import sentencepiece
from fairseq.data import Dictionary
from fairseq.data.multilingual.multilingual_utils import augment_dictionary

from deepnet_fairseq.data.bitext import write_pair
from deepnet_fairseq.data.vocabulary import (
    VocabularyConfig,
    load_model,
    train_vocabulary,
)
from deepnet_fairseq.data.vocabulary_sample import balanced_sample, sample_sizes
from deepnet_fairseq.errors import DataError

PAIRS = [("de", "en"), ("en", "zu")]
LINES = {"de": 900, "en": 960, "zu": 60}  # English is in both pairs
CONFIG = VocabularyConfig(size=90, sampling_temperature=5.0, sample_lines=1000)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("corpus")
    rng = random.Random(1)
    words = ["".join(rng.choices("abdeghiklmnorstu", k=rng.randint(3, 7))) for _ in range(150)]
    lines = [f"{n} {' '.join(rng.choices(words, k=4))}" for n in range(LINES["en"])]
    write_pair(
        root, ("de", "en"), "train", ((f"de {line}", f"en {line}") for line in lines[: LINES["de"]])
    )
    write_pair(
        root, ("en", "zu"), "train", ((f"en {line}", f"zu {line}") for line in lines[LINES["de"] :])
    )
    return root


def train(
    config: VocabularyConfig, corpus: Path, directory: Path
) -> sentencepiece.SentencePieceProcessor:
    train_vocabulary(config, corpus, PAIRS, directory)
    return load_model(directory)


def sample_of(corpus: Path, config: VocabularyConfig) -> List[str]:
    lines, temperature = config.sample_lines, config.sampling_temperature
    return list(balanced_sample(corpus, PAIRS, lines, temperature, config.seed))


@pytest.mark.parametrize(
    ("temperature", "total", "expected"),
    [
        (1.0, 3400, {"a": 3125, "b": 243, "c": 32}),  # as they are
        (5.0, 1000, {"a": 500, "b": 300, "c": 200}),  # 5^5, 3^5, 2^5 lines -> 5 : 3 : 2
        (5.0, 7, {"a": 4, "b": 2, "c": 1}),  # 3.5, 2.1, 1.4: the largest remainder is rounded up
        (1e9, 999, {"a": 333, "b": 333, "c": 333}),  # even
    ],
)
def test_sample_sizes_follow_the_temperature(
    temperature: float, total: int, expected: dict
) -> None:
    assert sample_sizes({"a": 5**5, "b": 3**5, "c": 2**5}, temperature, total) == expected


@pytest.mark.parametrize("total", [1, 2, 7, 100, 1001])
def test_sample_sizes_add_up(total: int) -> None:
    assert sum(sample_sizes({"a": 5, "b": 17, "c": 3}, 3.0, total).values()) == total


def test_a_small_language_is_repeated_to_its_full_share(corpus: Path) -> None:
    sample = sample_of(corpus, CONFIG)
    by_language = Counter(line.split()[0] for line in sample)
    weights = {
        language: count ** (1 / CONFIG.sampling_temperature) for language, count in LINES.items()
    }
    for language, weight in weights.items():
        assert by_language[language] == pytest.approx(1000 * weight / sum(weights.values()), abs=1)
    assert by_language["zu"] > LINES["zu"]
    repeats = Counter(line for line in sample if line.startswith("zu"))
    assert (
        len(repeats) == LINES["zu"]
    )  # every line is used, none more than once more often than another
    assert max(repeats.values()) - min(repeats.values()) == 1
    assert max(Counter(line for line in sample if line.startswith("de")).values()) == 1


def test_the_sample_is_drawn_by_the_seed(corpus: Path) -> None:
    samples = [sample_of(corpus, replace(CONFIG, seed=seed)) for seed in (1, 1, 2)]
    assert samples[0] == samples[1] != samples[2]


def test_the_sample_is_no_larger_than_the_corpus(corpus: Path) -> None:
    assert len(sample_of(corpus, replace(CONFIG, sample_lines=10**9))) == sum(LINES.values())


def test_training_twice_gives_the_same_model(corpus: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        train(CONFIG, corpus, tmp_path / name)
    for name in ("spm.model", "dict.txt"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_a_piece_has_the_same_id_in_fairseq(corpus: Path, tmp_path: Path, model_type: str) -> None:
    model = train(replace(CONFIG, model_type=model_type), corpus, tmp_path)
    dictionary = Dictionary.load(str(tmp_path / "dict.txt"))
    assert len(dictionary) == model.get_piece_size() == CONFIG.size
    assert dictionary.symbols == [model.id_to_piece(piece_id) for piece_id in range(CONFIG.size)]
    assert (dictionary.bos(), dictionary.pad(), dictionary.eos(), dictionary.unk()) == (0, 1, 2, 3)


def test_split_digits_makes_every_digit_a_piece(corpus: Path, tmp_path: Path) -> None:
    def numbers(model: sentencepiece.SentencePieceProcessor) -> List[str]:
        pieces = [model.id_to_piece(piece_id) for piece_id in range(model.get_piece_size())]
        return [piece for piece in pieces if sum(char.isdigit() for char in piece) > 1]

    assert not numbers(train(CONFIG, corpus, tmp_path / "split"))
    assert numbers(train(replace(CONFIG, split_digits=False), corpus, tmp_path / "whole"))


def test_byte_fallback_spells_what_the_sample_never_had(corpus: Path, tmp_path: Path) -> None:
    unseen = "日本 → ÿ"
    without = train(CONFIG, corpus, tmp_path / "without")
    spelled = train(replace(CONFIG, byte_fallback=True, size=346), corpus, tmp_path / "bytes")
    assert without.decode(without.encode(unseen)) != unseen
    assert spelled.decode(spelled.encode(unseen)) == unseen
    dictionary = Dictionary.load(str(tmp_path / "bytes" / "dict.txt"))
    assert dictionary.unk() not in dictionary.encode_line(
        " ".join(spelled.encode(unseen, out_type=str)), add_if_not_exist=False
    )


@pytest.mark.parametrize(
    "text", ["ﬁ ½ ² …", "（全角）"], ids=["compatibility characters", "full width"]
)
def test_text_is_not_normalised_away_from_the_references(tmp_path: Path, text: str) -> None:
    rng = random.Random(1)
    words = ["".join(rng.choices("abcdefgh", k=5)) for _ in range(200)]
    write_pair(tmp_path, ("de", "en"), "train", [(f"{text} {word}", word) for word in words])
    train_vocabulary(replace(CONFIG, size=40), tmp_path, [("de", "en")], tmp_path / "vocabulary")
    model = load_model(tmp_path / "vocabulary")
    assert model.decode(model.encode(text)) == text


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
@pytest.mark.parametrize(
    ("size", "message"),
    [
        (5000, r"vocabulary\.size is 5000, but the text yields at most \d+ pieces"),
        (10, r"vocabulary\.size is 10, but .* need \d+; raise it"),
    ],
    ids=["too large", "too small"],
)
def test_a_size_that_the_text_cannot_give_is_explained(
    corpus: Path, tmp_path: Path, model_type: str, size: int, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        train(replace(CONFIG, size=size, model_type=model_type), corpus, tmp_path)


def test_a_soft_limit_takes_what_the_text_yields(corpus: Path, tmp_path: Path) -> None:
    model = train(replace(CONFIG, size=5000, hard_limit=False), corpus, tmp_path)
    assert 90 < model.get_piece_size() < 5000
    assert len(Dictionary.load(str(tmp_path / "dict.txt"))) == model.get_piece_size()


def test_language_tags_are_pieces_that_text_never_becomes(corpus: Path, tmp_path: Path) -> None:
    train_vocabulary(
        replace(CONFIG, language_tags=True), corpus, PAIRS, tmp_path, ["de", "en", "fr", "zu"]
    )
    model, dictionary = load_model(tmp_path), Dictionary.load(str(tmp_path / "dict.txt"))
    tags = [f"__{language}__" for language in ("de", "en", "fr", "zu")]
    assert (
        [dictionary.index(tag) for tag in tags]
        == [4, 5, 6, 7]
        == [model.piece_to_id(tag) for tag in tags]
    )
    size = len(dictionary)
    augment_dictionary(
        dictionary, ["de", "zu"], "multilingual"
    )  # what fairseq's multilingual tasks do
    assert len(dictionary) == size
    assert not {4, 5, 6, 7} & set(model.encode("__de__ __en__"))


def test_a_given_model_is_taken_as_it_is(corpus: Path, tmp_path: Path) -> None:
    train(CONFIG, corpus, tmp_path / "first")
    given = VocabularyConfig(model="first/spm.model")
    given.resolve_paths(tmp_path)
    assert train_vocabulary(given, corpus, PAIRS, tmp_path / "second") == {"pieces": CONFIG.size}
    for name in ("spm.model", "dict.txt"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    before = given.fingerprint()
    train(replace(CONFIG, size=80), corpus, tmp_path / "first")
    assert given.fingerprint() != before


def test_a_given_model_that_is_none_is_named(corpus: Path, tmp_path: Path) -> None:
    given = VocabularyConfig(model="spm.model")
    given.resolve_paths(tmp_path / "given")
    with pytest.raises(DataError, match=r"vocabulary\.model: there is no file \S*given/spm\.model"):
        given.fingerprint()
    (tmp_path / "given").mkdir()
    (tmp_path / "given/spm.model").write_text("no model")
    with pytest.raises(DataError, match=r"spm\.model is not a SentencePiece model"):
        train_vocabulary(given, corpus, PAIRS, tmp_path / "vocabulary")


def test_a_language_without_text_is_named(tmp_path: Path) -> None:
    write_pair(tmp_path, ("de", "en"), "train", [])
    with pytest.raises(DataError, match="no training sentences in de, en"):
        train_vocabulary(CONFIG, tmp_path, [("de", "en")], tmp_path / "vocabulary")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "wordpiece"}, "'wordpiece'; choose one of unigram, bpe"),
        ({"sampling_temperature": 0.5}, "it must be at least 1"),
        ({"character_coverage": 1.5}, "it must be above 0"),
        ({"sample_lines": 0}, "sample_lines is 0"),
        ({"model": "spm.model", "language_tags": True}, "pieces cannot be added to a given model"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_wrong_config_is_explained(changes: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        replace(CONFIG, **changes)
