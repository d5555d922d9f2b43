"""What cannot be compared is rejected, or left out with a sentence that says so."""

import shutil
from pathlib import Path
from statistics import fmean

import pytest
from support.comparison_runs import report_of, rewrite

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.compare.compare import Options, compare

UNTESTED = Options(test="none", examples=0)


def test_directions_that_a_system_lacks_are_named_and_left_out_of_all_means(
    runs: Path, tmp_path: Path
) -> None:
    shutil.copytree(runs / "strong/evaluation/hypotheses", tmp_path / "theirs")
    for file in ("de-en.en", "de-fr.fr"):
        (tmp_path / "theirs" / file).unlink()
    comparison = compare([runs / "weak", tmp_path / "theirs"], UNTESTED)
    assert comparison.left_out == [
        "Left out, because theirs lacks these 2 directions: de-en, de-fr."
    ]
    assert len(comparison.directions) == 8 and comparison.outcomes[0].directions == 8
    into = [
        d.scores["BLEU"]
        for d in report_of(runs, "weak").directions
        if d.target == "en" and d.direction != "de-en"
    ]
    assert (
        comparison.means[0].scores["BLEU"]["weak"] == pytest.approx(fmean(into))
        and comparison.means[0].directions == 3
    )


def test_runs_on_other_references_are_rejected(runs: Path, tmp_path: Path) -> None:
    directions = report_of(runs, "strong").directions
    directions[2].references_sha256 = "0" * 64
    other = rewrite(runs, tmp_path, "strong", directions=directions)
    with pytest.raises(
        EvaluationError, match=r"different references \(de-en\); evaluate both on the same corpus"
    ):
        compare([runs / "weak", other], UNTESTED)


def test_runs_without_a_common_direction_are_rejected(runs: Path, tmp_path: Path) -> None:
    first, second = report_of(runs, "weak").directions[:3], report_of(runs, "strong").directions[3:]
    paths = [
        rewrite(runs, tmp_path, "weak", directions=first),
        rewrite(runs, tmp_path, "strong", directions=second),
    ]
    with pytest.raises(EvaluationError, match=r"weak has ar-en, en-ar, de-en; strong has en-de"):
        compare(paths, UNTESTED)


def test_a_metric_of_another_signature_is_left_out_in_one_sentence(
    runs: Path, tmp_path: Path
) -> None:
    signatures = report_of(runs, "strong").signatures
    ours = next(iter(signatures["BLEU"]))
    signatures["BLEU"] = {ours.replace("13a", "intl"): signatures["BLEU"][ours]}
    comparison = compare(
        [runs / "weak", rewrite(runs, tmp_path, "strong", signatures=signatures)], UNTESTED
    )
    assert comparison.metrics == ["chrF++"]
    assert comparison.left_out == [
        f"BLEU is left out: its signatures differ ({ours} and {ours.replace('13a', 'intl')})."
    ]


def test_a_metric_that_one_run_lacks_is_left_out_and_none_at_all_is_rejected(
    runs: Path, tmp_path: Path
) -> None:
    signatures = report_of(runs, "strong").signatures
    less = rewrite(runs, tmp_path, "strong", signatures={"BLEU": signatures["BLEU"]})
    comparison = compare([runs / "weak", less], UNTESTED)
    assert (comparison.metrics, comparison.left_out) == (
        ["BLEU"],
        ["chrF++ is left out: strong has none."],
    )
    none = rewrite(runs, tmp_path, "middle", signatures={"chrF": signatures["chrF++"]})
    with pytest.raises(
        EvaluationError,
        match=r"no metric is in all of them in the same way\. BLEU is left out: middle has none",
    ):
        compare([runs / "weak", none], UNTESTED)


def test_hypotheses_that_were_changed_after_scoring_are_rejected(
    runs: Path, tmp_path: Path
) -> None:
    shutil.copytree(runs / "strong/evaluation", tmp_path / "strong")
    shutil.copy(
        runs / "weak/evaluation/hypotheses/ar-en.en", tmp_path / "strong/hypotheses/ar-en.en"
    )
    with pytest.raises(
        EvaluationError,
        match=r"ar-en: the hypotheses of .*strong/scores\.json have .*was written down.*"
        r"evaluate\.sh",
    ):
        compare([runs / "weak", tmp_path / "strong"], Options(samples=10, examples=0))


FOLDERS = {
    "files of other directions": ("xx-yy.yy", 40, r"for none of .*name them ar-en\.en, en-ar\.ar"),
    "a file that is too short": (
        "de-en.en",
        39,
        r"de-en\.en has 39 lines, but .*opus\.de-en-test\.en has 40",
    ),
}


@pytest.mark.parametrize(("name", "lines", "message"), FOLDERS.values(), ids=FOLDERS)
def test_hypotheses_that_fit_no_direction_are_rejected(
    runs: Path, tmp_path: Path, name: str, lines: int, message: str
) -> None:
    (tmp_path / name).write_text("word\n" * lines)
    with pytest.raises(EvaluationError, match=message):
        compare([runs / "weak", tmp_path], UNTESTED)


def test_a_metric_that_the_runs_lack_is_an_error(runs: Path) -> None:
    with pytest.raises(
        EvaluationError,
        match=r"--metrics chrF: not in all of these runs, .* they share BLEU, chrF\+\+",
    ):
        compare([runs / "weak", runs / "strong"], Options(metrics=["chrF"]))


def test_comet_has_scores_but_no_test(runs: Path, tmp_path: Path) -> None:
    paths = []
    for name in ("weak", "strong"):
        report = report_of(runs, name)
        for number, result in enumerate(report.directions):
            result.scores["COMET"] = 70.0 + number + (name == "strong")
        signatures = {
            **report.signatures,
            "COMET": {"wmt22-comet-da": ["ar", "de", "en", "fr", "zh"]},
        }
        paths.append(
            rewrite(runs, tmp_path, name, directions=report.directions, signatures=signatures)
        )
    comparison = compare(paths, Options(metrics=["COMET"], test="none", examples=0))
    assert comparison.metric == "COMET" and comparison.means[0].scores["COMET"][
        "strong"
    ] - comparison.means[0].scores["COMET"]["weak"] == pytest.approx(1)
    with pytest.raises(EvaluationError, match="COMET has no test"):
        compare(paths, Options(metrics=["COMET"]))
