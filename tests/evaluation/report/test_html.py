"""report.html: its numbers are the report's, and markup in sentences stays text."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import pytest
from support.large_reports import opus100_report
from support.sample_reports import make_report

from deepnet_fairseq.evaluation.report.build_report import write_report
from deepnet_fairseq.evaluation.report.html import write_html
from deepnet_fairseq.evaluation.report.report import Example, Report, read_report
from deepnet_fairseq.evaluation.report.training_log import TrainingCurves

VOID = ("meta", "link", "input", "br", "path", "use")
HOSTILE = '<script>alert(1)</script> & "quoted" <img src=x onerror=alert(2)>'


class Page(HTMLParser):
    """The elements of a page: tag, attributes and own text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: List[Tuple[str, Dict[str, Optional[str]], List[str]]] = []
        self.open: List[int] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: List[Tuple[str, Optional[str]]]) -> None:
        self.elements.append((tag, dict(attributes), []))
        if tag not in VOID:
            self.open.append(len(self.elements) - 1)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            closed = self.elements[self.open.pop()][0]
            assert closed == tag, f"</{tag}> closes <{closed}>"

    def handle_startendtag(self, tag: str, attributes: List[Tuple[str, Optional[str]]]) -> None:
        self.elements.append((tag, dict(attributes), []))

    def handle_data(self, text: str) -> None:
        if self.open:
            self.elements[self.open[-1]][2].append(text)

    def texts(self, tag: str, **attributes: str) -> List[str]:
        """Return the text of all elements of that tag with those attributes."""
        return [
            "".join(text).strip()
            for name, own, text in self.elements
            if name == tag and attributes.items() <= own.items()
        ]


@pytest.fixture
def report(tmp_path: Path) -> Report:
    return make_report(tmp_path)


def html_of(report: Report, folder: Path, curves: Optional[TrainingCurves] = None) -> Page:
    return Page(write_html(report, curves or TrainingCurves(), folder))


def test_sentences_stay_text(report: Report, tmp_path: Path) -> None:
    report.examples = [Example("en-ar", 3, HOSTILE, "كتاب", HOSTILE)]
    report.name = report.decoding = report.left_out["spBLEU"] = HOSTILE
    page = html_of(report, tmp_path)
    assert page.texts("dd", dir="auto", lang="en") == [HOSTILE] and page.texts(
        "dd", dir="auto", lang="ar"
    ) == ["كتاب", HOSTILE]
    assert page.texts("h1") == page.texts("pre") == [HOSTILE]
    assert not [tag for tag, _, _ in page.elements if tag == "img"]
    assert len(page.texts("script")) == 1 and "alert" not in page.texts("script")[0]
    assert not [
        name for _, attributes, _ in page.elements for name in attributes if name.startswith("on")
    ]


def test_an_example_has_its_languages_and_direction_of_writing(
    report: Report, tmp_path: Path
) -> None:
    report.directions[1].source, report.directions[1].target = "en", "zho_Hant"
    page = html_of(report, tmp_path)  # its example is of en-ar, the second direction
    assert [
        attributes for tag, attributes, _ in page.elements if tag == "dd" and "lang" in attributes
    ] == [
        {"dir": "auto", "lang": "en"},
        {"dir": "auto", "lang": "zho-Hant"},
        {"class": "hypothesis", "dir": "auto", "lang": "zho-Hant"},
    ]


def test_an_empty_hypothesis_is_shown_as_empty(report: Report, tmp_path: Path) -> None:
    report.examples = [Example("en-ar", 1, "a", "b", "")]
    assert html_of(report, tmp_path).texts("dd", **{"class": "hypothesis"}) == ["(empty)"]


def test_the_numbers_are_the_reports(tmp_path: Path) -> None:
    report = opus100_report()
    page = html_of(report, tmp_path)
    expected = [f"{mean.scores['BLEU']:.1f}" for mean in report.means[:4]]
    assert [text for text in page.texts("dd") if re.fullmatch(r"\d+\.\d", text)] == expected
    tiles = {
        attributes["aria-label"]: "".join(text)
        for _, attributes, text in page.elements
        if attributes.get("class") == "tile"
    }
    assert tiles == {
        f"{d.direction}: BLEU {d.scores['BLEU']:.1f}": f"{d.scores['BLEU']:.1f}"
        for d in report.directions
    }
    cells = [
        attributes["data-value"]
        for tag, attributes, _ in page.elements
        if tag == "td" and "data-value" in attributes
    ]
    assert report.reference is not None
    for d in report.directions:
        assert {
            str(d.scores["BLEU"]),
            str(d.scores["chrF++"]),
            str(report.reference.scores[d.direction]),
        } <= set(cells)
    assert page.texts("strong")[1] == f"{report.reference.win_ratio:.1f}%"


def test_bars_and_reference_marks_are_in_percent_of_the_highest_score(tmp_path: Path) -> None:
    report = opus100_report()
    assert report.reference is not None
    page = html_of(report, tmp_path)
    styles = [
        (attributes.get("class"), tag, attributes.get("style", ""))
        for tag, attributes, _ in page.elements
    ]
    bars = [style for name, _, style in styles if name == "bar"]
    marks = [style for _, tag, style in styles if tag == "b" and "--mark" in (style or "")]
    scores = [d.scores["BLEU"] for d in report.directions]
    highest = max(scores + list(report.reference.scores.values()))
    assert bars == [
        f"--share: {100 * d.scores['BLEU'] / highest:.1f}%; --hue: var(--{d.resource or 'none'})"
        for d in report.directions
    ]
    assert marks == [
        f"--mark: {100 * report.reference.scores[d.direction] / highest:.1f}%"
        for d in report.directions
    ]


def test_marks_are_of_the_references_metric_only(tmp_path: Path) -> None:
    report = opus100_report()
    assert report.reference is not None
    report.reference.metric = "chrF++"
    page = html_of(report, tmp_path)
    assert not [
        a for tag, a, _ in page.elements if tag == "b" and "--mark" in (a.get("style") or "")
    ]


def test_sections_are_in_their_order(tmp_path: Path) -> None:
    curves = TrainingCurves(training_nll={100: 9.0}, validation_nll={100: 8.0})
    headings = html_of(opus100_report(), tmp_path, curves).texts("h2")
    assert headings == [
        "Against 24L+MergedAtt",
        "BLEU by direction",
        "All directions",
        "Means",
        "Training",
        "Examples",
        "How it was made",
    ]


def test_empty_sections_are_left_out(report: Report, tmp_path: Path) -> None:
    report.reference, report.examples, report.left_out = None, [], {}
    report.directions = report.directions[:2]
    page = html_of(report, tmp_path)
    assert page.texts("h2") == ["All directions", "Means", "How it was made"]
    assert not page.texts("section", **{"class": "warning"})


def test_the_page_makes_no_request(tmp_path: Path) -> None:
    path = write_html(opus100_report(), TrainingCurves(training_nll={1: 2.0}), tmp_path)
    page = Page(path)
    addresses = [
        (tag, value)
        for tag, attributes, _ in page.elements
        for name, value in attributes.items()
        if name in ("src", "href", "xlink:href")
    ]
    assert {
        value for tag, value in addresses if not (tag == "use" and (value or "").startswith("#"))
    } == {"data:,"}
    assert not re.search(r"@import|url\((?!#)", path.read_text())


def test_everything_is_written_and_reads_back(report: Report, tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    log.write_text("epoch 001:  50 / 99 loss=9, nll_loss=8, num_updates=50, lr=0.1, gnorm=1\n")
    written = write_report(report, log, tmp_path / "evaluation")
    names = ["scores.json", "scores.md", "scores.tsv", "report.html", "heat_map.png"]
    assert [path.name for path in written] == names
    assert read_report(written[0]) == report and sorted(written[0].parent.iterdir()) == sorted(
        written
    )
    assert "Training" in Page(written[3]).texts("h2")
    without_log = write_report(report, None, tmp_path / "other")
    assert [path.name for path in without_log] == names
    assert "Training" not in Page(without_log[3]).texts("h2")
