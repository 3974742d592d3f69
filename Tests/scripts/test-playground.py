#!/usr/bin/env python3
"""Tests the playground of a running server in headless Chromium, with Selenium.

    test-playground.py URL [--key KEY] [--screenshots FOLDER]

The server must have no other requests. With --key it must demand that key. Exits with 1 at the first fault.
"""

import argparse
import ast
import json
import os
import re
import shutil
import subprocess
import urllib.request

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

PHONE, DESKTOP = (390, 844, True), (1280, 900, False)


# Records the lengths of the text at each frame.
LENGTHS = """
window.lengths = new Set();
(function look() {
  lengths.add(document.getElementById("completions").textContent.length);
  requestAnimationFrame(look);
})();
"""


class Page:
    """The page in a browser."""

    def __init__(self, url):
        options = webdriver.ChromeOptions()
        for argument in ["--headless=new", "--hide-scrollbars", "--disable-dev-shm-usage"]:
            options.add_argument(argument)
        # Chromium has no sandbox for root.
        if os.getuid() == 0:
            options.add_argument("--no-sandbox")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.url = url
        options.binary_location = shutil.which("chromium")
        # By its path: Selenium would look for one on the web.
        self.driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))

    def open(self, size=DESKTOP, scheme="light"):
        width, height, is_mobile = size
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_mobile})
        self.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": is_mobile})
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        self.driver.get(self.url)

    def __getitem__(self, name):
        return self.driver.find_element(By.ID, name)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def wait(self, condition, seconds=60):
        return WebDriverWait(self.driver, seconds, poll_frequency=0.01).until(lambda _: condition())

    def wait_for_models(self):
        self.wait(lambda: self.all("#model option") and "per chunk" in self["facts"].text)

    def type(self, name, text):
        self[name].send_keys(Keys.CONTROL, "a")
        self[name].send_keys(text)

    def check(self, name, value):
        self.all(f'input[name="{name}"][value="{value}"]')[0].click()

    def press(self, *keys):
        self.driver.switch_to.active_element.send_keys(*keys)

    @property
    def focused(self):
        return self.driver.switch_to.active_element.get_attribute("id")

    @property
    def is_running(self):
        return self["stop"].is_enabled()

    @property
    def status(self):
        return self["status"].get_attribute("textContent")

    @property
    def texts(self):
        return [element.get_attribute("textContent") for element in self.all(".chunks")]

    def messages(self, but=None):
        """What the browser complains of, such as a violation of the policy or an exception."""
        found = [entry["message"] for entry in self.driver.get_log("browser")]
        return [message for message in found if not but or but not in message]


def get(url, key, body=None):
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    data = json.dumps(body).encode() if body else None
    with urllib.request.urlopen(urllib.request.Request(url, data, headers)) as response:
        return response.read().decode()


def running_sequences(url, key):
    """The sequences that run or wait."""
    counts = re.findall(r"^calm_(?:running|waiting)_sequences\{.*\} (\d+)$", get(url + "metrics", key), re.MULTILINE)
    assert counts
    return sum(map(int, counts))


def test_key(page, key):
    """The field for the key appears, refuses a wrong one and takes the right one."""
    page.wait(lambda: page["key-field"].is_displayed())
    assert page.focused == "key"
    page.press("wrong", Keys.ENTER)
    page.wait(lambda: "wrong" in page["error"].text)
    page.type("key", key)
    page.press(Keys.ENTER)
    page.wait_for_models()
    assert page["error"].text == ""
    assert page.messages(but="401") == []
    assert key not in page["code"].text and "$CALM_API_KEY" in page["code"].text


def test_stream(page, key):
    """By keyboard alone: type, set the temperature, stream, and receive what the interface gives."""
    models = [option.text for option in page.all("#model option")]
    listed = json.loads(get(page.url + "v1/models", key))["data"]
    assert models == [model["id"] for model in listed]
    page.type("prompt", "It's a “test” of 4")
    page["fresh"].send_keys(Keys.SPACE)
    page.type("seed", "7")
    page.type("length", "1000")
    assert page["temperature"].get_attribute("aria-valuetext") == "one"
    assert not page["pool"].is_enabled()
    page["temperature"].send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert page["temperature"].get_attribute("aria-valuetext") == "one half"
    page.type("pool", "3")
    page["temperature"].send_keys(Keys.END)
    page.driver.execute_script(LENGTHS)
    page["prompt"].send_keys(Keys.CONTROL, Keys.ENTER)
    page.wait(lambda: page.status.startswith("Done."))
    assert page.driver.execute_script("return lengths.size") > 2, "the text came in one piece"
    body = {"model": models[0], "prompt": "It's a “test” of 4", "max_tokens": 1000, "temperature": 1, "seed": 7}
    answer = json.loads(get(page.url + "v1/completions", key, body))
    assert page.texts == [answer["choices"][0]["text"]]
    assert f"{answer['usage']['completion_tokens']:,} tokens" in page["measurements"].text
    chunk_size = listed[0]["calm"]["chunk_size"]
    assert len(page.all(".chunk")) <= -(-answer["usage"]["completion_tokens"] // chunk_size) + 1
    border = "return getComputedStyle(document.querySelector('.chunk')).borderLeftWidth"
    assert page.driver.execute_script(border) == "0px"
    page["borders"].send_keys(Keys.SPACE)
    assert page.driver.execute_script(border) != "0px"
    assert page.messages() == []


def test_code(page, key):
    """The commands that the page shows give the same text."""
    environment = os.environ | {"CALM_API_KEY": key or ""}
    page["prompt"].clear()
    page.type("prompt", "Ada's \\n \"$HOME\" `x` é")
    page.type("length", "12")
    page["prompt"].send_keys(Keys.CONTROL, Keys.ENTER)
    page.wait(lambda: page.status.startswith("Done.") and not page.is_running)
    command = page["code"].text
    output = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, check=True).stdout.decode()
    events = [json.loads(line[6:]) for line in output.splitlines() if line.startswith("data: {")]
    assert "".join(choice["text"] for event in events for choice in event["choices"]) == page.texts[0]
    for count in ["1", "2"]:
        page.check("count", count)
        page.check("language", "python")
        ast.parse(page["code"].text)
    page.check("language", "curl")


def test_side_by_side(page):
    """Several completions differ, and two requests with one seed do not."""
    page.type("length", "16")
    page.check("count", "4")
    page["generate"].click()
    page.wait(lambda: page.status.startswith("Done.") and not page.is_running)
    texts = page.texts
    assert len(texts) == 4 and len(set(texts)) > 1
    page["generate"].click()
    page.wait(lambda: page.status.startswith("Done.") and not page.is_running)
    assert page.texts == texts
    page["fresh"].click()
    page["generate"].click()
    page.wait(lambda: page.status.startswith("Done.") and not page.is_running)
    assert page.texts != texts and page["seed"].get_attribute("value") != "7"


def test_stop(page, key):
    """The button and the key stop a text, and its places on the server are free."""
    page.type("length", str(int(page["length"].get_attribute("max")) // 2))
    for stop in [page["stop"].click, lambda: page.press(Keys.ESCAPE)]:
        page["generate"].send_keys(Keys.ENTER)
        assert page.focused == "stop"
        page.wait(lambda: any(page.texts))
        stop()
        page.wait(lambda: page.status == "Stopped.")
        assert page.focused == "generate" and page["error"].text == ""
        page.wait(lambda: running_sequences(page.url, key) == 0, seconds=10)
    assert page.messages() == []


def test_errors(page):
    """What the server refuses and what the page refuses is said in one line."""
    page.type("length", "16")
    page["temperature"].send_keys(Keys.HOME)
    page.type("pool", "1")
    page["generate"].click()
    page.wait(lambda: page["error"].text)
    assert "candidates" in page["error"].text and "\n" not in page["error"].text
    assert page["error"].get_attribute("role") == "alert"
    assert page.messages(but="400") == []
    page.type("length", "0")
    page["generate"].click()
    page.wait(lambda: page["error"].text.startswith("Length in tokens:"))
    assert page.focused == "length"


def test_layout(page, folder):
    """Nothing is wider than the screen, every control has a name, and touch finds it."""
    for name, size in [("narrow", (320, 700, True)), ("phone", PHONE), ("desktop", DESKTOP)]:
        for scheme in ["light", "dark"]:
            page.open(size, scheme)
            if page["key-field"].is_displayed():
                return
            page.wait_for_models()
            page.driver.execute_script("document.getElementById('settings').open = true")
            page.check("count", "2" if name == "phone" else "3")
            page["temperature"].send_keys(Keys.HOME, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
            page.type("length", "48")
            page["borders"].click()
            page["generate"].click()
            page.wait(lambda: page.status.startswith("Done.") and not page.is_running)
            widths = page.driver.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
            assert widths[0] <= size[0], f"{name}: {widths}"
            for control in page.all("input, select, textarea, button"):
                if control.is_displayed():
                    assert control.accessible_name, control.get_attribute("outerHTML")
                    assert min(control.size.values()) >= 18, control.get_attribute("outerHTML")
            if folder and name != "narrow":
                page.driver.execute_script("document.getElementById('settings').open = innerWidth > 832")
                screenshot(page, size, os.path.join(folder, f"playground-{name}-{scheme}.png"))
    assert page.messages() == []


def screenshot(page, size, path):
    height = page.driver.execute_script("return document.documentElement.scrollHeight")
    page.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": size[0], "height": height, "deviceScaleFactor": 1, "mobile": size[2]})
    page.driver.save_screenshot(path)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--key")
    parser.add_argument("--screenshots")
    arguments = parser.parse_args()
    page = Page(arguments.url.rstrip("/") + "/")
    try:
        page.open()
        if arguments.key:
            test_key(page, arguments.key)
        page.wait_for_models()
        test_stream(page, arguments.key)
        test_code(page, arguments.key)
        test_side_by_side(page)
        test_stop(page, arguments.key)
        test_errors(page)
        if not arguments.key:
            test_layout(page, arguments.screenshots)
        version = page.driver.capabilities["browserVersion"]
    finally:
        page.driver.quit()
    print(f"The playground works in Chromium {version}.")


if __name__ == "__main__":
    main()
