"""A headless Chromium with the questions that the tests ask it."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

# Without these a headless browser looks for its maker's hosts, which a machine without a network waits for.
FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync --disable-dev-shm-usage --lang=pt-BR""".split()

PATIENCE_SECONDS = 10
# More controls than the page has, all folds open.
MOST_TABS = 150

# Every text that can be read, with its contrast against the first ground behind it that is not transparent (WCAG 2.1).
CONTRASTS = """
const channel = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
const luminance = (colour) => {
  const [red, green, blue] = parts(colour).map((value) => channel(value / 255));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest("option, noscript")) continue;
  let behind = element;
  while (behind && parts(getComputedStyle(behind).backgroundColor)[3] === 0) behind = behind.parentElement;
  const ground = behind ? getComputedStyle(behind).backgroundColor : "rgb(255, 255, 255)";
  const lights = [luminance(getComputedStyle(element).color), luminance(ground)].sort((one, other) => other - one);
  found.push([(lights[0] + 0.05) / (lights[1] + 0.05), walker.currentNode.data.trim().slice(0, 60)]);
}
return found;
"""


class Browser:
    def __init__(self, pictures: Path, dealers_port: int | None = None) -> None:
        """With a port of this machine, what stands in there for every host under `.example`."""
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        for flag in FLAGS:
            options.add_argument(flag)
        if dealers_port is not None:
            options.add_argument(f"--host-resolver-rules=MAP *.example 127.0.0.1:{dealers_port}")
            # Nobody vouches for the stand-in.
            options.accept_insecure_certs = True
        service = webdriver.ChromeService(executable_path="/usr/bin/chromedriver")
        self.driver = webdriver.Chrome(options=options, service=service)
        self.pictures = pictures

    def close(self) -> None:
        self.driver.quit()

    def command(self, name: str, **parameters) -> dict:
        """A command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(name, parameters)

    def window(self, width: int, height: int, mobile: bool = False) -> None:
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile
        )

    def prefers(self, **features: str) -> None:
        """Sets media features: `prefers(color_scheme="dark")`."""
        wished = [{"name": f"prefers-{name.replace('_', '-')}", "value": value} for name, value in features.items()]
        self.command("Emulation.setEmulatedMedia", features=wished)

    def scripts(self, run: bool) -> None:
        self.command("Emulation.setScriptExecutionDisabled", value=not run)

    def network(self, reachable: bool) -> None:
        self.command("Network.enable")
        self.command(
            "Network.emulateNetworkConditions",
            offline=not reachable,
            latency=0,
            downloadThroughput=-1,
            uploadThroughput=-1,
        )

    def picture(self, name: str) -> None:
        """The whole page, also what is below the window."""
        size = self.command("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        data = self.command("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)["data"]
        (self.pictures / f"{name}.png").write_bytes(base64.b64decode(data))

    def run(self, script: str, *arguments):
        return self.driver.execute_script(script, *arguments)

    def all(self, selector: str, within=None) -> list:
        return (within or self.driver).find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str, within=None):
        return (within or self.driver).find_element(By.CSS_SELECTOR, selector)

    def text(self, selector: str, within=None) -> str:
        return self.one(selector, within).text

    def until(self, what: str, holds):
        # The page may replace an element between the moment it is found and the one it is asked.
        wait = WebDriverWait(self.driver, PATIENCE_SECONDS, ignored_exceptions=[StaleElementReferenceException])
        return wait.until(lambda _: holds(), message=what)

    @property
    def focused(self):
        return self.driver.switch_to.active_element

    def press(self, *keys: str) -> None:
        """Types where the focus is, as a keyboard would."""
        self.focused.send_keys(*keys)

    def tab_to(self, selector: str):
        """Presses Tab until an element has the focus; each stop on the way must show that it has it."""
        for _ in range(MOST_TABS):
            self.press(Keys.TAB)
            focused = self.focused
            outline = focused.value_of_css_property("outline-style")
            if outline == "none":
                raise AssertionError(f"no one can see the focus on {focused.get_attribute('outerHTML')[:200]}")
            if self.run("return arguments[0].matches(arguments[1])", focused, selector):
                return focused
        raise AssertionError(f"{selector} cannot be reached by keyboard")

    def answered(self) -> None:
        self.until("the answer is shown", lambda: self.focused.get_attribute("id") == "found")

    def refused(self) -> None:
        self.until("the errors are shown", lambda: self.one("#summary").is_displayed())

    def contrasts(self) -> list[tuple[float, str]]:
        return [(contrast, text) for contrast, text in self.run(CONTRASTS)]

    def complaints(self) -> list[str]:
        """What the browser's console says, but for refusals of the API, which the page shows."""
        messages = (entry["message"] for entry in self.driver.get_log("browser"))
        return [message for message in messages if "Failed to load resource" not in message or "recommend" not in message]

    def requests(self) -> list[str]:
        """What pages have asked for since this was last asked, answered or not; what they carry along is no request."""
        events = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        sent = (event["params"] for event in events if event["method"] == "Network.requestWillBeSent")
        addresses = (params["request"]["url"] for params in sent)
        return [address for address in addresses if not address.startswith("data:")]

    def nameless(self) -> list[str]:
        """Controls that a screen reader has no name for."""
        kinds = {"textbox", "checkbox", "radio", "slider", "combobox", "button", "link", "radiogroup", "article"}
        nodes = self.command("Accessibility.getFullAXTree")["nodes"]
        return [
            str(node["role"]["value"])
            for node in nodes
            if not node["ignored"] and node["role"]["value"] in kinds and not node.get("name", {}).get("value")
        ]
