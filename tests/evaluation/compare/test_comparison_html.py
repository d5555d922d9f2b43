"""comparison.html in Chromium, on a desktop and on a phone."""

from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from support.browser import DESKTOP, PHONE, Screen, open_page, requests, require_browser
from support.comparisons import HOSTILE, make_comparison

from deepnet_fairseq.evaluation.compare.html import html_context, write_html
from deepnet_fairseq.evaluation.compare.result import Comparison

SCREENS = {"desktop": DESKTOP, "phone": PHONE}
SIZES = {"16 directions": (False, 1), "218 directions": (True, 1), "three systems": (False, 2)}

TEXT_SIZE = """
const drawing = document.querySelector("svg.scatter");
const size = parseFloat(getComputedStyle(drawing.querySelector("text")).fontSize);
return [size, drawing.getBoundingClientRect().width / drawing.viewBox.baseVal.width];
"""


def test_bars_and_points_are_at_their_scores(tmp_path: Path) -> None:
    comparison = make_comparison(tmp_path)
    rows = html_context(comparison)["sections"][0].rows
    largest = max(abs(row.difference) for row in rows)
    for row in rows:
        left, width = row.bar
        assert width == pytest.approx(50 * abs(row.difference) / largest)
        assert left == pytest.approx(50 if row.difference > 0 else 50 - width)
        assert (row.x < 320 - row.y) == (row.difference > 0)  # better is above the diagonal
        assert 0 < row.x < 320 and 0 < row.y < 320


@pytest.fixture(params=SIZES.values(), ids=SIZES, scope="module")
def comparison(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Comparison:
    large, others = request.param
    return make_comparison(tmp_path_factory.mktemp("runs"), large, others)


@pytest.mark.parametrize("screen", SCREENS.values(), ids=SCREENS)
def test_the_page_fits_the_screen_and_makes_no_request(
    comparison: Comparison, screen: Screen, tmp_path: Path
) -> None:
    require_browser()
    page = write_html(comparison, tmp_path)
    with open_page(page, screen, tmp_path / "profile") as driver:
        assert driver.execute_script(
            "return document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        )
        assert (requests(driver), driver.get_log("browser")) == ([], [])
        assert len(driver.find_elements(By.CSS_SELECTOR, "table.directions tbody tr")) == len(
            comparison.directions
        ) * len(comparison.others)
        drawn = driver.find_elements(By.CSS_SELECTOR, "svg.scatter path title")
        assert len(drawn) == len(comparison.directions) * len(comparison.others)
        size, scale = driver.execute_script(TEXT_SIZE)
        assert size * scale >= 10  # CSS pixels: legible on a phone
        assert HOSTILE in driver.find_element(By.ID, "examples").text


@pytest.mark.parametrize("screen", SCREENS.values(), ids=SCREENS)
def test_difference_and_outcome_are_visible_without_scrolling_sideways(
    screen: Screen, tmp_path: Path
) -> None:
    require_browser()
    page = write_html(make_comparison(tmp_path), tmp_path)
    with open_page(page, screen, tmp_path / "profile") as driver:
        right = (
            "return document.querySelector('table.directions tbody tr')"
            ".cells[2].getBoundingClientRect().right"
        )
        assert driver.execute_script(right) <= screen.width


def test_a_click_on_a_head_sorts_by_difference(tmp_path: Path) -> None:
    require_browser()
    comparison = make_comparison(tmp_path)
    with open_page(write_html(comparison, tmp_path), DESKTOP, tmp_path / "profile") as driver:
        driver.find_elements(By.CSS_SELECTOR, "table.directions button[data-sort]")[1].click()
        shown = [
            row.get_attribute("data-name")
            for row in driver.find_elements(By.CSS_SELECTOR, "table.directions tbody tr")
        ]
    ranked = sorted(
        comparison.directions, key=lambda d: comparison.difference(d, "deepnet_1"), reverse=True
    )
    assert shown == [d.direction for d in ranked]
