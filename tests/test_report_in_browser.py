"""The report in a real browser: headless Chromium, where there is one."""

import json
import os
import sys
from pathlib import Path

import pytest
from conftest import PROJECT, axe_violations, css

import classify
from utils.console import run_script


def make_report(folder: Path, given: Path) -> Path:
    before, sys.argv = sys.argv, ["classify.py", str(given), "-o", str(folder / "landmarks")]
    sys.argv += ["--report", str(folder)]
    try:
        assert run_script(classify.NAME, classify.main) == 0
    finally:
        sys.argv = before
    return folder


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """Of landmark files that do not tell where in the video the face was."""
    return make_report(tmp_path_factory.mktemp("report"), PROJECT / "landmarks")


@pytest.fixture(scope="module")
def extracted_page(tmp_path_factory) -> Path:
    """The page of a video."""
    folder = tmp_path_factory.mktemp("extracted")
    return make_report(folder, PROJECT / "input" / "sample_fake.mp4") / "sample_fake.html"


def shown_names(browser) -> list[str]:
    return [link.text for link in css(browser, "#videos tbody tr a")]


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


def test_the_timeline_describes_clips_to_pointer_and_keyboard(browser, report):
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


@pytest.fixture(scope="module")
def page(report, browser):
    """The page of a video that has its preview, at its beginning."""

    def opened(path: Path = report / "sample_fake.html") -> None:
        browser.set_window_size(1000, 1000)
        browser.get(path.as_uri() if isinstance(path, Path) else path)
        wait_for(browser, "document.querySelector('video').readyState >= 2")

    return opened


def wait_for(browser, condition: str, seconds: float = 10) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, seconds).until(
        lambda _: browser.execute_script(f"return Boolean({condition})"), condition
    )


def video_time(browser) -> float:
    return browser.execute_script("return document.querySelector('video').currentTime")


def press(browser, *keys: str) -> None:
    from selenium.webdriver import ActionChains

    browser.execute_script("document.activeElement.blur()")
    ActionChains(browser).send_keys(*keys).perform()


def test_the_preview_plays(browser, page):
    page()
    press(browser, "k")
    wait_for(browser, "document.querySelector('video').currentTime > 0.2")
    press(browser, " ")
    assert browser.execute_script("return document.querySelector('video').paused")


def test_a_click_on_a_bar_or_a_time_seeks_and_the_playhead_follows(browser, page, extracted_page):
    page(extracted_page)
    css(browser, ".clip")[3].click()
    wait_for(browser, "!document.querySelector('video').seeking")
    assert video_time(browser) == pytest.approx(6, abs=0.05)
    wait_for(browser, "Number(document.querySelector('.playhead').getAttribute('x1')) > 590")
    times = [float(one.get_attribute("data-time")) for one in css(browser, ".pictures .seek")]
    elsewhere = next(number for number, time in enumerate(times) if time != 6)
    css(browser, ".pictures .seek")[elsewhere].click()
    assert video_time(browser) == pytest.approx(times[elsewhere], abs=0.05)


def test_a_clip_is_sought_by_the_keyboard(browser, page):
    from selenium.webdriver import ActionChains, Keys

    page()
    browser.execute_script("arguments[0].focus()", css(browser, ".clip")[0])
    ActionChains(browser).send_keys(Keys.END, Keys.ENTER).perform()
    assert video_time(browser) == pytest.approx(8, abs=0.05)


@pytest.mark.parametrize(
    ("keys", "time"), [("5", 5), ("l", 10), ("0lj", 0), ("5..", 5.08), ("5,", 4.96)]
)
def test_keys_move_as_in_players(browser, page, keys, time):
    page()
    press(browser, *keys)
    assert video_time(browser) == pytest.approx(time, abs=0.1)


def test_keys_belong_to_what_is_in_focus(browser, page):
    from selenium.webdriver import ActionChains

    page()
    browser.execute_script("arguments[0].focus()", css(browser, "#landmarks")[0])
    ActionChains(browser).send_keys(" ").perform()
    assert browser.execute_script("return document.querySelector('video').paused")


DOTS = """const canvas = document.querySelector('canvas');
const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
return data.filter((value, index) => index % 4 === 3 && value > 0).length"""


def test_landmarks_are_drawn_on_demand(browser, page, extracted_page):
    page(extracted_page)
    assert browser.execute_script(DOTS) == 0
    css(browser, "#landmarks")[0].click()
    assert browser.execute_script(DOTS) > 68


def test_the_summary_is_copied_with_hash_version_date_and_caveat(browser, page, report):
    page()
    browser.execute_cdp_cmd(
        "Browser.grantPermissions",
        {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]},
    )
    css(browser, "#copy")[0].click()
    wait_for(browser, "document.querySelector('#copied').textContent === 'Copied.'")
    read = "navigator.clipboard.readText().then(arguments[0])"
    copied = browser.execute_async_script(read)
    assert copied.startswith("sample_fake.mp4: Fake\n") and "evidence, not proof" in copied
    assert "SHA-256" in copied and "LRNet" in copied and "weights bundled" in copied


@pytest.mark.parametrize("name", ["index.html", "sample_fake.html", "sample_real.html"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_accessibility_violation(browser, report, name, scheme):
    features = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", features)
    browser.get((report / name).as_uri())
    assert axe_violations(browser) == []


def test_axe_finds_nothing_on_the_page_of_a_video(browser, extracted_page):
    browser.get(extracted_page.as_uri())
    assert axe_violations(browser) == []


def test_the_preview_plays_from_a_web_server_too(browser, page, report, monkeypatch, tmp_path):
    """Beside its page, too large to lie within it."""
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    from utils.report import preview

    monkeypatch.setattr(preview, "INLINE_PREVIEW_BYTES", 0)
    arguments = ["classify.py", str(PROJECT / "landmarks" / "sample_fake.txt"), "--report"]
    monkeypatch.setattr(sys, "argv", [*arguments, str(tmp_path)])
    monkeypatch.setattr("utils.scaling.worker_processes.run_apart", lambda work, job: work(job))
    assert run_script(classify.NAME, classify.main) == 0
    assert (tmp_path / "sample_fake.mp4").is_file()
    quiet = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=str(tmp_path))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        page(f"http://127.0.0.1:{server.server_port}/sample_fake.html")
        server.shutdown()
    page(tmp_path / "sample_fake.html")


def test_five_thousand_rows_are_sorted_and_filtered_at_once(browser, tmp_path):
    from utils.report.page import IndexRow, PageWriter
    from utils.report.per_video import VideoFinder
    from utils.weights.sets import read_manifest

    writer = PageWriter(tmp_path, read_manifest().members("auto")[0], VideoFinder([]))
    picture = "data:image/webp;base64," + "A" * 1200
    writer._rows = [
        IndexRow(
            f"{n}.html", f"clip{n}.mp4", ".", "Real", n % 997 / 997, 1, n, "", picture, "#111111"
        )
        for n in range(5000)
    ]
    writer.close()
    browser.get((tmp_path / "index.html").as_uri())
    script = """const began = performance.now(); arguments[0]();
    document.body.offsetHeight; return performance.now() - began"""
    click = "document.querySelectorAll('th button')[2].click()"
    search = """const box = document.querySelector('#search'); box.value = '49';
    box.dispatchEvent(new Event('input'))"""
    for action in (click, search):
        took = browser.execute_script(script.replace("arguments[0]()", action))
        assert took < 1000
    assert len(css(browser, "#videos tbody tr")) <= 500
    browser.execute_script("document.querySelector('#search').value = ''")
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert len(css(browser, "#videos tbody tr")) == 5000
