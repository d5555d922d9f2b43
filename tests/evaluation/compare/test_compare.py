"""The numbers of a comparison are sacrebleu's, or those counted by hand."""

import shutil
from pathlib import Path
from statistics import fmean

import pytest
from sacrebleu.metrics import CHRF
from sacrebleu.significance import PairedTest
from support.comparison_runs import METRICS, read, report_of, rewrite

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.compare.compare import Options, compare, from_both_ends
from deepnet_fairseq.evaluation.compare.result import Comparison
from deepnet_fairseq.evaluation.score.significance import BETTER, UNDECIDED, WORSE

SAMPLES = 200
UNTESTED = Options(test="none", examples=0)


@pytest.fixture(scope="module")
def compared(runs: Path) -> Comparison:
    options = Options(metrics=["BLEU", "chrF++"], samples=SAMPLES, examples=4)
    return compare([runs / "weak", runs / "strong", runs / "middle"], options)


def test_the_first_run_is_the_baseline_and_scores_are_the_runs_own(
    runs: Path, compared: Comparison
) -> None:
    assert (compared.baseline, compared.others, compared.metric) == (
        "weak",
        ["strong", "middle"],
        "BLEU",
    )
    for name in ("weak", "strong", "middle"):
        for theirs, ours in zip(report_of(runs, name).directions, compared.directions, strict=True):
            assert theirs.direction == ours.direction
            assert {
                metric: by_system[name] for metric, by_system in ours.scores.items()
            } == theirs.scores


@pytest.mark.parametrize("metric", METRICS)
def test_tests_equal_sacrebleus_on_the_runs_files(
    runs: Path, compared: Comparison, metric: str
) -> None:
    direction = next(d for d in compared.directions if d.direction == "de-fr")
    files = [runs / name / "evaluation/hypotheses/de-fr.fr" for name in compared.systems]
    named = [(file.parts[-4], read(file)) for file in files]
    references = read(runs / "corpus/zero-shot/de-fr/opus.de-fr-test.fr")
    signatures, scores = PairedTest(named, {metric: METRICS[metric]}, [references], "bs", SAMPLES)()
    (name,) = signatures
    for system, theirs in zip(scores["System"], scores[name], strict=True):
        ours = direction.tests[metric][system]
        assert (ours.p_value, ours.mean, ours.interval) == (theirs.p_value, theirs.mean, theirs.ci)
    assert compared.test_signatures[metric] == {
        str(signatures[name]): ["ar", "de", "en", "fr", "zh"]
    }


def test_win_ratio_and_significant_wins_are_those_counted_by_hand(
    runs: Path, compared: Comparison
) -> None:
    weak = {d.direction: d.scores["BLEU"] for d in report_of(runs, "weak").directions}
    for outcome in compared.outcomes:
        wins = sum(
            d.scores["BLEU"] > weak[d.direction] for d in report_of(runs, outcome.system).directions
        )
        assert (outcome.wins, outcome.ties, outcome.losses) == (wins, 0, 10 - wins)
        assert outcome.win_ratio == 10.0 * wins
        below = [d for d in compared.directions if d.tests["BLEU"][outcome.system].p_value < 0.05]
        better = sum(compared.difference(d, outcome.system) > 0 for d in below)
        assert (outcome.better, outcome.worse) == (better, len(below) - better)
    assert compared.outcomes[0].better >= 8  # strong's words are right in 80 % against 50 %
    assert compared.by_chance == pytest.approx(0.5)


def test_outcomes_follow_p_and_the_sign(compared: Comparison) -> None:
    for direction in compared.directions:
        for system in compared.others:
            test = compared.significance(direction, system)
            expected = BETTER if compared.difference(direction, system) > 0 else WORSE
            assert test.outcome == (expected if test.p_value < 0.05 else UNDECIDED)


def test_means_are_the_runs_own_rows(runs: Path, compared: Comparison) -> None:
    for name in compared.systems:
        rows = [
            (m.name, m.directions, {metric: by[name] for metric, by in m.scores.items()})
            for m in compared.means
        ]
        assert rows == [(m.name, m.directions, m.scores) for m in report_of(runs, name).means]


def test_a_groups_win_ratio_is_of_its_directions(compared: Comparison) -> None:
    into = [d for d in compared.directions if d.target == "en" and not d.zero_shot]
    row = next(mean for mean in compared.means if mean.name == "X→en")
    for system in compared.others:
        assert row.win_ratio[system] == pytest.approx(
            fmean(100 * (compared.difference(d, system) > 0) for d in into)
        )


def test_examples_are_the_lines_that_differ_most_in_chrf(runs: Path, compared: Comparison) -> None:
    assert len({e.direction for e in compared.examples}) == 4
    chrf = CHRF()
    for example in compared.examples:
        corpus = (
            runs
            / "corpus"
            / ("zero-shot" if example.direction in ("de-fr", "fr-de") else "supervised")
        )
        pair = "-".join(sorted(example.direction.split("-")))
        references = read(corpus / pair / f"opus.{pair}-test.{example.target_language}")
        assert (example.reference, example.source_language) == (
            references[example.line - 1],
            example.direction[:2],
        )
        spread = []
        for number, reference in enumerate(references):
            lines = {
                n: read(
                    runs
                    / n
                    / f"evaluation/hypotheses/{example.direction}.{example.target_language}"
                )[number]
                for n in compared.systems
            }
            scores = {
                name: chrf.sentence_score(line, [reference]).score for name, line in lines.items()
            }
            spread.append(max(scores.values()) - min(scores.values()))
            if number == example.line - 1:
                assert (example.hypotheses, example.chrf) == (lines, scores)
        assert spread.index(max(spread)) == example.line - 1


def test_examples_are_from_gains_and_losses_alternately() -> None:
    assert from_both_ends(["a", "b", "c", "d", "e"], 4) == ["a", "e", "b", "d"]
    assert from_both_ends(["a", "b", "c"], 9) == ["a", "c", "b"]


def test_hypotheses_of_any_system_are_scored_as_the_run_they_were_copied_from(
    runs: Path, tmp_path: Path
) -> None:
    shutil.copytree(runs / "strong/evaluation/hypotheses", tmp_path / "theirs")
    comparison = compare([runs / "weak", tmp_path / "theirs", runs / "strong"], UNTESTED)
    assert comparison.metrics == ["BLEU", "chrF++"]
    for direction in comparison.directions:
        for scores in direction.scores.values():
            assert scores["theirs"] == pytest.approx(scores["strong"], abs=1e-9)
    assert comparison.left_out == []


def test_the_same_numbers_come_from_several_processes(runs: Path) -> None:
    options = Options(samples=100, examples=2)
    one = compare([runs / "weak", runs / "strong"], options)
    two = compare([runs / "weak", runs / "strong"], Options(samples=100, examples=2, workers=2))
    assert (one.directions, one.means, one.examples) == (two.directions, two.means, two.examples)


def test_without_test_and_examples_scores_alone_are_enough(runs: Path, tmp_path: Path) -> None:
    paths = [
        rewrite(runs, tmp_path, name, corpus="gone", hypotheses="gone")
        for name in ("weak", "strong")
    ]
    comparison = compare(paths, UNTESTED)
    assert (
        comparison.outcomes[0].wins,
        comparison.outcomes[0].better,
        comparison.samples,
        comparison.test_signatures,
    ) == (10, None, 0, {})
    with pytest.raises(EvaluationError, match="the corpus of .* can't be found"):
        compare(paths, Options(examples=0))


def test_equal_scores_are_ties_and_no_wins(runs: Path, tmp_path: Path) -> None:
    same = rewrite(runs, tmp_path, "weak", name="same")
    outcome = compare([runs / "weak", same], UNTESTED).outcomes[0]
    assert (outcome.wins, outcome.ties, outcome.losses, outcome.win_ratio) == (0, 10, 0, 0.0)
