"""Binary data: the bytes of SentencePiece and fairseq-preprocess, every line once, in shards."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Dict, List, Sequence

import pytest
import sentencepiece
from fairseq import options
from fairseq.data import Dictionary, indexed_dataset
from fairseq_cli import preprocess

from deepnet_fairseq.data import encoder
from deepnet_fairseq.data.binarize import (
    FAIRSEQ_SPLIT,
    BinarizationConfig,
    binarize,
    binary_prefix,
    check_binary,
    data_paths,
)
from deepnet_fairseq.data.bitext import SUPERVISED, ZERO_SHOT, corpus_file, write_pair
from deepnet_fairseq.data.encoder import Encoder
from deepnet_fairseq.data.vocabulary import (
    VocabularyConfig,
    load_dictionary,
    load_model,
    train_vocabulary,
)
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.io import read_lines
from deepnet_fairseq.languages import Pair
from deepnet_fairseq.parallel import Jobs

PAIRS: List[Pair] = [("en", "ja"), ("en", "ru")]
LANGUAGES = ["en", "ja", "ru"]
TED = "test-sets/ted"
PARTS = {
    "supervised/en-ja": ["train", "dev", "test"],
    "supervised/en-ru": ["train"],  # published without dev and test
    "zero-shot/ja-ru": ["test"],
    f"{TED}/en-ru": ["test"],
}
LINES = {
    "en-ja": {"train": 203, "dev": 14, "test": 16},
    "en-ru": {"train": 203, "ted": 11},
    "ja-ru": {"test": 16},
}
ALPHABETS = {
    "en": "abcdeghilmnorst",
    "ja": "あいうえおかきくけこさしすせそ漢字",
    "ru": "абвгдежзиклмнопрст",
}


def sentences(language: str, count: int, seed: int) -> List[str]:
    """Made-up sentences: with numbers, empty, long, and of characters that no vocabulary has."""
    draw = random.Random(f"{language}{seed}")
    words = ["".join(draw.choices(ALPHABETS[language], k=draw.randint(1, 7))) for _ in range(60)]
    lines = [
        " ".join(draw.choices(words, k=draw.randint(1, 9)) + [str(draw.randint(0, 999))])
        for _ in range(count)
    ]
    return [*lines[: count - 3], "", "☃ ☄☄x ☃", " ".join(words * 4)]


def write(root: Path, pair: Pair, split: str, count: int, part: str = SUPERVISED) -> None:
    sides = [sentences(language, count, seed) for seed, language in enumerate(pair)]
    write_pair(root, pair, split, zip(*sides, strict=True), part=part)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with corpus, vocabulary and data-bin."""
    root = tmp_path_factory.mktemp("work")
    for pair in PAIRS:
        write(root / "corpus", pair, "train", 203)
    for split, count in (("dev", 14), ("test", 16)):
        write(root / "corpus", ("en", "ja"), split, count)
    write(root / "corpus", ("ja", "ru"), "test", 16, ZERO_SHOT)
    write(root / "corpus", ("en", "ru"), "test", 11, TED)
    # Not all characters get a piece: some are unknown.
    train_vocabulary(
        VocabularyConfig(size=160, character_coverage=0.98),
        root / "corpus",
        PAIRS,
        root / "vocabulary",
    )
    assert run(root, root / "data-bin") == LINES
    return root


def run(root: Path, data_bin: Path, workers: int = 1) -> Dict[str, Dict[str, int]]:
    return binarize(
        root / "corpus",
        root / "vocabulary",
        data_bin,
        PARTS,
        LANGUAGES,
        BinarizationConfig(),
        Jobs(workers),
    )


def text_file(work: Path, pair: Pair, split: str, language: str, part: str = SUPERVISED) -> Path:
    return corpus_file(work / "corpus", pair, split, language, part)


def reference(
    work: Path, vocabulary: Path, folder: Path, pair: Pair, splits: Sequence[str]
) -> Path:
    """The same data from SentencePiece's pieces as text and fairseq-preprocess."""
    model = load_model(vocabulary)
    words = [
        "--source-lang",
        pair[0],
        "--target-lang",
        pair[1],
        "--destdir",
        str(folder / "bin"),
        "--workers",
        "2",
    ]
    words += ["--srcdict", str(vocabulary / "dict.txt"), "--tgtdict", str(vocabulary / "dict.txt")]
    for split in splits:
        for language in pair:
            encoded = [
                " ".join(model.encode(line, out_type=str)) + "\n"
                for line in read_lines(text_file(work, pair, split, language))
            ]
            folder.mkdir(exist_ok=True)
            (folder / f"{split}.{language}").write_text("".join(encoded), encoding="utf-8")
        words += [f"--{FAIRSEQ_SPLIT[split]}pref", str(folder / split)]
    preprocess.main(options.get_preprocessing_parser().parse_args(words))
    return folder / "bin"


def binary_files(folder: Path) -> Dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.suffix in (".bin", ".idx") or path.name.startswith("dict.")
    }


def decoded(work: Path, prefix: Path) -> List[str]:
    """Binary sentences as text again, through fairseq's dictionary and the vocabulary's model."""
    dictionary = load_dictionary(work / "vocabulary")
    dataset = indexed_dataset.make_dataset(str(prefix), impl="mmap")
    assert all(dataset[i][-1] == dictionary.eos() for i in range(len(dataset)))
    model = load_model(work / "vocabulary")
    return [model.decode(dictionary.string(dataset[i]).split()) for i in range(len(dataset))]


def test_the_bytes_are_those_of_sentencepiece_and_fairseq_preprocess(
    work: Path, tmp_path: Path
) -> None:
    expected = binary_files(
        reference(work, work / "vocabulary", tmp_path, ("en", "ja"), ["train", "dev", "test"])
    )
    assert len(expected) == 3 * 2 * 2 + 2
    actual = binary_files(work / "data-bin")
    assert {name: actual[name] for name in expected} == expected
    unknown = load_dictionary(work / "vocabulary").unk()
    train = indexed_dataset.make_dataset(
        str(binary_prefix(work / "data-bin", ("en", "ja"), "train", "en")), impl="mmap"
    )
    assert any(
        unknown in train[i] for i in range(len(train))
    )  # or the comparison would say nothing about them


def test_the_bytes_are_the_same_with_a_model_of_someone_elses(work: Path, tmp_path: Path) -> None:
    # Its ids are <unk> 0, <s> 1, </s> 2, no <pad>; it has byte pieces and a normalization.
    sentencepiece.SentencePieceTrainer.train(
        input=str(text_file(work, ("en", "ja"), "train", "en")),
        model_prefix=str(tmp_path / "other"),
        vocab_size=320,
        byte_fallback=True,
        minloglevel=2,
    )
    given = VocabularyConfig(model=str(tmp_path / "other.model"))
    train_vocabulary(given, work / "corpus", PAIRS, tmp_path / "vocabulary")
    parts = {"supervised/en-ja": ["train", "dev"]}
    binarize(
        work / "corpus",
        tmp_path / "vocabulary",
        tmp_path / "data-bin",
        parts,
        ["en", "ja"],
        BinarizationConfig(),
        Jobs(),
    )
    expected = binary_files(
        reference(
            work, tmp_path / "vocabulary", tmp_path / "reference", ("en", "ja"), ["train", "dev"]
        )
    )
    assert binary_files(tmp_path / "data-bin") == expected


@pytest.mark.parametrize("block", [1, 100, 10**6])
@pytest.mark.parametrize("threads", [1, 2])
def test_blocks_and_threads_do_not_show(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, threads: int
) -> None:
    monkeypatch.setattr(encoder, "BLOCK", block)
    assert (
        Encoder(work / "vocabulary", threads).write(
            text_file(work, ("en", "ja"), "train", "ja"), tmp_path / "out"
        )
        == 203
    )
    for kind in ("bin", "idx"):
        expected = (work / f"data-bin/train.en-ja.ja.{kind}").read_bytes()
        assert (tmp_path / f"out.{kind}").read_bytes() == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.bin", "out.idx"]


def test_a_last_line_without_a_newline_counts(work: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("аб\n\nв", encoding="utf-8")
    assert Encoder(work / "vocabulary").write(tmp_path / "text", tmp_path / "out") == 3
    assert decoded(work, tmp_path / "out") == ["аб", "", "в"]


def test_a_vocabulary_of_more_than_65_500_pieces_takes_four_bytes_an_index(
    work: Path, tmp_path: Path
) -> None:
    (tmp_path / "vocabulary").mkdir()
    (tmp_path / "vocabulary/spm.model").write_bytes((work / "vocabulary/spm.model").read_bytes())
    dictionary = load_dictionary(work / "vocabulary")
    for number in range(65_500):
        dictionary.add_symbol(f"more{number}")
    dictionary.save(str(tmp_path / "vocabulary/dict.txt"))
    source = text_file(work, ("en", "ja"), "dev", "en")
    Encoder(tmp_path / "vocabulary").write(source, tmp_path / "out")
    dataset = indexed_dataset.make_dataset(str(tmp_path / "out"), impl="mmap")
    assert (
        dataset._index.dtype
        == indexed_dataset.best_fitting_int_dtype(len(dictionary))
        != indexed_dataset.best_fitting_int_dtype(160)
    )
    narrow = indexed_dataset.make_dataset(str(work / "data-bin/valid.en-ja.en"), impl="mmap")
    assert [dataset[i].tolist() for i in range(14)] == [narrow[i].tolist() for i in range(14)]


def test_pairs_that_are_only_tested_have_a_test_set_and_nothing_else(work: Path) -> None:
    for pair, split, part in ((("ja", "ru"), "test", ZERO_SHOT), (("en", "ru"), "ted", TED)):
        for language in pair:
            text = list(read_lines(text_file(work, pair, "test", language, part)))
            dataset = indexed_dataset.make_dataset(
                str(binary_prefix(work / "data-bin", pair, split, language)), impl="mmap"
            )
            model = load_model(work / "vocabulary")
            assert [dataset[i].tolist() for i in range(len(dataset))] == [
                [*model.encode(line), model.eos_id()] for line in text
            ]
    assert not list((work / "data-bin").glob("train.ja-ru.*")) + list(
        (work / "data-bin").glob("valid.*-ru.*")
    )


def test_all_languages_share_one_dictionary_and_no_text_stays_behind(work: Path) -> None:
    shared = (work / "vocabulary/dict.txt").read_bytes()
    names = {path.name for path in (work / "data-bin").iterdir()}
    for language in LANGUAGES:
        assert (work / f"data-bin/dict.{language}.txt").read_bytes() == shared
    assert {
        name
        for name in names
        if not name.startswith(("train.", "valid.", "test.", "ted.", "dict."))
    } == {"finished.jsonl"}


def test_several_workers_write_the_same_data_and_nothing_on_stdout(
    work: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    assert run(work, tmp_path, workers=2) == LINES
    assert binary_files(tmp_path) == binary_files(work / "data-bin")
    assert capfd.readouterr().out == ""


def test_shards_share_out_the_training_text_of_large_pairs_alone(
    work: Path, tmp_path: Path
) -> None:
    config = BinarizationConfig(shards=3, shard_lines=110)
    write(tmp_path / "corpus", ("en", "ja"), "train", 203)
    write(tmp_path / "corpus", ("en", "ru"), "train", 100)
    parts = {name: ["train"] for name in ("supervised/en-ja", "supervised/en-ru")}
    counts = binarize(
        tmp_path / "corpus", work / "vocabulary", tmp_path / "bin", parts, LANGUAGES, config, Jobs()
    )
    assert counts == {"en-ja": {"train": 203}, "en-ru": {"train": 100}}
    folders = data_paths(tmp_path / "bin", config)
    assert [folder.name for folder in folders] == ["shard0", "shard1", "shard2"]
    whole = indexed_dataset.make_dataset(str(work / "data-bin/train.en-ja.ja"), impl="mmap")
    for number, folder in enumerate(folders[:2]):  # 203 lines of at most 110
        shard = indexed_dataset.make_dataset(str(folder / "train.en-ja.ja"), impl="mmap")
        assert [shard[i].tolist() for i in range(len(shard))] == [
            whole[i].tolist() for i in range(number, 203, 2)
        ]
    assert [len(list(folder.glob("dict.*"))) for folder in folders] == [3, 0, 0]
    assert not list(folders[2].iterdir())
    assert [len(list(folder.glob("train.en-ru.*"))) for folder in folders] == [4, 0, 0]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [(0, 1), (1, 1), (10, 1), (11, 2), (20, 2), (21, 3), (30, 3), (31, 4), (10**6, 4)],
    ids=lambda value: str(value),
)
def test_a_pair_gets_as_many_shards_as_it_fills(lines: int, expected: int) -> None:
    assert BinarizationConfig(shards=4, shard_lines=10).shards_of(lines) == expected
    assert BinarizationConfig().shards_of(lines) == 1


def test_a_lost_line_is_noticed(work: Path) -> None:
    check_binary(work / "data-bin/valid.en-ja.en", 14)
    with pytest.raises(
        DataError, match=r"valid\.en-ja\.en\.idx holds 14 sentences, but the text has 15 lines"
    ):
        check_binary(work / "data-bin/valid.en-ja.en", 15)
    with pytest.raises(DataError, match=r"valid\.ja-ru\.ja\.idx is missing"):
        check_binary(work / "data-bin/valid.ja-ru.ja", 14)


def test_sides_of_different_length_are_refused_before_any_work(work: Path, tmp_path: Path) -> None:
    write(tmp_path / "corpus", ("en", "ja"), "dev", 14)
    with open(
        corpus_file(tmp_path / "corpus", ("en", "ja"), "dev", "ja"), "a", encoding="utf-8"
    ) as stream:
        stream.write("x\n")
    parts = {"supervised/en-ja": ["dev"]}
    with pytest.raises(DataError, match=r"dev\.en has 14 lines but \S*dev\.ja has 15"):
        binarize(
            tmp_path / "corpus",
            work / "vocabulary",
            tmp_path / "bin",
            parts,
            ["en", "ja"],
            BinarizationConfig(),
            Jobs(),
        )


def test_a_missing_vocabulary_is_named(work: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"spm\.model is missing; run scripts/prepare\.sh"):
        run(replace_vocabulary(work, tmp_path), tmp_path / "data-bin")


def replace_vocabulary(work: Path, folder: Path) -> Path:
    """The work folder's corpus with no vocabulary beside it."""
    (folder / "corpus").symlink_to(work / "corpus")
    return folder


@pytest.mark.parametrize("name", ["shards", "shard_lines"])
def test_a_wrong_config_is_explained(name: str) -> None:
    with pytest.raises(DataError, match=f"{name} is 0; it must be at least 1"):
        replace(BinarizationConfig(), **{name: 0})


def test_the_dictionary_is_what_fairseq_reads(work: Path) -> None:
    model, dictionary = (
        load_model(work / "vocabulary"),
        Dictionary.load(str(work / "data-bin/dict.ja.txt")),
    )
    assert dictionary.symbols == [
        model.id_to_piece(piece) for piece in range(model.get_piece_size())
    ]
