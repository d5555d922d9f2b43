"""The report in Chromium, on a desktop and on a phone."""

from pathlib import Path
from typing import Any, Iterator, List

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from support.browser import DESKTOP, PHONE, open_page, requests, require_browser
from support.large_reports import opus100_report, quick_start_report

from deepnet_fairseq.evaluation.report.html import write_html
from deepnet_fairseq.evaluation.report.report import Example
from deepnet_fairseq.evaluation.report.training_log import TrainingCurves

SMALLEST = 12  # CSS pixels; smaller text is not for phones
HOSTILE = (
    "<script>document.title = 'broken into'</script>"
    "<img src=x onerror=\"document.title = 'broken into'\">"
)
CURVES = TrainingCurves(
    training_nll={n: 900.0 / n for n in range(100, 900, 50)},
    validation_nll={800: 1.5},
    learning_rate={100: 1e-4, 800: 2e-4},
)

OVERFLOWING = "return document.documentElement.scrollWidth - innerWidth"
FONT_SIZES = """
  const seen = [...document.querySelectorAll(arguments[0])].filter(
    (element) => element.checkVisibility() && element.textContent.trim());
  return seen.map((element) => [
    parseFloat(getComputedStyle(element).fontSize), element.textContent.trim().slice(0, 30)]);"""
# An SVG's text is scaled with it.
DRAWN_SIZES = """
  const texts = [...document.querySelectorAll(".drawing svg text")].filter(
    (text) => text.checkVisibility());
  return texts.map((text) => {
    const scale = text.closest("svg").getScreenCTM().a;
    return [parseFloat(getComputedStyle(text).fontSize) * scale, text.textContent];
  });"""
CONTRASTS = """
  const light = (colour) => {
    const linear = (c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    const parts = colour.match(/[\\d.]+/g).slice(0, 3).map((c) => linear(c / 255));
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  return [...document.querySelectorAll(".tile:not(.absent)")].map((tile) => {
    const style = getComputedStyle(tile), both = [light(style.color), light(style.backgroundColor)];
    return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
  });"""


@pytest.fixture(
    scope="module",
    params=[(DESKTOP, "large", False), (PHONE, "large", False), (PHONE, "small", True)],
    ids=["desktop", "phone", "phone, dark, small report"],
)
def shown(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Chrome]:
    """An open page; the large report's examples contain markup."""
    require_browser()
    screen, size, dark = request.param
    folder = tmp_path_factory.mktemp("page")
    report = opus100_report() if size == "large" else quick_start_report()
    report.examples = [
        Example(d.direction, 1, HOSTILE, "مرحبا", HOSTILE + "x" * 300)
        for d in report.directions[:5]
    ]
    with open_page(write_html(report, CURVES, folder), screen, folder / "profile", dark) as driver:
        yield driver


def test_the_page_asks_for_nothing_and_has_no_errors(shown: Chrome) -> None:
    assert (
        requests(shown) == []
        and shown.execute_script("return performance.getEntriesByType('resource').length") == 0
    )
    assert shown.get_log("browser") == []


def test_the_page_never_scrolls_sideways(shown: Chrome) -> None:
    assert shown.execute_script(OVERFLOWING) <= 0


def test_all_text_is_large_enough(shown: Chrome) -> None:
    sizes = shown.execute_script(
        FONT_SIZES,
        "body, p, li, dt, dd, h1, h2, h3, th, td, label, code, .tile, .language > b, "
        "tbody th .soft",
    )
    drawn = shown.execute_script(DRAWN_SIZES)
    assert len(sizes) > 100 and len(drawn) > 8
    assert [text for text in sizes + drawn if text[0] < SMALLEST - 0.01] == []


def test_all_images_are_decoded(shown: Chrome) -> None:
    assert (
        shown.execute_script(
            "return [...document.images].filter((image) => !image.naturalWidth).length"
        )
        == 0
    )
    heights = shown.execute_script(
        "return [...document.querySelectorAll('.drawing')]"
        ".map((d) => d.getBoundingClientRect().height)"
    )
    assert sorted(height > 100 for height in heights) == [
        False,
        True,
    ]  # the wide one or the narrow one


def test_every_tiles_number_can_be_read(shown: Chrome) -> None:
    contrasts = shown.execute_script(CONTRASTS)
    assert len(contrasts) in (16, 218) and min(contrasts) >= 4.5


def test_the_headline_numbers_are_on_the_first_screen(shown: Chrome) -> None:
    figures = shown.find_elements(By.CSS_SELECTOR, ".figure")
    height = shown.execute_script("return innerHeight")
    assert len(figures) == 4 and all(
        0 <= f.rect["y"] and f.rect["y"] + f.rect["height"] <= height for f in figures
    )


def test_markup_in_sentences_is_not_run(shown: Chrome) -> None:
    assert (
        "broken into" not in shown.title
        and HOSTILE in shown.find_element(By.CSS_SELECTOR, ".example dd").text
    )


def test_right_to_left_text_is_set_from_the_right(shown: Chrome) -> None:
    directions = (
        "return [...document.querySelectorAll('.example:first-child dd')]"
        ".map((dd) => getComputedStyle(dd).direction)"
    )
    assert shown.execute_script(directions) == ["ltr", "rtl", "ltr"]


def column(driver: Chrome, number: int) -> List[Any]:
    values = (
        "return [...document.querySelectorAll('.directions tbody tr')]"
        ".map((row) => row.cells[arguments[0]].dataset.value)"
    )
    return [float(value) for value in driver.execute_script(values, number)]


def test_a_click_on_a_columns_head_sorts_the_table(shown: Chrome) -> None:
    before = column(shown, 1)
    button = shown.find_element(By.CSS_SELECTOR, ".directions th:nth-child(2) button")
    for expected, state in (
        (sorted(before, reverse=True), "descending"),
        (sorted(before), "ascending"),
    ):
        shown.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
        button.click()
        assert column(shown, 1) == expected != before
        assert (
            shown.find_element(By.CSS_SELECTOR, ".directions th[aria-sort]").get_attribute(
                "aria-sort"
            )
            == state
        )


def test_directions_and_examples_can_be_filtered(shown: Chrome) -> None:
    visible = (
        "return [...document.querySelectorAll(arguments[0])]"
        ".filter((e) => e.checkVisibility()).map((e) => e.dataset.name)"
    )
    field = shown.find_element(By.ID, "find-direction")
    shown.execute_script("arguments[0].scrollIntoView({block: 'center'})", field)
    field.send_keys("en-de")
    assert shown.execute_script(visible, "#direction-rows tr") == ["en-de"]
    field.send_keys(Keys.BACKSPACE * len("en-de"))
    assert len(shown.execute_script(visible, "#direction-rows tr")) in (16, 218)
    chosen = shown.find_elements(By.CSS_SELECTOR, "#find-example option")[2]
    chosen.click()
    assert shown.execute_script(visible, "#example-list .example") == [chosen.text]


def test_wide_tables_scroll_inside_their_container(shown: Chrome) -> None:
    if shown.execute_script("return innerWidth") > PHONE.width:
        pytest.skip("a desktop shows them whole")
    box = shown.find_element(By.CSS_SELECTOR, "#directions .scroll")
    assert shown.execute_script(
        "return arguments[0].scrollWidth > arguments[0].clientWidth + 100", box
    )
    head = shown.find_element(By.CSS_SELECTOR, ".directions tbody th")
    left = head.rect["x"]
    shown.execute_script("arguments[0].scrollLeft = 300", box)
    assert head.rect["x"] == left  # which direction a number belongs to stays in sight


def test_without_a_browser_the_tests_fail_where_it_is_required(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("support.browser.CHROMIUM", Path("/nowhere/chromium"))
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("DEEPNET_REQUIRE_BROWSER", raising=False)
    with pytest.raises(pytest.skip.Exception, match="/nowhere/chromium"):
        require_browser()
    monkeypatch.setenv("DEEPNET_REQUIRE_BROWSER", "1")
    with pytest.raises(pytest.fail.Exception, match="apt-get install chromium"):
        require_browser()
