"""Debian's Chromium, headless and without a network."""

import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
FLAGS = (
    "--headless",
    "--no-sandbox",  # root has none
    "--disable-dev-shm-usage",  # containers have little of it
    *("--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


class Screen(NamedTuple):
    width: int  # CSS pixels
    height: int
    phone: bool


DESKTOP, PHONE = Screen(1280, 800, False), Screen(390, 844, True)


def require_browser() -> None:
    """Skip the test if Chromium is not installed; fail it if it is required."""
    if CHROMIUM.is_file() and DRIVER.is_file():
        return
    why = f"{CHROMIUM} or {DRIVER} is missing; apt-get install chromium chromium-driver"
    if os.environ.get("CI") or os.environ.get("DEEPNET_REQUIRE_BROWSER"):
        pytest.fail(why)
    pytest.skip(why)


@contextmanager
def open_page(page: Path, screen: Screen, profile: Path, dark: bool = False) -> Iterator[Chrome]:
    """Open a page from a file on a screen; `profile` is an empty folder."""
    options = ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (
        *FLAGS,
        f"--user-data-dir={profile}",
        f"--window-size={screen.width},{screen.height}",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    if screen.phone:
        metrics = {
            "width": screen.width,
            "height": screen.height,
            "pixelRatio": 2.0,
            "touch": True,
            "mobile": True,
        }
        options.add_experimental_option("mobileEmulation", {"deviceMetrics": metrics})
    driver = Chrome(options=options, service=ChromeService(executable_path=str(DRIVER)))
    try:
        if not screen.phone:  # --window-size includes the frame
            size = {
                "width": screen.width,
                "height": screen.height,
                "deviceScaleFactor": 1,
                "mobile": False,
            }
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        driver.get("about:blank")  # the browser's own first page may still be loading
        driver.get_log("performance")  # drop its requests
        driver.get(page.resolve().as_uri())
        yield driver
    finally:
        driver.quit()


def requests(driver: Chrome) -> List[str]:
    """Return the addresses that a page has requested since the last call, but its own file."""
    events: List[Dict[str, Any]] = [
        json.loads(entry["message"])["message"] for entry in driver.get_log("performance")
    ]
    sent = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    return [address for address in sent if not address.startswith(("file:", "data:"))]
