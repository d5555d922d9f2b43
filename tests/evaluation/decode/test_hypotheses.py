"""Which directions are translated, and what an interruption leaves. The model is a stub here."""

from argparse import Namespace
from pathlib import Path
from typing import Any, Callable, Iterator, List

import numpy as np
import pytest
from fairseq import options

from deepnet_fairseq.config.flags import parse_flags
from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.decode import decode
from deepnet_fairseq.evaluation.decode.hypotheses import Hypotheses, SpecialLines
from deepnet_fairseq.evaluation.decode.search import Generation
from deepnet_fairseq.evaluation.decode.test_data import Direction, both_ways
from deepnet_fairseq.evaluation.decode.translator import Hypothesis

DIRECTIONS = both_ways([("de", "en")], [("de", "fr")])
Setup = Callable[..., List[Hypotheses]]


class WordEncoder:
    """Stands in for SentencePiece: a number for each word."""

    unknown = 3

    def __init__(self, folder: Path) -> None:
        pass

    def encode(self, lines: List[bytes]) -> Any:
        ids = [[3 if word == b"unknown" else 9 for word in line.split()] + [2] for line in lines]
        lengths = np.array([len(line) for line in ids], np.int32)
        return np.array([i for line in ids for i in line], np.int32), lengths


class Model:
    """Stands in for the translator: records what it is given, and can stop before a direction."""

    def __init__(self) -> None:
        self.given: List[str] = []
        self.stop_before = ""

    def translate(self, args: Namespace, devices: Any, batches: Iterator[Any]) -> Iterator[Any]:
        for batch in batches:
            if any(sentence.direction.name == self.stop_before for sentence in batch):
                raise KeyboardInterrupt
            self.given += [f"{sentence.direction.name} {sentence.line}" for sentence in batch]
            yield batch, [self._hypothesis(sentence) for sentence in batch]

    def _hypothesis(self, sentence: Any) -> Any:
        if sentence.line == 4:  # too long
            return None
        return Hypothesis(f"{sentence.direction.name} {sentence.line}", cut=sentence.line == 2)

    @property
    def directions(self) -> List[str]:
        return sorted({name.split()[0] for name in self.given})


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Model:
    made = Model()
    monkeypatch.setattr(decode, "translate_batches", made.translate)
    monkeypatch.setattr(decode, "Encoder", WordEncoder)
    return made


@pytest.fixture
def run(tmp_path: Path, model: Model) -> Setup:
    """Decode the toy corpus with flags of fairseq-generate."""
    for direction in DIRECTIONS:
        path = direction.source_file(tmp_path / "corpus")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"one {direction.source}\ntwo\nthree unknown words\n\nfive\n")
    (tmp_path / "model.pt").write_bytes(b"weights")

    def decode_toy(*flags: str) -> List[Hypotheses]:
        def command(direction: Direction) -> List[str]:
            task = [
                "--task",
                "translation_multi_simple_epoch",
                "--path",
                "model.pt",
                "-s",
                direction.source,
                "-t",
                direction.target,
            ]
            return ["fairseq-generate", "data-bin", *task, *flags]

        args = parse_flags(options.get_generation_parser(), command(DIRECTIONS[0])[1:])
        generation = Generation(args, command, tmp_path / "model.pt")
        folders = tmp_path / "corpus", tmp_path / "vocabulary", tmp_path / "hypotheses"
        return decode.decode_all(DIRECTIONS, generation, *folders)

    return decode_toy


def test_every_direction_gets_a_file_in_the_target_language(run: Setup, model: Model) -> None:
    results = run()
    assert model.directions == ["de-en", "de-fr", "en-de", "fr-de"]
    assert [h.path.name for h in results] == ["de-en.en", "en-de.de", "de-fr.fr", "fr-de.de"]
    assert [h.direction.zero_shot for h in results] == [False, False, True, True]
    assert not list(results[0].path.parent.glob("*.partial"))


def test_lines_in_are_lines_out_and_every_special_one_is_listed(run: Setup, model: Model) -> None:
    for results in (run(), run()):  # made, and read back
        for hypotheses in results:
            name = hypotheses.direction.name
            assert hypotheses.path.read_text() == f"{name} 0\n{name} 1\n{name} 2\n\n\n"
            assert (hypotheses.lines, hypotheses.special) == (
                5,
                SpecialLines(empty=[3], too_long=[4], cut=[2], unknown=[2]),
            )
    assert len(model.given) == 4 * len(DIRECTIONS)  # what is empty is not translated


def test_a_test_set_of_empty_lines_is_finished_without_the_model(
    tmp_path: Path, run: Setup, model: Model
) -> None:
    for path in (
        DIRECTIONS[0].source_file(tmp_path / "corpus"),
        DIRECTIONS[0].reference_file(tmp_path / "corpus"),
    ):
        path.write_text("\n\n")
    results = {h.direction.name: h for h in run()}
    assert results["de-en"].path.read_text() == "\n\n" and results["de-en"].special.empty == [0, 1]
    assert model.directions == ["de-fr", "fr-de"]


def test_finished_directions_are_not_translated_again(run: Setup, model: Model) -> None:
    first = run("--beam", "2")
    model.given.clear()
    assert run("--beam", "2", "--cpu") == first
    assert model.given == []


def change_checkpoint(folder: Path) -> None:
    (folder / "model.pt").write_bytes(b"more weights")


def cut_hypotheses(folder: Path) -> None:
    (folder / "hypotheses/de-en.en").write_text("de-en 0\n")


def edit_hypotheses(folder: Path) -> None:
    path = folder / "hypotheses/de-en.en"
    path.write_text(path.read_text().replace("de-en 0", "de-en 9"))


def list_as_metadata(folder: Path) -> None:
    (folder / "hypotheses/de-en.json").write_text("[1]")


def break_metadata(folder: Path) -> None:
    (folder / "hypotheses/de-en.json").write_text("{")


def outdate_metadata(folder: Path) -> None:
    path = folder / "hypotheses/de-en.json"
    path.write_text(path.read_text().replace('"special"', '"skipped"'))


def change_source(folder: Path) -> None:
    DIRECTIONS[0].source_file(folder / "corpus").write_text("one\ntwo\n3\n\nfive\n")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (change_checkpoint, ["de-en", "de-fr", "en-de", "fr-de"]),
        (cut_hypotheses, ["de-en"]),
        (edit_hypotheses, ["de-en"]),
        (list_as_metadata, ["de-en"]),
        (break_metadata, ["de-en"]),
        (outdate_metadata, ["de-en"]),
        (change_source, ["de-en"]),
    ],
)
def test_what_has_changed_is_translated_again(
    tmp_path: Path, run: Setup, model: Model, change: Callable[[Path], None], expected: List[str]
) -> None:
    run()
    model.given.clear()
    change(tmp_path)
    run()
    assert model.directions == expected


def test_other_flags_translate_again(run: Setup, model: Model) -> None:
    run("--beam", "2")
    model.given.clear()
    run("--beam", "3")
    assert len(model.directions) == 4


def test_an_interrupted_run_resumes_with_the_remaining_groups(
    run: Setup, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode, "BATCHES_IN_GROUP", 0)  # every direction is a group of its own
    model.stop_before = "de-fr"
    with pytest.raises(KeyboardInterrupt):
        run()
    assert model.directions == ["de-en", "en-de"]
    model.given, model.stop_before = [], ""
    assert len(run()) == 4
    assert model.directions == ["de-fr", "fr-de"]


def test_sides_of_different_length_are_rejected_before_any_work(
    tmp_path: Path, run: Setup, model: Model
) -> None:
    DIRECTIONS[-1].source_file(tmp_path / "corpus").write_text("one\n")
    with pytest.raises(
        EvaluationError, match=r"opus\.de-fr-test\.de has 5 lines, .*opus\.de-fr-test\.fr 1"
    ):
        run()
    assert model.given == []
