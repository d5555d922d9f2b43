"""The page: its numbers are the report's, and whatever a sentence holds stays text."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import pytest
from support.large_reports import opus100_report
from support.sample_reports import make_report

from deepnet_fairseq.evaluation.report.report import Example, Report, read_report
from deepnet_fairseq.evaluation.report.report_page import write_page
from deepnet_fairseq.evaluation.report.training_log import TrainingCurves
from deepnet_fairseq.evaluation.report.write import write_report

VOID = ("meta", "link", "input", "br", "path", "use")
HOSTILE = '<script>alert(1)</script> & "quoted" <img src=x onerror=alert(2)>'


class Page(HTMLParser):
    """A page's elements: tag, attributes and own text."""

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
        """The own text of all elements of that tag with those attributes."""
        return [
            "".join(text).strip()
            for name, held, text in self.elements
            if name == tag and attributes.items() <= held.items()
        ]


@pytest.fixture
def report(tmp_path: Path) -> Report:
    return make_report(tmp_path)


def page_of(report: Report, folder: Path, curves: Optional[TrainingCurves] = None) -> Page:
    return Page(write_page(report, curves or TrainingCurves(), folder))


def test_sentences_stay_text(report: Report, tmp_path: Path) -> None:
    report.examples = [Example("en-ar", 3, HOSTILE, "كتاب", HOSTILE)]
    report.name = report.decoding = report.left_out["spBLEU"] = HOSTILE
    page = page_of(report, tmp_path)
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
    page = page_of(report, tmp_path)  # its example is of en-ar, the second direction
    assert [
        attributes for tag, attributes, _ in page.elements if tag == "dd" and "lang" in attributes
    ] == [
        {"dir": "auto", "lang": "en"},
        {"dir": "auto", "lang": "zho-Hant"},
        {"class": "hypothesis", "dir": "auto", "lang": "zho-Hant"},
    ]


def test_an_empty_hypothesis_is_said_to_be_empty(report: Report, tmp_path: Path) -> None:
    report.examples = [Example("en-ar", 1, "a", "b", "")]
    assert page_of(report, tmp_path).texts("dd", **{"class": "hypothesis"}) == ["(empty)"]


def test_the_numbers_are_the_reports(tmp_path: Path) -> None:
    report = opus100_report()
    page = page_of(report, tmp_path)
    wanted = [f"{mean.scores['BLEU']:.1f}" for mean in report.means[:4]]
    assert [text for text in page.texts("dd") if re.fullmatch(r"\d+\.\d", text)] == wanted
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


def test_sections_stand_in_their_order(tmp_path: Path) -> None:
    curves = TrainingCurves(training_nll={100: 9.0}, validation_nll={100: 8.0})
    headings = page_of(opus100_report(), tmp_path, curves).texts("h2")
    assert headings == [
        "Against 24L+MergedAtt",
        "BLEU by direction",
        "All directions",
        "Means",
        "Training",
        "Examples",
        "How it was made",
    ]


def test_what_there_is_nothing_of_is_left_out(report: Report, tmp_path: Path) -> None:
    report.reference, report.examples, report.left_out = None, [], {}
    report.directions = report.directions[:2]
    page = page_of(report, tmp_path)
    assert page.texts("h2") == ["All directions", "Means", "How it was made"]
    assert not page.texts("section", **{"class": "warning"})


def test_nothing_is_asked_of_any_server(tmp_path: Path) -> None:
    path = write_page(opus100_report(), TrainingCurves(training_nll={1: 2.0}), tmp_path)
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
    names = [
        "scores.json",
        "scores.md",
        "scores.tsv",
        "report.html",
        "heat_map.png",
        "bars.png",
        "training.png",
    ]
    assert [path.name for path in written] == names
    assert read_report(written[0]) == report and sorted(written[0].parent.iterdir()) == sorted(
        written
    )
    assert [path.name for path in write_report(report, None, tmp_path / "other")] == names[:-1]
