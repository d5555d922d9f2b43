"""The user's own files: what is kept, what is dropped, what is refused."""

import gzip
import hashlib
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest

from deepnet_fairseq.data.bitext import SUPERVISED, ZERO_SHOT, corpus_file
from deepnet_fairseq.data.corpora.build import BuildContext, Counts
from deepnet_fairseq.data.corpora.files import FilesCorpus, PairFiles, ZeroShotFiles
from deepnet_fairseq.data.download import Downloads
from deepnet_fairseq.data.filters import CleaningConfig
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.io import read_lines
from deepnet_fairseq.parallel import Jobs

TEXTS = {
    "train.de": ["Tag", "Nacht", "", "Tag", "ein  Test", "Haus", "Regen", "Baum"],
    "train.en": [
        "day",
        "night",
        "empty",
        "day",
        "one trial",
        "a dev sentence",
        "rain",
        "zero shot",
    ],
    "dev.de": ["Entwicklung", "", "Nullschuss"],
    "dev.en": ["a dev sentence", "empty too", "kept?"],
    "test.de": ["ein Test", ""],
    "test.en": ["a test", "x"],
    "zero.de": ["Nullschuss", "Regen"],
    "zero.fr": ["zéro", "pluie"],
    "train.fr": ["jour", "pluie"],
    "train2.en": ["day of", "rain of"],
    "dev.fr": ["dév"],
    "dev2.en": ["dev two"],
    "test.fr": ["épreuve"],
    "test2.en": ["test two"],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, lines in TEXTS.items():
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return tmp_path


def make_config(folder: Path, **train: Any) -> FilesCorpus:
    """en-de and en-fr supervised, de-fr zero-shot; `train` replaces en-de's training files."""
    config = FilesCorpus(
        pairs={
            "en-de": PairFiles(
                train={"en": "train.en", "de": "train.de", **train},
                dev={"en": "dev.en", "de": "dev.de"},
                test={"en": "test.en", "de": "test.de"},
            ),
            "en-fr": PairFiles(
                train={"en": "train2.en", "fr": "train.fr"},
                dev={"en": "dev2.en", "fr": "dev.fr"},
                test={"en": "test2.en", "fr": "test.fr"},
            ),
        },
        zero_shot={"fr-de": ZeroShotFiles(test={"de": "zero.de", "fr": "zero.fr"})},
    )
    config.resolve_paths(folder)
    return config


def sentences(root: Path, pair: tuple, split: str, part: str = SUPERVISED) -> List[tuple]:
    left, right = (read_lines(corpus_file(root, pair, split, language, part)) for language in pair)
    return list(zip(left, right, strict=True))


def make(folder: Path, out: str, config: Optional[FilesCorpus] = None, **cleaning: Any) -> Counts:
    """Build the corpus in the folder out; return its counts."""
    downloads = Downloads(folder / "downloads")
    counts = (config or make_config(folder)).build(
        folder / out,
        BuildContext(downloads, CleaningConfig(**cleaning), Jobs()),
    )
    assert not (folder / "downloads").exists()
    return counts


def test_only_clean_training_pairs_are_kept_and_the_rest_is_counted(folder: Path) -> None:
    counts = make(folder, "out")
    # dropped: an empty side, a repeated pair, German of the test set (except for a space), English
    # of dev, German of the zero-shot test set
    assert sentences(folder / "out", ("de", "en"), "train") == [
        ("Tag", "day"),
        ("Nacht", "night"),
        ("Baum", "zero shot"),
    ]
    # the zero-shot French is in en-fr's training data
    assert sentences(folder / "out", ("en", "fr"), "train") == [("day of", "jour")]
    assert list(counts) == ["supervised/de-en", "supervised/en-fr", "zero-shot/de-fr"]
    train = counts["supervised/de-en"]["train"]
    assert (train["read"], train["kept"]) == (8, 3)
    assert train["dropped"] == {"with an empty side": 1, "in dev or test": 3, "repeated": 1}
    # of dev, a pair with an empty side says nothing about a model, and "Nullschuss" is tested on
    assert counts["supervised/de-en"]["dev"]["dropped"] == {"with an empty side": 1, "in test": 1}
    assert sentences(folder / "out", ("de", "en"), "dev") == [("Entwicklung", "a dev sentence")]


def test_test_sets_keep_every_line_empty_ones_too(folder: Path) -> None:
    make(folder, "out")
    assert sentences(folder / "out", ("de", "en"), "test") == [("ein Test", "a test"), ("", "x")]
    assert sentences(folder / "out", ("de", "fr"), "test", part=ZERO_SHOT) == [
        ("Nullschuss", "zéro"),
        ("Regen", "pluie"),
    ]


def test_sources_are_recorded_with_their_checksums(folder: Path) -> None:
    inputs = BuildContext(Downloads(folder / "downloads"), CleaningConfig(), Jobs())
    make_config(folder).build(folder / "out", inputs)
    records = {record["name"]: record for record in inputs.downloads.records}
    assert sorted(records) == sorted(TEXTS)
    content = (folder / "train.de").read_bytes()
    assert records["train.de"]["size"] == len(content)
    assert records["train.de"]["sha256"] == hashlib.sha256(content).hexdigest()


def test_cleaning_is_what_the_config_says(folder: Path) -> None:
    counts = make(folder, "out", drop_held_out=False, drop_repeated=False, max_length=8)
    assert counts["supervised/de-en"]["train"]["dropped"] == {
        "with an empty side": 1,
        "too long": 3,
    }
    assert (
        ("Tag", "day")
        == sentences(folder / "out", ("de", "en"), "train")[0]
        == sentences(folder / "out", ("de", "en"), "train")[2]
    )


def test_compressed_and_several_files_read_like_one_plain_file(folder: Path) -> None:
    make(folder, "plain")
    for language in ("de", "en"):
        lines = [f"{line}\n".encode() for line in TEXTS[f"train.{language}"]]
        (folder / f"part1.{language}.gz").write_bytes(gzip.compress(b"".join(lines[:5])))
        (folder / f"part2.{language}").write_bytes(b"".join(lines[5:]))
    parts = {language: [f"part1.{language}.gz", f"part2.{language}"] for language in ("de", "en")}
    make(folder, "parts", make_config(folder, **parts))
    assert sentences(folder / "parts", ("de", "en"), "train") == sentences(
        folder / "plain", ("de", "en"), "train"
    )


def test_the_fingerprint_changes_with_a_files_content(folder: Path) -> None:
    config = make_config(folder)
    before = config.fingerprint()
    assert before == make_config(folder).fingerprint()
    (folder / "train.en").write_text("longer than before\n" * 8, encoding="utf-8")
    assert config.fingerprint() != before


def damage_utf8(folder: Path) -> None:
    (folder / "train.de").write_bytes(b"Tag\n" * 7 + b"M\xfcll\n")


def damage_length(folder: Path) -> None:
    (folder / "train.de").write_text("Tag\n", encoding="utf-8")


def damage_existence(folder: Path) -> None:
    (folder / "dev.fr").unlink()


def damage_everything_held_out(folder: Path) -> None:
    (folder / "train2.en").write_text("test two\ndev two\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_utf8, r"train\.de, line 8: not UTF-8"),
        (
            damage_length,
            r"corpus\.pairs\.en-de\.train: .*train\.de has 1 lines but .*train\.en has 8",
        ),
        (damage_existence, r"corpus\.pairs\.en-fr\.dev\.fr: there is no file .*dev\.fr"),
        (
            damage_everything_held_out,
            r"supervised/en-fr train: no sentences are left of 2; .*dropped: 2 in dev or test",
        ),
    ],
    ids=["utf-8", "length", "existence", "nothing left"],
)
def test_unusable_files_are_named(folder: Path, damage: Any, message: str) -> None:
    damage(folder)
    with pytest.raises(DataError, match=message):
        make(folder, "out")


SIDES: Dict[str, Any] = {"en": "a.en", "de": "a.de"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pairs": {}}, "pairs is empty"),
        (
            {"pairs": {"en-de": PairFiles(train=SIDES, dev=SIDES)}},
            r"pairs\.en-de\.test has no files; it needs files of de and en",
        ),
        (
            {"pairs": {"en-de": PairFiles(train=SIDES, dev={"en": "x"}, test=SIDES)}},
            r"pairs\.en-de\.dev has files of en; it needs files of de and en",
        ),
        (
            {"pairs": {"en-de": PairFiles(train=SIDES, dev=SIDES, test={"en": 3, "de": "x"})}},
            r"pairs\.en-de\.test\.en is 3; give a path",
        ),
        (
            {
                "pairs": {
                    "en-de": PairFiles(SIDES, SIDES, SIDES),
                    "de-en": PairFiles(SIDES, SIDES, SIDES),
                }
            },
            "de-en is more than once",
        ),
        ({"pairs": {"en-de": PairFiles(SIDES, SIDES, SIDES)}, "pivot": "fr"}, "pivot is 'fr'"),
    ],
    ids=["no pairs", "no test", "one side", "no path", "twice", "pivot"],
)
def test_a_wrong_config_is_explained(arguments: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        FilesCorpus(**arguments)
