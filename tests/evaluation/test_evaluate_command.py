"""The whole evaluation on a toy model that fairseq-train has made: averaged checkpoint, every direction, table; restart and errors."""

import json
import random
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict

import pytest
import torch
from fairseq import checkpoint_utils
from fairseq_cli import train

from deepnet_fairseq.commands import evaluate
from deepnet_fairseq.commands.prepare import prepare
from deepnet_fairseq.data.download import Downloads
from deepnet_fairseq.data.jobs import Jobs
from deepnet_fairseq.evaluation.average import find_newest, read_checkpoint
from deepnet_fairseq.evaluation.report import read_report
from deepnet_fairseq.evaluation.score import score_files
from deepnet_fairseq.recipe import Recipe, load_recipe

CONFIG = """
work_dir: {folder}/run
corpus:
  kind: files
  pairs:
    de-en: {{train: {{de: train.de, en: train.en}}, dev: {{de: dev.de, en: dev.en}}, test: {{de: test.de, en: test.en}}}}
    en-fr: {{train: {{en: train.en, fr: train.fr}}, dev: {{en: dev.en, fr: dev.fr}}, test: {{en: test.en, fr: test.fr}}}}
  zero_shot:
    de-fr: {{test: {{de: test.de, fr: test.fr}}}}
vocabulary: {{size: 32}}
training:
  {{arch: deepnet_transformer_tiny, encoder-embed-dim: 16, encoder-ffn-embed-dim: 24, encoder-attention-heads: 2, encoder-layers: 2,
  decoder-layers: 1, share-all-embeddings: true, encoder-langtok: tgt, optimizer: adam, lr: 0.01, max-tokens: 200, num-workers: 0,
  criterion: label_smoothed_cross_entropy, max-update: 6, save-interval-updates: 2, no-epoch-checkpoints: true, seed: 1}}
decoding: {{beam: 2, max-tokens: 500, max-len-b: 10}}
evaluation: {{average_checkpoints: 3, examples: 2}}
"""
DIRECTIONS = ["de-en", "en-de", "en-fr", "fr-en", "de-fr", "fr-de"]
LINES = 7


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """A toy corpus, each language counting in words of its own, and a model trained for six updates."""
    folder, draw = tmp_path_factory.mktemp("toy"), random.Random(2)
    words = {"de": ["eins", "zwei", "drei", "vier"], "en": ["one", "two", "three", "four"], "fr": ["un", "deux", "trois", "quatre"]}
    for split, size in (("train", 60), ("dev", 5), ("test", LINES)):
        numbers = [draw.choices(range(4), k=draw.randint(2, 8)) for _ in range(size)]
        for language, names in words.items():
            (folder / f"{split}.{language}").write_text("".join(" ".join(names[i] for i in line) + ".\n" for line in numbers))
    (folder / "toy.yaml").write_text(CONFIG.format(folder=folder))
    recipe = load_recipe(folder / "toy.yaml")
    prepare(recipe, Downloads(folder), Jobs())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", recipe.training_command(cpu=True))
        train.cli_main()
    return recipe


@pytest.fixture(scope="module")
def evaluated(trained: Recipe) -> Recipe:
    assert evaluate.main([str(trained.path)]) == 0
    return trained


def average_of(recipe: Recipe) -> Path:
    return recipe.checkpoint_dir / "checkpoint_average_of_3_at_6.pt"


def hypotheses(recipe: Recipe) -> Dict[str, str]:
    return {name: (recipe.evaluation_dir / f"hypotheses/{name}.{name[-2:]}").read_text() for name in DIRECTIONS}


def test_fairseq_loads_the_mean_of_the_last_three_checkpoints(evaluated: Recipe) -> None:
    sources = find_newest(evaluated.checkpoint_dir, 3)
    assert [updates for updates, _ in sources] == [6, 4, 2]
    (model,), _, _ = checkpoint_utils.load_model_ensemble_and_task([str(average_of(evaluated))])
    saved = [read_checkpoint(path)["model"] for _, path in sources]
    for name, weight in model.named_parameters():
        expected = torch.stack([state[name].double() for state in saved]).mean(0)
        torch.testing.assert_close(weight.double(), expected, atol=1e-6, rtol=1e-6, msg=name)
    assert average_of(evaluated).stat().st_size < 0.6 * sources[0][1].stat().st_size  # no optimizer state


def test_every_direction_is_translated_scored_and_reported(evaluated: Recipe) -> None:
    report = read_report(evaluated.evaluation_dir / "scores.json")
    assert [row["direction"] for row in report.directions] == DIRECTIONS
    assert [row["zero_shot"] for row in report.directions] == [False] * 4 + [True] * 2
    assert [source["updates"] for source in report.averaged_from] == [6, 4, 2]
    test_files = {language: evaluated.path.parent / f"test.{language}" for language in ("de", "en", "fr")}
    for row in report.directions:
        name = row["direction"]
        again = score_files(evaluated.evaluation_dir / f"hypotheses/{name}.{name[-2:]}", test_files[name[-2:]])
        assert (row["bleu"], row["chrf"], row["lines"]) == (again.bleu, again.chrf, LINES)
    assert report.means[0]["name"] == "X→en"
    assert report.means[0]["chrf"] == pytest.approx((report.directions[0]["chrf"] + report.directions[3]["chrf"]) / 2)


def test_a_second_run_prints_the_same_table_without_translating(evaluated: Recipe, capfd: Any) -> None:
    evaluate.main([str(evaluated.path)])
    first = capfd.readouterr().out
    assert evaluate.main([str(evaluated.path)]) == 0
    second = capfd.readouterr()
    assert second.out == first
    assert "fairseq-generate" not in second.err
    assert "6 of 6 directions are translated already" in second.err
    assert "de-fr (zero-shot)" in first and "tok:13a" in first and str(evaluated.evaluation_dir / "scores.md") in first


def test_the_printed_command_run_by_hand_gives_the_same_hypotheses(evaluated: Recipe, tmp_path: Path, capfd: Any) -> None:
    assert evaluate.main([str(evaluated.path), "--beam", "3"]) == 0
    printed = [line for line in capfd.readouterr().err.splitlines() if line.startswith("fairseq-generate ")]
    assert len(printed) == len(DIRECTIONS)
    words = shlex.split(printed[-1])
    words[words.index("--results-path") + 1] = str(tmp_path)
    subprocess.run([Path(sys.executable).with_name(words[0]), *words[1:]], check=True, capture_output=True)
    found = re.findall(r"^D-(\d+)\t\S+\t(.*)$", (tmp_path / "generate-test.txt").read_text(), flags=re.MULTILINE)
    by_hand = [text for _, text in sorted(found, key=lambda pair: int(pair[0]))]
    assert hypotheses(evaluated)["fr-de"].splitlines() == by_hand


def test_a_checkpoint_of_the_callers_choice_is_evaluated(evaluated: Recipe) -> None:
    chosen = evaluated.checkpoint_dir / "checkpoint_last.pt"
    assert evaluate.main([str(evaluated.path), "--checkpoint", str(chosen)]) == 0
    report = read_report(evaluated.evaluation_dir / "scores.json")
    assert (report.checkpoint, report.averaged_from) == (str(chosen), [])


def test_a_sentence_too_long_for_the_model_is_named_or_left_empty_on_request(evaluated: Recipe, capfd: Any) -> None:
    short = [str(evaluated.path), "--max-source-positions", "12"]
    assert evaluate.main(short) == 1
    error = capfd.readouterr().err.splitlines()[-1]
    assert re.search(r"^evaluate\.sh: de-en: line \d has .* tokens .* longest is \(12, 1024\); with --skip-invalid-size", error)
    assert evaluate.main([*short, "--skip-invalid-size-inputs-valid-test"]) == 0
    rows = {row["direction"]: row for row in read_report(evaluated.evaluation_dir / "scores.json").directions}
    for name, text in hypotheses(evaluated).items():
        assert len(text.split("\n")) == LINES + 1
        assert rows[name]["skipped"] <= text.split("\n")[:-1].count("")
    assert 0 < rows["de-en"]["skipped"] == rows["de-fr"]["skipped"] < LINES


WRONG_FLAGS = [
    (["--beams", "3"], "unrecognized arguments: --beams 3"),
    (["--gen-subset", "valid"], "--gen-subset follows from the config"),
    (["-s", "fr"], "--source-lang follows from the config"),
    (["--quiet"], "--quiet"),
]


@pytest.mark.parametrize(("flags", "message"), WRONG_FLAGS, ids=[flags[0] for flags, _ in WRONG_FLAGS])
def test_wrong_flags_are_a_wrong_call(trained: Recipe, flags: list, message: str, capfd: Any) -> None:
    with pytest.raises(SystemExit) as stopped:
        evaluate.main([str(trained.path), *flags])
    assert stopped.value.code == 2
    assert message in capfd.readouterr().err


def untrained(trained: Recipe, folder: Path) -> Path:
    """The config with a work_dir of its own, in which only the data lie."""
    for name in ("corpus", "data-bin"):
        shutil.copytree(trained.work_dir / name, folder / "run" / name)
    text = trained.path.read_text().replace(str(trained.work_dir), str(folder / "run"))
    for file in trained.path.parent.glob("*.??"):
        shutil.copy(file, folder)
    (folder / "toy.yaml").write_text(text)
    return folder / "toy.yaml"


def fails_with(path: Path, capfd: Any, *flags: str) -> str:
    before = sorted(path.parent.rglob("*"))
    capfd.readouterr()
    assert evaluate.main([str(path), *flags]) == 1
    assert sorted(path.parent.rglob("*")) == before  # nothing is made
    printed = capfd.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1
    return printed.err


def test_without_a_checkpoint_train_is_named(trained: Recipe, tmp_path: Path, capfd: Any) -> None:
    path = untrained(trained, tmp_path)
    assert re.search(r"checkpoints holds no checkpoint; run scripts/train\.sh .*toy\.yaml", fails_with(path, capfd))
    assert "absent.pt cannot be read as a checkpoint" in fails_with(path, capfd, "--checkpoint", "absent.pt")


@pytest.mark.parametrize("missing", ["data-bin/dict.fr.txt", "corpus/zero-shot/de-fr/opus.de-fr-test.fr"])
def test_without_data_prepare_is_named(trained: Recipe, tmp_path: Path, capfd: Any, missing: str) -> None:
    path = untrained(trained, tmp_path)
    (tmp_path / "run" / missing).unlink()
    assert re.search(rf"{missing} is missing; run scripts/prepare\.sh .*toy\.yaml", fails_with(path, capfd))


def test_an_interrupted_run_keeps_what_is_translated(evaluated: Recipe, capfd: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from fairseq_cli import generate

    whole, calls = generate.main, []

    def interrupted(parsed: Any) -> Any:
        calls.append(parsed.target_lang)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return whole(parsed)

    monkeypatch.setattr(generate, "main", interrupted)
    flags = [str(evaluated.path), "--lenpen", "0.7"]
    assert evaluate.main(flags) == 130
    assert "run it again" in capfd.readouterr().err
    assert evaluate.main(flags) == 0
    assert len(calls) == 3 + 4
    stamps = [json.loads(path.read_text()) for path in (evaluated.evaluation_dir / "hypotheses").glob("*.json")]
    assert all("0.7" in stamp["made_from"]["command"] for stamp in stamps) and len(stamps) == len(DIRECTIONS)
    assert not list((evaluated.evaluation_dir / "hypotheses").glob("*.partial"))
