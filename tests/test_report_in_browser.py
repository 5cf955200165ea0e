"""The report in a real browser: headless Chromium, where there is one."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from conftest import PROJECT

import classify
from utils.console import run_script

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    before, sys.argv = sys.argv, ["classify.py", "-i", str(PROJECT / "landmarks"), "--report"]
    sys.argv.append(str(folder))
    try:
        assert run_script(classify.NAME, classify.main) == 0
    finally:
        sys.argv = before
    return folder


@pytest.fixture(scope="module")
def browser():
    if not BROWSER or not DRIVER:
        pytest.skip("no chromium and chromedriver (Debian: apt-get install chromium-driver)")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


def css(browser, selector: str) -> list:
    return browser.find_elements("css selector", selector)


def shown_names(browser) -> list[str]:
    return [link.text for link in css(browser, "#videos tbody tr:not([hidden]) a")]


def test_the_index_is_sorted_by_a_click_and_again_the_other_way(browser, report):
    browser.get((report / "index.html").as_uri())
    score = css(browser, "th button")[2]
    score.click()
    ascending = shown_names(browser)
    score.click()
    assert shown_names(browser) == ascending[::-1] and ascending[-1] == "sample_fake.mp4"


def test_the_index_is_filtered_by_label_and_by_name(browser, report):
    browser.get((report / "index.html").as_uri())
    css(browser, "input[value=Fake]")[0].click()
    assert "sample_fake.mp4" not in shown_names(browser)
    assert css(browser, "#count")[0].text == "1 of 2 videos"
    css(browser, "input[value=Fake]")[0].click()
    css(browser, "#search")[0].send_keys("FAKE")
    assert shown_names(browser) == ["sample_fake.mp4"]


def test_the_timeline_is_told_to_pointer_and_keyboard(browser, report):
    from selenium.webdriver import ActionChains, Keys

    browser.get((report / "sample_fake.html").as_uri())
    clips, told = css(browser, ".clip"), css(browser, ".timeline output")[0]
    ActionChains(browser).move_to_element(clips[2]).perform()
    assert told.text.startswith("00:04 to 00:06: score")
    browser.execute_script("arguments[0].focus()", clips[0])
    ActionChains(browser).send_keys(Keys.ARROW_RIGHT).perform()
    assert told.text.startswith("00:02 to 00:04: score")
    assert browser.switch_to.active_element == clips[1]


def test_nothing_is_said_on_the_console_and_nothing_leaves_the_page(browser, report):
    browser.get_log("browser"), browser.get_log("performance")
    for page in ("index.html", "sample_fake.html"):
        browser.get((report / page).as_uri())
    assert browser.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert asked and all(url.startswith(("file:", "data:")) for url in asked)


@pytest.mark.parametrize("page", ["index.html", "sample_real.html"])
def test_a_page_fits_400_pixels(browser, report, page):
    browser.set_window_size(500, 800)
    metrics = {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get((report / page).as_uri())
    width = browser.execute_script("return document.documentElement.scrollWidth")
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert width <= 400


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_schemes_have_a_ground_of_their_own(browser, report, scheme):
    features = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", features)
    browser.get((report / "index.html").as_uri())
    script = "return getComputedStyle(document.body).backgroundColor"
    ground = browser.execute_script(script).removeprefix("rgb(").split(",")[0]
    assert (int(ground) > 200) is (scheme == "light")
    if os.environ.get("LRNET_SCREENSHOTS"):
        folder = Path(os.environ["LRNET_SCREENSHOTS"])
        browser.save_screenshot(str(folder / f"index_{scheme}.png"))
