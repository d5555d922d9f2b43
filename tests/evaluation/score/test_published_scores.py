"""Published scores are read as they stand, and win ratios are those that counting by hand gives."""

import csv
from pathlib import Path
from typing import Dict

import pytest
from support.sample_reports import make_report

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.report.report import write_scores
from deepnet_fairseq.evaluation.score.published_scores import (
    SHIPPED,
    Published,
    against,
    load_published,
)

TABLE = """# source: Example et al. 2021
# metric: chrF++
# A remark.
kind\tdirection\tbase\tbig
supervised\tde-en\t31.4\t33
supervised\ten-de\t25\t26.25
zero-shot\tde-fr\t\t8.1
"""


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


# As they stand in bzhangGo/zero's table.
SHIPPED_SCORES = [
    ("6L", "en-af", 31.4),
    ("24L+MergedAtt+LaLN+LaLT", "en-af", 39.0),
    ("24L+MergedAtt+LaLN+LaLT+RoBT", "zh-ru", 12.1),
]


@pytest.mark.parametrize(
    ("system", "direction", "score"), SHIPPED_SCORES, ids=[f"{s} {d}" for s, d, _ in SHIPPED_SCORES]
)
def test_the_shipped_scores_are_there_under_their_name(
    system: str, direction: str, score: float
) -> None:
    published = load_published("zhang2020", system)
    assert published.scores[direction] == score
    assert (published.system, published.metric, published.decimals) == (system, "BLEU", 1)
    assert "arXiv 2004.11867" in published.source and "bzhangGo/zero" in published.source


def test_every_shipped_system_has_all_of_opus100s_directions() -> None:
    lines = [
        line
        for line in (SHIPPED / "zhang2020.tsv").read_text().splitlines()
        if not line.startswith("#")
    ]
    systems = lines[0].split("\t")[2:]
    assert len(systems) == 13
    for system in systems:
        scores = load_published("zhang2020", system).scores
        assert len(scores) == 2 * 94 + 30
        assert len([name for name in scores if "en" in name.split("-")]) == 2 * 94


def test_a_table_of_ones_own_is_read_with_its_source_metric_and_precision(tmp_path: Path) -> None:
    path = write(tmp_path / "own.tsv", TABLE)
    assert load_published(path, "big") == Published(
        "big", "Example et al. 2021", "chrF++", {"de-en": 33, "en-de": 26.25, "de-fr": 8.1}, 2
    )
    assert load_published(path, "base") == Published(
        "base", "Example et al. 2021", "chrF++", {"de-en": 31.4, "en-de": 25}, 1
    )


def test_a_table_without_remarks_is_its_own_source(tmp_path: Path) -> None:
    path = write(tmp_path / "own.tsv", "direction\tx\nde-en\t3\n")
    assert load_published(path, "x") == Published("x", path, "BLEU", {"de-en": 3}, 0)


def test_another_runs_scores_are_as_exact_as_ours(tmp_path: Path) -> None:
    report = make_report(tmp_path)
    path = write_scores(report, tmp_path)
    published = load_published(str(path), "toy")
    assert published == Published(
        "toy", str(path), "BLEU", {r.direction: r.scores["BLEU"] for r in report.directions}, None
    )
    result = against(
        published, {"de-en": published.scores["de-en"] + 1e-6, "en-de": published.scores["en-de"]}
    )
    assert (result.wins, result.ties, result.losses) == (1, 1, 0)


# published 31.4, ours → (wins, ties, losses)
ROUNDED = {
    "above": (31.46, (1, 0, 0)),
    "rounds down to it": (31.44, (0, 1, 0)),
    "rounds up to it": (31.36, (0, 1, 0)),
    "below": (31.34, (0, 0, 1)),
}


@pytest.mark.parametrize(("ours", "expected"), ROUNDED.values(), ids=ROUNDED)
def test_ours_is_rounded_as_the_published_score_is(ours: float, expected: tuple) -> None:
    result = against(Published("s", "x", "BLEU", {"de-en": 31.4}, 1), {"de-en": ours})
    assert (result.wins, result.ties, result.losses) == expected


def test_the_win_ratio_against_zhang2020_is_the_one_counted_by_hand() -> None:
    """Theirs against theirs, read with csv: merged attention against none, which gains little."""
    lines = [
        line
        for line in (SHIPPED / "zhang2020.tsv").read_text().splitlines()
        if not line.startswith("#")
    ]
    rows = list(csv.DictReader(lines, delimiter="\t"))
    ours = {row["direction"]: float(row["6L+MergedAtt"]) for row in rows}
    wins = sum(ours[row["direction"]] > float(row["6L"]) for row in rows)
    ties = sum(ours[row["direction"]] == float(row["6L"]) for row in rows)
    result = against(load_published("zhang2020", "6L"), ours)
    assert (result.wins, result.ties, result.losses) == (wins, ties, 218 - wins - ties)
    assert result.win_ratio == pytest.approx(100 * wins / 218)
    assert (wins, ties) == (14, 11)


def test_only_directions_that_both_have_count() -> None:
    ours = {"de-en": 30.0, "newstest2014.de-en": 99.0, "en-xx": 99.0, "fr-en": 1.0}
    result = against(load_published("zhang2020", "6L"), ours)
    assert set(result.scores) == {"de-en", "fr-en"}
    assert result.wins + result.ties + result.losses == 2


def test_no_direction_in_common_is_an_error() -> None:
    with pytest.raises(EvaluationError, match=r"6L.*xx-yy.*en-af"):
        against(load_published("zhang2020", "6L"), {"xx-yy": 1.0})


BROKEN: Dict[str, tuple] = {
    "an unknown system": (TABLE, "huge", r"'huge'; it has base, big"),
    "a word for a number": (TABLE.replace("26.25", "good"), "big", r"own\.tsv, line 6: 'good'"),
    "a number without end": (TABLE.replace("26.25", "nan"), "big", r"own\.tsv, line 6: 'nan'"),
    "a column too few": (
        TABLE.replace("\t26.25", ""),
        "big",
        r"own\.tsv, line 6: 3 columns, but the head has 4",
    ),
    "a direction twice": (
        TABLE + "supervised\tde-en\t1\t2\n",
        "big",
        r"own\.tsv, line 8: de-en occurs twice",
    ),
    "no column of directions": (
        TABLE.replace("direction", "pair"),
        "big",
        r"own\.tsv, line 4: .*'direction', only 'kind', 'pair'",
    ),
    "nothing": ("", "big", r"own\.tsv, line 1: .*only none"),
}


@pytest.mark.parametrize(("text", "system", "message"), BROKEN.values(), ids=BROKEN)
def test_a_table_that_cannot_be_used_is_an_error(
    tmp_path: Path, text: str, system: str, message: str
) -> None:
    with pytest.raises(EvaluationError, match=message):
        load_published(write(tmp_path / "own.tsv", text), system)


def test_a_name_that_is_neither_shipped_nor_a_file_is_an_error() -> None:
    with pytest.raises(
        EvaluationError,
        match=r"zhang2021: neither a file nor one of the published scores: zhang2020",
    ):
        load_published("zhang2021", "6L")


def test_a_runs_scores_of_another_name_are_an_error(tmp_path: Path) -> None:
    path = write_scores(make_report(tmp_path), tmp_path)
    with pytest.raises(EvaluationError, match=r"'other'; it has toy"):
        load_published(str(path), "other")
