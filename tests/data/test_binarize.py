"""Binary data: what fairseq reads back is the text, and every line of it."""

import logging
from pathlib import Path
from typing import List

import pytest
from fairseq.data import Dictionary, indexed_dataset

from deepnet_fairseq.data.binarize import ENCODING_BATCH, binarize, binary_prefix, check_binary, encode_file
from deepnet_fairseq.data.corpora.cldr import CldrConfig, build
from deepnet_fairseq.data.layout import DataError, Pair, corpus_file, read_lines
from deepnet_fairseq.data.vocabulary import VocabularyConfig, load_model, train_vocabulary

CORPUS = CldrConfig(
    languages=["ja", "ru"], zero_shot=["ja-ru"], train_lines=200, dev_lines=14, test_lines=16, countries=9, years=2, currencies=3, units=3
)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with corpus, vocabulary and data-bin."""
    root = tmp_path_factory.mktemp("work")
    build(CORPUS, root / "corpus")
    train_vocabulary(VocabularyConfig(size=300), root / "corpus", CORPUS.supervised_pairs(), root / "vocabulary")
    run(root, root / "data-bin")
    return root


def run(root: Path, data_bin: Path, workers: int = 1) -> dict:
    return binarize(root / "corpus", root / "vocabulary", data_bin, CORPUS.supervised_pairs(), CORPUS.zero_shot_pairs(), workers)


def decoded(work: Path, data_bin: Path, pair: Pair, split: str, language: str) -> List[str]:
    """Binary sentences as text again, through fairseq's dictionary and the vocabulary's model."""
    dictionary = Dictionary.load(str(data_bin / f"dict.{language}.txt"))
    dataset = indexed_dataset.make_dataset(str(binary_prefix(data_bin, pair, split, language)), impl="mmap")
    assert all(dataset[i][-1] == dictionary.eos() for i in range(len(dataset)))
    model = load_model(work / "vocabulary")
    return [model.decode(dictionary.string(dataset[i]).split()) for i in range(len(dataset))]


@pytest.mark.parametrize("pair", CORPUS.supervised_pairs(), ids="-".join)
@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_supervised_data_decode_to_the_text(work: Path, pair: Pair, split: str) -> None:
    for language in pair:
        assert decoded(work, work / "data-bin", pair, split, language) == list(
            read_lines(corpus_file(work / "corpus", pair, split, language))
        )


def test_zero_shot_pairs_have_a_test_set_and_nothing_else(work: Path) -> None:
    pair = ("ja", "ru")
    for language in pair:
        text = list(read_lines(corpus_file(work / "corpus", pair, "test", language, zero_shot=True)))
        assert decoded(work, work / "data-bin", pair, "test", language) == text
    assert not list((work / "data-bin").glob("train.ja-ru.*")) + list((work / "data-bin").glob("valid.ja-ru.*"))


def test_all_languages_share_one_dictionary_and_no_text_stays_behind(work: Path) -> None:
    names = {path.name for path in (work / "data-bin").iterdir()}
    shared = (work / "vocabulary/dict.txt").read_bytes()
    for language in CORPUS.all_languages():
        assert (work / f"data-bin/dict.{language}.txt").read_bytes() == shared
    assert {name for name in names if not name.startswith(("train.", "valid.", "test.", "dict."))} == {"preprocess.log"}


def test_lines_are_counted_commands_are_printed_and_stdout_stays_clean(work: Path, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    expected = {"en-ja": {"train": 200, "dev": 14, "test": 16}, "en-ru": {"train": 200, "dev": 14, "test": 16}, "ja-ru": {"test": 16}}
    handlers = list(logging.getLogger("fairseq_cli.preprocess").handlers)  # other tests in this process may have left some
    assert run(work, tmp_path, workers=2) == expected
    captured = capfd.readouterr()
    commands = [line for line in captured.err.splitlines() if line.startswith("fairseq-preprocess --source-lang")]
    assert captured.out == ""
    assert [command.split()[2:5:2] for command in commands] == [["en", "ja"], ["en", "ru"], ["ja", "ru"]]
    assert "--trainpref" in commands[0] and "--trainpref" not in commands[2]
    assert logging.getLogger("fairseq_cli.preprocess").handlers == handlers
    # each pair is reported once: no file handler of an earlier call is still at work
    assert (tmp_path / "preprocess.log").read_text(encoding="utf-8").count("Wrote preprocessed data") == 3


def test_several_workers_write_the_same_data(work: Path, tmp_path: Path) -> None:
    run(work, tmp_path, workers=2)
    for path in [path for path in tmp_path.iterdir() if path.suffix in (".bin", ".idx", ".txt")]:
        assert path.read_bytes() == (work / "data-bin" / path.name).read_bytes(), path.name


def test_text_is_encoded_line_by_line_over_batches(work: Path, tmp_path: Path) -> None:
    lines = [f"{n} км" if n % 3 else "" for n in range(ENCODING_BATCH + 3)]
    (tmp_path / "text").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    model = load_model(work / "vocabulary")
    encode_file(model, tmp_path / "text", tmp_path / "encoded")
    encoded = (tmp_path / "encoded").read_text(encoding="utf-8").split("\n")
    assert encoded.pop() == ""
    assert encoded == [" ".join(model.encode(line, out_type=str)) for line in lines]


def test_a_lost_line_is_noticed(work: Path) -> None:
    check_binary(work / "data-bin", ("en", "ja"), "dev", 14)
    with pytest.raises(DataError, match=r"valid\.en-ja\.en\.idx holds 14 sentences, but the text has 15 lines"):
        check_binary(work / "data-bin", ("en", "ja"), "dev", 15)
    with pytest.raises(DataError, match=r"valid\.ja-ru\.ja\.idx is missing"):
        check_binary(work / "data-bin", ("ja", "ru"), "dev", 14)


def test_a_missing_vocabulary_is_named(work: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"spm\.model is missing; run scripts/prepare\.sh"):
        binarize(work / "corpus", tmp_path, tmp_path / "data-bin", CORPUS.supervised_pairs(), [])
