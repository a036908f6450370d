"""What a developer does on the page to try the API, and what must be seen."""

from __future__ import annotations

import json
import sys
import tempfile
import unittest
from pathlib import Path

from selenium.webdriver.common.keys import Keys

import serving
from browser import Browser

DESKTOP = (1280, 900)
PHONE = (360, 780)
# WCAG 2.1, level AA, for text of any size.
LEAST_CONTRAST = 4.5


class Developers(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        folder = Path(tempfile.mkdtemp(prefix="faciliauto-docs-"))
        print(f"pictures and the service's log: {folder}", file=sys.stderr, flush=True)
        tokens = folder / "tokens"
        tokens.write_text("the-administrator-of-the-page-s-test\n")
        cls.service = serving.Service(serving.build(), folder / "service.log", "--admin-token-file", str(tokens))
        cls.addClassCleanup(cls.service.stop)
        cls.browser = Browser(folder)
        cls.addClassCleanup(cls.browser.close)

    def setUp(self) -> None:
        self.browser.window(*DESKTOP)
        self.browser.prefers(color_scheme="light")
        self.open("/docs")
        self.browser.driver.get_log("browser")

    def open(self, path: str) -> None:
        self.browser.driver.get("about:blank")
        self.browser.driver.get(self.service.address + path)
        self.browser.until("the routes are listed", lambda: self.browser.all(".route"))

    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self.browser.driver.get_log("browser")]

    def unfold(self, operation: str):
        """Opens a route as the address names it."""
        self.browser.run("location.hash = arguments[0]", operation)
        return self.browser.until(
            "the route is open", lambda: (self.browser.all(f"#{operation}[open] form") or [None])[0]
        )

    def answer(self, operation: str) -> tuple[str, list[str]]:
        """The line of the status, and the blocks below it."""
        place = f"#{operation} .answer"
        self.browser.until("the answer is shown", lambda: self.browser.focused.get_attribute("class") == "answer")
        return self.browser.text(f"{place} .status"), [block.text for block in self.browser.all(f"{place} pre")]

    def test_every_route_is_listed_and_can_be_opened(self) -> None:
        """Prevents a route that stands in openapi.json and not on the page, or that the script stumbles over."""
        self.open("/api/docs")
        document = self.browser.run("return api")
        described = [
            operation["operationId"] for methods in document["paths"].values() for operation in methods.values()
        ]
        self.assertGreater(len(described), 20)
        self.assertEqual(sorted(route.get_attribute("id") for route in self.browser.all(".route")), sorted(described))
        for operation in described:
            self.unfold(operation)
        # Folds inside a fold are there once it is open.
        for _ in range(2):
            self.browser.run("for (const details of document.querySelectorAll('details')) details.open = true")
            self.browser.until(
                "every fold is written",
                lambda: self.browser.run(
                    "return [...document.querySelectorAll('details')].every((details) => details.children.length > 1)"
                ),
            )
        self.assertGreater(len(self.browser.all(".schema tr")), 300)
        self.assertEqual(self.browser.nameless(), [])
        self.assertEqual(self.complaints(), [])
        loaded = self.browser.run("return performance.getEntriesByType('resource').map((entry) => entry.name)")
        self.assertTrue(all(name.startswith(f"{self.service.address}/api/") for name in loaded), loaded)

    def test_without_a_mouse_a_questionnaire_is_sent_and_answered(self) -> None:
        """Prevents a page that only a mouse can use."""
        browser = self.browser
        self.unfold("post_recommend")
        self.assertEqual(browser.focused.tag_name, "summary")
        body = browser.tab_to("#post_recommend textarea")
        self.assertEqual(json.loads(body.get_property("value"))["uso_principal"], "familia")
        browser.tab_to("#post_recommend button")
        browser.press(Keys.ENTER)
        status, blocks = self.answer("post_recommend")
        self.assertTrue(status.startswith("200 OK em "), status)
        headers, answer, curl = blocks
        self.assertIn("content-type: application/json", headers)
        self.assertEqual(json.loads(answer)["total_recommendations"], 5)
        self.assertIn("curl -X POST", curl)
        browser.picture("docs-desktop")

    def test_refusals_are_shown_as_they_come(self) -> None:
        """Prevents a refusal from being hidden, and a parameter or an edited body from being left out."""
        browser = self.browser
        form = self.unfold("get_cars")
        browser.one("[id='get_cars.limit']", form).send_keys("7")
        browser.one("[id='get_cars.marca']", form).send_keys("Fiat")
        browser.one("[id='get_cars.ordenar']", form).send_keys("preco_desc")
        browser.one("button", form).send_keys(Keys.ENTER)
        _, (_, cars, _) = self.answer("get_cars")
        cars = json.loads(cars)
        self.assertEqual((len(cars), {car["marca"] for car in cars}), (7, {"Fiat"}))
        limit = browser.one("[id='get_cars.limit']", form)
        limit.clear()
        limit.send_keys("muitos")
        browser.one("button", form).send_keys(Keys.ENTER)
        browser.until("it is refused", lambda: browser.text("#get_cars .status").startswith("422"))
        form = self.unfold("post_recommend")
        body = browser.one("textarea", form)
        body.clear()
        body.send_keys("{")
        browser.one("button", form).send_keys(Keys.ENTER)
        status, blocks = self.answer("post_recommend")
        self.assertTrue(status.startswith("400"), status)
        self.assertIn("broken-json", blocks[1])

    def test_a_token_is_sent_only_where_it_is_needed_and_shown_nowhere(self) -> None:
        """Prevents a token from standing in a command that is copied into a chat, or from going with every request."""
        browser = self.browser
        form = self.unfold("put_dealerships_id")
        browser.one("[id='put_dealerships_id.id']", form).send_keys("loja-1")
        browser.one("button", form).send_keys(Keys.ENTER)
        status, _ = self.answer("put_dealerships_id")
        self.assertTrue(status.startswith("401"), status)
        token = "the-administrator-of-the-page-s-test"
        browser.one("#token").send_keys(token)
        browser.one("button", form).send_keys(Keys.ENTER)
        browser.until("it is created", lambda: browser.text("#put_dealerships_id .status").startswith("201"))
        self.assertNotIn(token, browser.text("#put_dealerships_id"))
        self.assertIn("Bearer $TOKEN", browser.text("#put_dealerships_id"))
        form = self.unfold("get_stats")
        browser.one("button", form).send_keys(Keys.ENTER)
        self.assertNotIn("TOKEN", self.answer("get_stats")[1][-1])

    def test_a_key_opens_what_is_held_of_its_id(self) -> None:
        """Prevents the routes about people from being out of reach here, and a key from being told with a command."""
        browser = self.browser
        form = self.unfold("post_feedback")
        browser.one("button", form).send_keys(Keys.ENTER)
        status, (_, body, _) = self.answer("post_feedback")
        self.assertTrue(status.startswith("201"), status)
        given = json.loads(body)
        form = self.unfold("get_users_id_data")
        browser.one("[id='get_users_id_data.id']", form).send_keys(given["user_id"])
        browser.one("button", form).send_keys(Keys.ENTER)
        status, _ = self.answer("get_users_id_data")
        self.assertTrue(status.startswith("401"), status)
        browser.one("#key").send_keys(given["user_key"])
        browser.one("button", form).send_keys(Keys.ENTER)
        browser.until("it is shown", lambda: browser.text("#get_users_id_data .status").startswith("200"))
        self.assertNotIn(given["user_key"], browser.text("#get_users_id_data"))
        self.assertIn("X-User-Key: $KEY", browser.text("#get_users_id_data"))
        form = self.unfold("get_stats")
        browser.one("button", form).send_keys(Keys.ENTER)
        self.assertNotIn("KEY", self.answer("get_stats")[1][-1])

    def test_a_phone_shows_all_of_it(self) -> None:
        """Prevents a page that must be scrolled sideways, and targets too small for a thumb."""
        browser = self.browser
        browser.window(*PHONE, mobile=True)
        self.open("/docs")
        form = self.unfold("post_recommend")
        browser.one("button", form).send_keys(Keys.ENTER)
        self.answer("post_recommend")
        for details in browser.all("#post_recommend details"):
            browser.run("arguments[0].open = true", details)
        browser.until("fields are shown", lambda: browser.all("#post_recommend .schema"))
        self.assertLessEqual(browser.run("return document.documentElement.scrollWidth"), PHONE[0])
        for target in browser.all("input, select, button, textarea, summary"):
            if target.is_displayed():
                self.assertGreaterEqual(target.size["height"], 32, target.get_attribute("outerHTML")[:200])
        browser.picture("docs-phone")

    def test_every_text_can_be_read_in_both_colour_schemes(self) -> None:
        """Prevents text that melts into its ground."""
        browser = self.browser
        for scheme in ["light", "dark"]:
            browser.prefers(color_scheme=scheme)
            self.open("/docs")
            form = self.unfold("get_cars")
            browser.one("button", form).send_keys(Keys.ENTER)
            self.answer("get_cars")
            for details in browser.all("#get_cars details, nav details"):
                browser.run("arguments[0].open = true", details)
            browser.until("fields are shown", lambda: browser.all("#get_cars .schema"))
            texts = browser.contrasts()
            self.assertGreater(len(texts), 100)
            self.assertEqual([text for text in texts if text[0] < LEAST_CONTRAST], [], scheme)
            browser.picture(f"docs-{scheme}")
