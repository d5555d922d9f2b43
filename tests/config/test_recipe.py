"""Configs: inheritance, errors that name file and key, and fairseq's commands.

test_configs.py tests the shipped ones.
"""

from pathlib import Path
from typing import List

import pytest

from deepnet_fairseq.config.flags import flags
from deepnet_fairseq.config.load import load_recipe
from deepnet_fairseq.errors import RecipeError

SMALL = """
corpus: {kind: cldr, languages: [de, fr], train_lines: 50, dev_lines: 5, test_lines: 5,
  zero_shot: [de-fr]}
vocabulary: {size: 300}
training: {arch: deepnet_transformer_tiny, encoder-langtok: tgt, max-update: 10,
  share-all-embeddings: true, fp16: false, lr: 5.0e-4}
decoding: {beam: 2}
"""


def write(folder: Path, text: str, name: str = "small.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def words_after(command: List[str], flag: str) -> str:
    return command[command.index(flag) + 1]


def test_a_config_says_only_what_differs_from_the_one_it_extends(tmp_path: Path) -> None:
    write(tmp_path, SMALL, "parent.yaml")
    child = "extends: parent.yaml\ntraining: {lr: 0.001, max-update: null}\n"
    recipe = load_recipe(write(tmp_path, child + "decoding: {lenpen: 0.6}\n"))
    assert recipe.training["lr"] == 0.001
    assert recipe.training["arch"] == "deepnet_transformer_tiny"
    assert recipe.decoding == {"beam": 2, "lenpen": 0.6}
    assert "--max-update" not in recipe.training_command()


def test_a_config_may_extend_one_with_a_corpus_of_another_kind(tmp_path: Path) -> None:
    write(tmp_path, SMALL.replace("kind: cldr", "kind: cldr, seed: 7"), "parent.yaml")
    files = "{train: {en: a, de: b}, dev: {en: a, de: b}, test: {en: a, de: b}}"
    recipe = load_recipe(
        write(
            tmp_path, f"extends: parent.yaml\ncorpus: {{kind: files, pairs: {{de-en: {files}}}}}\n"
        )
    )
    assert (recipe.kind, recipe.corpus.seed, recipe.supervised_pairs) == (
        "files",
        7,
        [("de", "en")],
    )


def test_a_recipe_names_its_folders_pairs_and_languages(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, SMALL))
    assert (recipe.name, recipe.work_dir, recipe.data_bin) == (
        "small",
        Path("runs/small"),
        Path("runs/small/data-bin"),
    )
    assert recipe.supervised_pairs == [("de", "en"), ("en", "fr")]
    assert recipe.zero_shot_pairs == [("de", "fr")]
    assert recipe.languages == ["de", "en", "fr"]


def test_the_training_command_holds_every_direction_and_every_flag(tmp_path: Path) -> None:
    command = load_recipe(write(tmp_path, SMALL)).training_command(cpu=True)
    assert command[:2] == ["fairseq-train", "runs/small/data-bin"]
    assert words_after(command, "--lang-pairs") == "de-en,en-de,en-fr,fr-en"
    assert words_after(command, "--langs") == "de,en,fr"
    assert words_after(command, "--save-dir") == "runs/small/checkpoints"
    assert words_after(command, "--lr") == "0.0005"
    assert "--share-all-embeddings" in command
    assert "--cpu" in command
    assert "--fp16" not in command


def test_the_generation_command_uses_the_languages_of_training(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, SMALL))
    command = recipe.generation_command("de", "fr", Path("model.pt"))
    for flag in ("--langs", "--lang-pairs", "--encoder-langtok"):
        assert words_after(command, flag) == words_after(recipe.training_command(), flag)
    assert (words_after(command, "--source-lang"), words_after(command, "--target-lang")) == (
        "de",
        "fr",
    )
    assert (words_after(command, "--path"), words_after(command, "--beam")) == ("model.pt", "2")


def test_generation_reads_sentences_in_the_format_of_training(tmp_path: Path) -> None:
    text = SMALL.replace(
        "max-update: 10",
        "lang-tok-style: mbart, left-pad-source: 'False', max-source-positions: 300",
    )
    command = load_recipe(write(tmp_path, text)).generation_command("de", "fr", Path("model.pt"))
    for flag, value in (
        ("--lang-tok-style", "mbart"),
        ("--left-pad-source", "False"),
        ("--max-source-positions", "300"),
    ):
        assert words_after(command, flag) == value


def test_flags_become_words() -> None:
    options = {"bare": True, "off": False, "none": None, "several": [1, 2], "text": "(0.9, 0.98)"}
    assert flags(options) == ["--bare", "--several", "1", "2", "--text", "(0.9, 0.98)"]


ERRORS = [
    (
        "corpse: {}",
        r"small\.yaml: unknown key 'corpse'; known are extends, work_dir, data_dir, directions",
    ),
    (
        "corpus: {kind: opus}",
        r"corpus\.kind is 'opus'; use one of bitexts, cldr, files, iwslt14, multi30k, opus100, "
        r"wmt17",
    ),
    ("corpus: {kind: cldr, languages: [de], lines: 3}", r"corpus\.lines"),
    ("corpus: {kind: cldr, languages: [de], train_lines: many}", r"corpus\.train_lines"),
    ("corpus: {kind: cldr, languages: [de]}", r"training\.arch is missing"),
    ("corpus: 3", r"corpus is 3; it must be a mapping"),
    (SMALL.replace("size: 300", "size: big"), r"vocabulary\.size"),
    (
        SMALL.replace("max-update: 10", "max_update: 10"),
        r"training\.max_update: write the flag as 'max-update'",
    ),
    (
        SMALL.replace("max-update: 10", "max-updates: 10"),
        r"training: unrecognized arguments: --max-updates 10",
    ),
    (
        SMALL.replace("max-update: 10", "max-update: ten"),
        r"training: argument --max-update: invalid int value: 'ten'",
    ),
    (SMALL.replace("beam: 2", "beams: 2"), r"decoding: unrecognized arguments: --beams 2"),
    (
        SMALL.replace("max-update: 10", "save-dir: here"),
        r"training\.save-dir: follows from the rest of the config",
    ),
    (
        SMALL.replace("arch: deepnet_transformer_tiny", "arch: deepest"),
        r"training: argument --arch.*'deepest'",
    ),
    (
        SMALL.replace("max-update: 10", "left-pad-source: false"),
        r"training\.left-pad-source: takes a value; write 'False' in quotes",
    ),
    (
        SMALL.replace("max-update: 10", "no-such-flag: false"),
        r"training\.no-such-flag: fairseq has no such flag",
    ),
    (
        SMALL.replace("max-update: 10", "encoder-attention-heads: 3"),
        r"training: --encoder-attention-heads is 3, and must be a divisor",
    ),
    (SMALL + "work_dir: 3", r"work_dir is 3; it must be one path"),
    (SMALL + "work_dir: '${oc.env:NOT_SET_ANYWHERE}'", r"work_dir: .*NOT_SET_ANYWHERE"),
    (SMALL + "work_dir: '${'", r"cannot be read as YAML: .*work_dir"),
    (
        SMALL.replace("lr: 5.0e-4", "lr: 5e-4 fast"),
        r"training: a value is not written as fairseq reads it: 5e-4 fast",
    ),
    (SMALL.replace("[de, fr]", "[de, no]"), r"corpus\.languages: write 'no' in quotes"),
    (
        "corpus: {kind: files, pairs: {en-no: {train: {en: a, no: b}}}}",
        r"corpus\.pairs\.en-no\.train: write 'no' in quotes",
    ),
    ("corpus: {kind: [cldr]}", r"corpus\.kind is \['cldr'\]"),
    ("extends: '${oc.env:NOT_SET_ANYWHERE}'", r"extends: .*NOT_SET_ANYWHERE"),
    ("extends: nowhere.yaml", r"nowhere\.yaml: no such config file \(extended by .*small\.yaml\)"),
    ("extends: small.yaml", r"extends itself"),
    ("a: [", r"cannot be read as YAML"),
    ("- a", r"must hold a mapping"),
    (SMALL.replace("lr: 5.0e-4", "lr: '${oc.env:NOT_SET_ANYWHERE}'"), r"NOT_SET_ANYWHERE"),
]


@pytest.mark.parametrize(("text", "message"), ERRORS, ids=[message for _, message in ERRORS])
def test_what_cannot_be_used_is_rejected_by_file_and_key(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(RecipeError, match=message) as error:
        load_recipe(write(tmp_path, text))
    assert "\n" not in str(error.value)
    assert "small.yaml" in str(error.value) or "nowhere.yaml" in str(error.value)


def test_a_missing_config_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"absent\.yaml: no such config file"):
        load_recipe(tmp_path / "absent.yaml")
