"""The local page in a real browser: headless Chromium, where there is one."""

import time

import pytest
from conftest import PROJECT, axe_violations, css

pytest.importorskip("starlette")
FILES = [
    PROJECT / "landmarks" / "sample_fake.txt",
    PROJECT / "README.md",
    PROJECT / "landmarks" / "sample_real.txt",
]


@pytest.fixture
def page(browser, address):
    browser.set_window_size(1000, 900)
    browser.get(address)
    browser.get_log("browser")
    yield browser
    # by script: rows move up as others go, so that a pointer would miss some
    browser.execute_script(
        "for (const one of document.querySelectorAll('#jobs button')) one.click()"
    )
    wait_for(browser, "Nothing here yet.")


def wait_for(browser, status: str, seconds: float = 60) -> None:
    for _ in range(int(10 * seconds)):
        if css(browser, "#status")[0].text == status:
            return
        time.sleep(0.1)
    raise AssertionError(css(browser, "#status")[0].text)


def test_chosen_files_get_their_verdicts_and_reports(page):
    css(page, "#files")[0].send_keys("\n".join(map(str, FILES)))
    wait_for(page, "3 of 3 done")
    labels = {one.text for one in css(page, "#jobs .label")}
    assert labels == {"Fake", "Real"}
    assert "README.md: not a video" in page.find_element("css selector", "#jobs").text
    assert axe_violations(page) == []
    wait_for(page, "3 of 3 done")  # axe reloads the page: the history is still there
    assert page.get_log("browser") == []
    css(page, "#jobs .label.Fake + a, #jobs li.Fake a")[0].click()
    assert "sample_fake" in page.title
    css(page, "a[href='/']")[0].click()
    wait_for(page, "3 of 3 done")


def test_a_dropped_file_is_sent(page):
    script = """const data = new DataTransfer();
    data.items.add(new File([arguments[0]], 'dropped.txt', { type: 'text/plain' }));
    document.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true }));"""
    page.execute_script(script, FILES[0].read_text())
    wait_for(page, "1 of 1 done")
    assert css(page, "#jobs .name")[0].text == "dropped.txt"


def test_a_job_is_deleted_by_the_keyboard_alone(page):
    from selenium.webdriver import Keys

    css(page, "#files")[0].send_keys(str(FILES[0]))
    wait_for(page, "1 of 1 done")
    button = css(page, "#jobs button")[0]
    button.send_keys(Keys.ENTER)
    wait_for(page, "Nothing here yet.")
    assert page.switch_to.active_element.get_attribute("id") == "files"


def test_a_name_is_shown_as_text(page):
    script = """const data = new DataTransfer();
    data.items.add(new File(['x'], '<img src=x onerror=alert(1)>.txt'));
    document.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true }));"""
    page.execute_script(script)
    wait_for(page, "1 of 1 done")
    assert css(page, "#jobs .name")[0].text.startswith("<img") and not css(page, "#jobs img")


def test_the_page_fits_400_pixels(page):
    metrics = {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    width = page.execute_script("return document.documentElement.scrollWidth")
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert width <= 400
