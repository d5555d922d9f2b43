"""The whole evaluation of a toy model that fairseq-train has made, its restart and its errors."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
import torch
from fairseq import checkpoint_utils
from sacrebleu.metrics import BLEU
from support.files_toy import DIRECTIONS, LINES, train_toy

from deepnet_fairseq.checkpoints import find_newest, load_checkpoint
from deepnet_fairseq.commands import evaluate
from deepnet_fairseq.config.recipe import Recipe
from deepnet_fairseq.data.bitext import corpus_file
from deepnet_fairseq.evaluation.decode import decode
from deepnet_fairseq.evaluation.decode.translator import Translator
from deepnet_fairseq.evaluation.report.report import read_report
from deepnet_fairseq.io import count_lines

FILES = [
    "heat_map.png",
    "hypotheses",
    "report.html",
    "scores.json",
    "scores.md",
    "scores.tsv",
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    return train_toy(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def evaluated(trained: Recipe) -> Recipe:
    assert evaluate.main([str(trained.path)]) == 0
    return trained


def average_of(recipe: Recipe) -> Path:
    return recipe.checkpoint_dir / "checkpoint_average_of_3_at_6.pt"


def hypotheses(recipe: Recipe) -> Dict[str, str]:
    return {
        name: (recipe.evaluation_dir / f"hypotheses/{name}.{name[-2:]}").read_text()
        for name in DIRECTIONS
    }


def test_fairseq_loads_the_mean_of_the_last_three_checkpoints(evaluated: Recipe) -> None:
    sources = find_newest(evaluated.checkpoint_dir, 3)
    assert [updates for updates, _ in sources] == [6, 4, 2]
    (model,), _, _ = checkpoint_utils.load_model_ensemble_and_task([str(average_of(evaluated))])
    saved = [load_checkpoint(path)["model"] for _, path in sources]
    for name, weight in model.named_parameters():
        expected = torch.stack([state[name].double() for state in saved]).mean(0)
        torch.testing.assert_close(weight.double(), expected, atol=1e-6, rtol=1e-6, msg=name)
    assert (
        average_of(evaluated).stat().st_size < 0.6 * sources[0][1].stat().st_size
    )  # no optimizer state


def test_every_direction_is_translated_scored_and_reported(evaluated: Recipe) -> None:
    report = read_report(evaluated.evaluation_dir / "scores.json")
    assert [row.direction for row in report.directions] == DIRECTIONS
    assert [row.zero_shot for row in report.directions] == [False] * 4 + [True] * 2
    training = [
        count_lines(corpus_file(evaluated.corpus_dir, pair, "train", "en"))
        for pair in (("de", "en"), ("en", "fr"))
    ]
    assert [row.training_pairs for row in report.directions] == [training[0]] * 2 + [
        training[1]
    ] * 2 + [0, 0]
    assert [row.resource for row in report.directions] == ["low"] * 4 + [""] * 2
    assert [source["updates"] for source in report.averaged_from] == [6, 4, 2]
    bleu = BLEU(tokenize="13a", force=True)
    for row in report.directions:
        files = (
            evaluated.evaluation_dir / f"hypotheses/{row.direction}.{row.target}",
            evaluated.path.parent / f"test.{row.target}",
        )
        hypotheses, references = (path.read_text().split("\n")[:-1] for path in files)
        assert (row.scores["BLEU"], row.lines) == (
            bleu.corpus_score(hypotheses, [references]).score,
            LINES,
        )
    assert report.signatures["BLEU"] == {str(bleu.get_signature()): ["de", "en", "fr"]}
    assert report.means[0].name == "X→en"
    assert report.means[0].scores["chrF++"] == pytest.approx(
        sum(report.directions[i].scores["chrF++"] for i in (0, 3)) / 2
    )
    assert sorted(path.name for path in evaluated.evaluation_dir.iterdir()) == FILES


def test_a_second_run_prints_the_same_table_without_translating(
    evaluated: Recipe, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate.main([str(evaluated.path)])
    first = capfd.readouterr().out
    monkeypatch.setattr(decode, "translate_batches", None)
    assert evaluate.main([str(evaluated.path)]) == 0
    second = capfd.readouterr()
    assert second.out == first
    assert "6 of 6 directions are translated already" in second.err
    assert (
        "de-fr (zero-shot)" in first
        and "tok:13a" in first
        and str(evaluated.evaluation_dir / "scores.md") in first
    )


def test_the_printed_command_run_by_hand_gives_the_same_hypotheses(
    evaluated: Recipe, tmp_path: Path, capfd: Any
) -> None:
    assert evaluate.main([str(evaluated.path), "--beam", "3"]) == 0
    (printed,) = re.findall(
        r"one direction at a time: (fairseq-generate .*)", capfd.readouterr().err
    )
    words = shlex.split(printed)
    subprocess.run(
        [Path(sys.executable).with_name(words[0]), *words[1:], "--results-path", tmp_path],
        check=True,
        capture_output=True,
    )
    matches = re.findall(
        r"^D-(\d+)\t\S+\t(.*)$", (tmp_path / "generate-test.txt").read_text(), flags=re.MULTILINE
    )
    by_hand = [text for _, text in sorted(matches, key=lambda pair: int(pair[0]))]
    assert hypotheses(evaluated)["de-en"].splitlines() == by_hand


def test_several_processes_give_the_same_files(evaluated: Recipe, tmp_path: Path) -> None:
    for workers in ("1", "2"):
        assert (
            evaluate.main(
                [str(evaluated.path), "--workers", workers, "--output", str(tmp_path / workers)]
            )
            == 0
        )
    one, two = (read_report(tmp_path / workers / "scores.json") for workers in ("1", "2"))
    assert one.directions == two.directions
    for path in (tmp_path / "1/hypotheses").glob("*.??"):
        assert (tmp_path / "2/hypotheses" / path.name).read_bytes() == path.read_bytes()


def test_another_systems_hypotheses_are_scored_as_ones_own(
    evaluated: Recipe, tmp_path: Path, capfd: Any
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for name in DIRECTIONS[:-1]:
        shutil.copy(evaluated.evaluation_dir / f"hypotheses/{name}.{name[-2:]}", other)
    assert (
        evaluate.main(
            [str(evaluated.path), "--hypotheses", str(other), "--output", str(tmp_path / "scored")]
        )
        == 0
    )
    assert (
        "1 of 6 directions are left out, their files are not there: fr-de.de"
        in capfd.readouterr().err
    )
    report, own = (
        read_report(tmp_path / "scored/scores.json"),
        read_report(evaluated.evaluation_dir / "scores.json"),
    )
    assert (report.name, report.checkpoint, report.decoding) == ("scored", "", "")
    assert [row.scores for row in report.directions] == [row.scores for row in own.directions[:-1]]


def test_another_systems_hypotheses_must_be_there_and_whole(
    evaluated: Recipe, tmp_path: Path, capfd: Any
) -> None:
    call = [
        str(evaluated.path),
        "--hypotheses",
        str(tmp_path),
        "--output",
        str(tmp_path / "scored"),
    ]
    assert evaluate.main(call) == 1
    assert "has no hypotheses of" in capfd.readouterr().err
    (tmp_path / "de-en.en").write_text("one\n")
    assert evaluate.main(call) == 1
    assert re.search(r"de-en\.en has 1 lines, but .* has 7", capfd.readouterr().err)
    assert not (tmp_path / "scored").exists()


def test_a_checkpoint_of_the_callers_choice_is_evaluated(evaluated: Recipe) -> None:
    chosen = evaluated.checkpoint_dir / "checkpoint_last.pt"
    assert evaluate.main([str(evaluated.path), "--checkpoint", str(chosen)]) == 0
    report = read_report(evaluated.evaluation_dir / "scores.json")
    assert (report.checkpoint, report.averaged_from) == (str(chosen), [])


def test_sentences_too_long_for_the_model_are_left_empty_counted_and_reported(
    evaluated: Recipe, capfd: Any
) -> None:
    assert evaluate.main([str(evaluated.path), "--max-source-positions", "12"]) == 0
    printed = capfd.readouterr()
    assert re.search(
        r"\d+ lines: too long for the model, hypothesis left empty \(.*de-en \d", printed.out
    )
    report = read_report(evaluated.evaluation_dir / "scores.json")
    for row in report.directions:
        lines = hypotheses(evaluated)[row.direction].split("\n")[:-1]
        assert len(lines) == LINES
        assert row.too_long <= lines.count("")
    counts = {row.direction: row.too_long for row in report.directions}
    assert 0 < counts["de-en"] == counts["de-fr"] < LINES


WRONG_FLAGS = [
    (["--beams", "3"], "unrecognized arguments: --beams 3"),
    (["--gen-subset", "valid"], "--gen-subset follows from the config"),
    (["-s", "fr"], "--source-lang follows from the config"),
    (["--quiet"], "--quiet"),
    (["--workers", "0"], "--workers is 0; it must be at least 1"),
    (["--hypotheses", "folder"], "--hypotheses needs --output"),
    (
        ["--hypotheses", "folder", "--output", "out", "--checkpoint", "model.pt"],
        "leave --checkpoint out",
    ),
    (
        ["--hypotheses", "folder", "--output", "out", "--beam", "3"],
        "--beam has no effect on --hypotheses",
    ),
    (["--langtoks", "{'main': ('src', 'tgt')}"], "--langtoks follows from the config"),
]


@pytest.mark.parametrize(
    ("flags", "message"), WRONG_FLAGS, ids=[flags[0] for flags, _ in WRONG_FLAGS]
)
def test_wrong_flags_are_a_wrong_call(
    trained: Recipe, flags: list, message: str, capfd: Any
) -> None:
    with pytest.raises(SystemExit) as stopped:
        evaluate.main([str(trained.path), *flags])
    assert stopped.value.code == 2
    assert message in capfd.readouterr().err


def untrained(trained: Recipe, folder: Path) -> Path:
    """The config with a work_dir of its own, in which only the data lie."""
    for name in ("corpus", "data-bin"):
        shutil.copytree(trained.work_dir / name, folder / "run" / name)
    shutil.copy(trained.work_dir / "manifest.json", folder / "run")
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
    assert re.search(
        r"checkpoints holds no checkpoint; run scripts/train\.sh .*toy\.yaml",
        fails_with(path, capfd),
    )
    assert "absent.pt cannot be read as a checkpoint" in fails_with(
        path, capfd, "--checkpoint", "absent.pt"
    )


@pytest.mark.parametrize(
    "missing", ["data-bin/dict.fr.txt", "corpus/zero-shot/de-fr/opus.de-fr-test.fr"]
)
def test_without_data_prepare_is_named(
    trained: Recipe, tmp_path: Path, capfd: Any, missing: str
) -> None:
    path = untrained(trained, tmp_path)
    (tmp_path / "run" / missing).unlink()
    assert re.search(
        rf"{missing} is missing; run scripts/prepare\.sh .*toy\.yaml", fails_with(path, capfd)
    )


def test_another_systems_results_do_not_replace_ones_own(evaluated: Recipe, capfd: Any) -> None:
    with pytest.raises(SystemExit):
        evaluate.main(
            [
                str(evaluated.path),
                "--hypotheses",
                "folder",
                "--output",
                str(evaluated.evaluation_dir),
            ]
        )
    assert "is where this config's own results go" in capfd.readouterr().err


def test_what_cannot_be_scored_is_reported_before_anything_is_translated(
    trained: Recipe, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "decode_all", None)
    text = trained.path.read_text()
    wrong = {
        "metrics: [spBLEU]": (
            r"none of the metrics can be computed: spBLEU: .* is not there; get it with"
        ),
        "metrics: [chrF], reference_scores: zhang2020, reference_system: 6L": (
            "reference_scores are BLEU, which metrics leaves out"
        ),
        "reference_scores: zhang2020, reference_system: 7L": "has no system '7L'; it has 6L, ",
        "flores200_model: absent.model": r"flores200_model: .*absent\.model is not there",
    }
    monkeypatch.setattr("sacrebleu.utils.SACREBLEU_DIR", str(trained.work_dir))
    try:
        for keys, message in wrong.items():
            trained.path.write_text(text.replace("examples: 2", f"examples: 2, {keys}"))
            assert evaluate.main([str(trained.path)]) == 1
            assert re.search(message, capfd.readouterr().err)
    finally:
        trained.path.write_text(text)


def test_an_interrupted_run_keeps_what_is_translated(
    evaluated: Recipe, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode, "BATCHES_IN_GROUP", 0)  # every direction is a group of its own
    whole, calls = Translator.translate, []

    def interrupted(self: Translator, batch: Any) -> Any:
        calls.append(batch[0].direction.name)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return whole(self, batch)

    monkeypatch.setattr(Translator, "translate", interrupted)
    flags = [str(evaluated.path), "--lenpen", "0.7"]
    assert evaluate.main(flags) == 130
    assert "run it again" in capfd.readouterr().err
    assert evaluate.main(flags) == 0
    assert calls == [*DIRECTIONS[:3], *DIRECTIONS[2:]]
    metadata = [
        json.loads(path.read_text())
        for path in (evaluated.evaluation_dir / "hypotheses").glob("*.json")
    ]
    assert len(metadata) == len(DIRECTIONS)
    assert all("0.7" in content["made_from"]["command"] for content in metadata)
    assert not list((evaluated.evaluation_dir / "hypotheses").glob("*.partial"))


def test_a_killed_run_resumes_with_what_is_left(trained: Recipe, tmp_path: Path) -> None:
    """The real process, killed when it has finished a direction; its workers end with it."""
    code = "import sys; from deepnet_fairseq.evaluation.decode import decode; "
    code += "decode.BATCHES_IN_GROUP = 0; "
    code += "from deepnet_fairseq.commands import evaluate; sys.exit(evaluate.main(sys.argv[1:]))"
    # One sentence at a time, and long translations: slow enough to be killed halfway.
    flags = [
        str(trained.path),
        "--output",
        str(tmp_path),
        "--workers",
        "2",
        "--batch-size",
        "1",
        "--max-len-b",
        "400",
        "--min-len",
        "300",
    ]
    command = [sys.executable, "-c", code, *flags]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    metadata = tmp_path / "hypotheses"
    wait_for(lambda: len(list(metadata.glob("*.json"))) > 0)
    workers = children_of(process.pid)
    assert len(workers) >= 2
    process.kill()
    process.wait()
    finished = {path: path.stat().st_mtime_ns for path in metadata.glob("*.json")}
    assert 0 < len(finished) < len(DIRECTIONS)
    wait_for(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
    assert (
        subprocess.run(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode
        == 0
    )
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    assert len(read_report(tmp_path / "scores.json").directions) == len(DIRECTIONS)


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def children_of(pid: int) -> List[int]:
    """All descendants of a process."""
    own = [
        int(child)
        for path in Path(f"/proc/{pid}/task").glob("*/children")
        for child in path.read_text().split()
    ]
    return own + [grandchild for child in own for grandchild in children_of(child)]
