"""A headless Chromium of Debian's: opens a page from its file, and tells what it said, asked for and showed."""

import base64
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

WIDTHS = (360, 800, 1280)  #: CSS pixels: a phone, a tablet, a desktop


def programs() -> tuple[str, str] | None:
    """Chromium and its driver, or None where one of them is missing."""
    found = shutil.which("chromium"), shutil.which("chromedriver")
    return found if all(found) else None


@contextmanager
def started(*, script: bool = True) -> Iterator[webdriver.Chrome]:
    """A browser of its own; `script` False: one that runs none."""
    chromium, driver = programs()
    os.environ["SE_OFFLINE"] = "true"  # selenium never looks for a browser elsewhere
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    quiet = ("no-first-run", "disable-background-networking", "disable-component-update", "disable-sync")
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "disable-gpu", *quiet):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    options.set_capability("unhandledPromptBehavior", "ignore")  # an alert is a failure, not closed unseen
    if not script:
        options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
    browser = webdriver.Chrome(options=options, service=Service(driver))
    browser.set_page_load_timeout(60)
    browser.set_script_timeout(60)
    try:
        yield browser
    finally:
        browser.quit()


class Page:
    """One page in the browser."""

    def __init__(self, browser: webdriver.Chrome, path: Path, *, width: int = 1280, scheme: str = "light"):
        self.browser, self.path = browser, Path(path).resolve()
        self._open(width, scheme)

    def _open(self, width: int, scheme: str) -> None:
        self._requests: list[str] = []
        self._said: list[str] = []
        self.browser.get("about:blank")
        for kind in ("browser", "performance"):
            self.browser.get_log(kind)  # what another page left
        self.width(width)
        self.scheme(scheme)
        self.browser.get(self.path.as_uri())

    def again(self, *, width: int = 1280, scheme: str = "light") -> "Page":
        """The same page for another test: so wide, light or dark, at its top, with no focus and the pointer away.

        Opened anew if the browser has left it. What its script has learned since is the test's to put back.
        """
        if self.browser.current_url == self.path.as_uri():
            self.width(width)
            self.scheme(scheme)
        else:
            self._open(width, scheme)
        self.command("Input.dispatchMouseEvent", type="mouseMoved", x=0, y=0)
        self.run("document.activeElement.blur(); getSelection().removeAllRanges(); scrollTo(0, 0)")
        self.rest()
        return self

    def width(self, width: int, height: int = 900) -> None:
        """The viewport in CSS pixels."""
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def scheme(self, scheme: str, media: str = "") -> None:
        """light or dark; `media` "print" shows the page as paper does."""
        self.command(
            "Emulation.setEmulatedMedia",
            media=media,
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )

    def command(self, name: str, **options) -> dict[str, Any]:
        """A command of the DevTools protocol."""
        return self.browser.execute_cdp_cmd(name, options)

    def run(self, script: str, *arguments) -> Any:
        """What the body of a function gives back (`return ...`) in the page."""
        return self.browser.execute_script(script, *arguments)

    def press(self, key: str, *, code: int, times: int = 1, shift: bool = False) -> None:
        """A key of the keyboard, where the focus is; key and code as in DOM events."""
        stroke = {"key": key, "code": key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        for _ in range(times):
            self.command("Input.dispatchKeyEvent", type="rawKeyDown", **stroke)
            self.command("Input.dispatchKeyEvent", type="keyUp", **stroke)

    def rest(self) -> None:
        """Until what was changed is drawn."""
        self.run(
            "return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
        )

    def complaints(self) -> list[str]:
        """Errors and warnings of the console since the page was opened: refused scripts and pictures are among them."""
        self._said += [
            f"{line['level']}: {line['message']}"
            for line in self.browser.get_log("browser")
            if line["level"] in ("SEVERE", "WARNING")
        ]
        return list(self._said)

    def requests(self) -> list[str]:
        """Addresses asked for since the page was opened, but for what a page carries itself (data:, blob:)."""
        for line in self.browser.get_log("performance"):
            message = json.loads(line["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                address = message["params"]["request"]["url"]
                if not address.startswith(("data:", "blob:", "about:")):
                    self._requests.append(address)
        return list(self._requests)

    def silent(self) -> bool:
        """True if the console said nothing bad and nothing but the file itself was asked for."""
        complaints, others = self.complaints(), [a for a in self.requests() if a != self.path.as_uri()]
        assert not complaints and not others, (complaints, others)
        return True

    def picture(self, path: Path, *, whole: bool = True) -> Path:
        """A screenshot, of the `whole` page or of what is in view."""
        taken = self.command("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(taken["data"]))
        return path

    def printed(self) -> bytes:
        """The page as a PDF file."""
        found = self.command("Page.printToPDF", printBackground=True, paperWidth=8.27, paperHeight=11.69)
        return base64.b64decode(found["data"])

    def wait(self, script: str, *arguments, seconds: float = 20) -> Any:
        """What `script` gives back as soon as that is true; fails if it never is."""
        ends = time.monotonic() + seconds
        while not (found := self.run(script, *arguments)):
            assert time.monotonic() < ends, f"never true in the page: {script}"
            time.sleep(0.02)
        return found
