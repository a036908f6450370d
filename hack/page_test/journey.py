"""What a buyer does on the page, and what must be seen. Each test begins on a page that was just opened."""

from __future__ import annotations

import sys
import tempfile
import unittest
from decimal import Decimal
from pathlib import Path

from selenium.webdriver.common.keys import Keys

import serving
from browser import Browser

DESKTOP = (1280, 900)
PHONE = (360, 780)
# WCAG 2.1, level AA, for text of any size.
LEAST_CONTRAST = 4.5


def decimal(text: str) -> Decimal:
    return Decimal(text.strip().rstrip("%").replace(".", "").replace(",", "."))


class Journey(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        folder = Path(tempfile.mkdtemp(prefix="faciliauto-page-"))
        print(f"pictures and the service's log: {folder}", file=sys.stderr, flush=True)
        cls.service = serving.Service(serving.build(), folder / "service.log")
        cls.addClassCleanup(cls.service.stop)
        cls.browser = Browser(folder)
        cls.addClassCleanup(cls.browser.close)

    def setUp(self) -> None:
        browser = self.browser
        browser.window(*DESKTOP)
        browser.prefers(color_scheme="light")
        browser.scripts(True)
        browser.driver.get(self.service.address)
        browser.driver.get_log("browser")

    def fill(self, **answers: str) -> None:
        for name, text in answers.items():
            self.browser.one(f"[name={name}]").send_keys(text)

    def choose(self, name: str, value: str) -> None:
        self.browser.one(f"[name={name}][value={value}]").send_keys(Keys.SPACE)

    def ask(self, least: str, most: str, **answers: str) -> None:
        self.fill(orcamento_min=least, orcamento_max=most, **answers)
        self.choose("uso_principal", "familia")
        self.browser.one("#orcamento_max").send_keys(Keys.ENTER)

    def check_cards(self) -> int:
        """Every car's bars sum to the match that it shows, and nothing of the wire is left in the labels."""
        browser = self.browser
        cards = browser.all(".car")
        for card in cards:
            points = [decimal(points.text) for points in browser.all(".bars .points", card)]
            match = decimal(browser.text(".match strong", card))
            self.assertGreater(len(points), 5)
            self.assertEqual(sum(points), match)
            self.assertEqual(decimal(browser.text(".sum .points", card)), match)
            for label in browser.all(".bars .label", card):
                self.assertNotIn("_", label.text)
            for bar in browser.all(".bars li", card):
                width = browser.one(".won", bar).size["width"]
                self.assertEqual(width > 0, decimal(browser.text(".points", bar)) > 0)
        return len(cards)

    def test_a_buyer_without_a_mouse_gets_from_questions_to_the_seller(self) -> None:
        """Prevents a page that only a mouse can use, and bars that do not add up."""
        browser = self.browser
        browser.tab_to("#orcamento_min")
        browser.press("R$ 50.000")
        browser.tab_to("#orcamento_max")
        browser.press("90 mil")
        browser.tab_to("[name=uso_principal]")
        browser.press(Keys.SPACE)
        browser.tab_to("#tamanho_familia")
        browser.press("4")
        browser.tab_to("[name=tem_criancas]")
        browser.press(Keys.SPACE)
        browser.tab_to("#city")
        browser.press("campinas")
        browser.tab_to("#state")
        browser.press("SP")
        safety = browser.tab_to("[name='prioridades.seguranca']")
        browser.press(Keys.RIGHT, Keys.RIGHT)
        self.assertEqual(safety.get_attribute("aria-valuetext"), "5 de 5")
        browser.tab_to("summary")
        browser.press(Keys.ENTER)
        browser.until("brands are offered", lambda: browser.all("[data-group=marcas_preferidas] input"))
        browser.tab_to("[name=tipos_preferidos][value=SUV]")
        browser.press(Keys.SPACE)
        browser.tab_to("[name=marcas_preferidas][value=Honda]")
        browser.press(Keys.SPACE)
        browser.tab_to("button[type=submit]")
        browser.press(Keys.ENTER)
        browser.answered()

        self.assertEqual(browser.text("#found"), "Os 5 carros que mais combinam com você")
        self.assertEqual(browser.text("#status"), "5 carros encontrados.")
        self.assertEqual(self.check_cards(), 5)
        first = browser.one(".car")
        self.assertIn("km de você", browser.text(".seller", first))
        self.assertTrue(browser.one("details.costs", first).get_property("open"))
        rows = [decimal(cell.text.replace("R$", "")) for cell in browser.all("tbody td:last-child", first)]
        total = decimal(browser.text("tfoot td", first).replace("R$", ""))
        self.assertEqual((len(rows), sum(rows)), (6, total))
        self.assertTrue(browser.all(".attention li", first))
        self.assertIn("à frente do próximo", browser.text(".comparison", first))
        self.assertTrue(any("Seria o primeiro" in text.text for text in browser.all(".first-price")))
        link = browser.tab_to(".whatsapp")
        self.assertTrue(link.get_attribute("href").startswith("https://wa.me/55"))
        self.assertEqual(browser.nameless(), [])
        browser.picture("desktop")
        loaded = browser.run("return performance.getEntriesByType('resource').map((entry) => entry.name)")
        self.assertEqual([name for name in loaded if not name.startswith(self.service.address)], [])
        self.assertEqual(browser.complaints(), [])

    def test_what_was_looked_at_is_counted_and_no_answer_goes_along(self) -> None:
        """Prevents clicks from being lost or counted twice, and a buyer's answers from being sent along with them."""
        browser = self.browser
        browser.run(
            """
            window.sent = [];
            const real = window.fetch;
            window.fetch = async (address, options) => {
              const answer = await real(address, options);
              const { keepalive, body } = options;
              if (address.endsWith("track")) window.sent.push([answer.status, keepalive, JSON.parse(body)]);
              return answer;
            };
            document.addEventListener("click", (event) => event.target.closest(".whatsapp") && event.preventDefault());
            """
        )
        self.ask("50000", "90000", city="Olinda", state="PE")
        browser.answered()
        self.assertEqual(browser.run("return window.sent"), [], "what is open from the start was opened by nobody")
        second = browser.all(".car")[1]
        summary = browser.one("summary", second)
        for _ in range(3):
            summary.send_keys(Keys.ENTER)
        browser.until("it was told", lambda: browser.run("return window.sent.length") == 1)
        browser.one(".whatsapp", second).send_keys(Keys.ENTER)
        browser.until("it was told", lambda: browser.run("return window.sent.length") == 2)
        sent = browser.run("return window.sent")
        visit, car, score = (sent[0][2][field] for field in ("session_id", "car_id", "score"))
        told = {"session_id": visit, "car_id": car, "recommendation_position": 2, "score": score}
        self.assertEqual(
            sent,
            [[201, True, {**told, "interaction_type": kind}] for kind in ("view_details", "whatsapp_contact")],
        )
        self.assertRegex(visit, "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
        self.assertEqual(browser.complaints(), [])

    def test_invented_cars_say_that_they_are(self) -> None:
        """Prevents sample stock from being taken for real cars."""
        browser = self.browser
        self.assertIn("inventados", browser.text("#sample"))
        self.ask("50000", "90000")
        browser.answered()
        self.assertEqual(len(browser.all(".car .tag")), 5)

    def test_an_empty_list_says_why_and_what_to_do(self) -> None:
        """Prevents a buyer from being left with nothing and no way on."""
        browser = self.browser
        self.ask("5000", "9000")
        browser.answered()
        self.assertEqual(browser.text("#found"), "Nenhum carro atende a tudo")
        self.assertIn("orçamento máximo de R$ 9.000", browser.text(".message"))
        self.assertIn("o mais barato custa", browser.text(".suggestion"))
        self.assertEqual(browser.all(".car"), [])
        browser.picture("empty")

    def test_what_comes_close_is_offered_with_what_is_given_up(self) -> None:
        """Prevents alternatives from being shown as if they met every wish."""
        browser = self.browser
        self.ask("30000", "60000", city="Olinda", state="PE", raio_maximo_km="3")
        browser.answered()
        self.assertEqual(browser.text("#found"), "Nenhum carro atende a tudo")
        self.assertIn("o raio de 3 km", browser.text(".suggestion"))
        self.assertEqual(browser.text("h2.alternatives"), "Chegam perto do que você pediu")
        given_up = [each.text for each in browser.all(".car .relaxed")]
        self.assertEqual(given_up, ["Sem atender a: Distância máxima."] * 5)
        self.check_cards()
        browser.picture("alternatives")

    def test_a_mistake_is_shown_beside_its_field(self) -> None:
        """Prevents a buyer from having to guess which answer was not understood."""
        browser = self.browser
        browser.one("button[type=submit]").send_keys(Keys.ENTER)
        browser.refused()
        self.assertEqual(browser.focused.get_attribute("id"), "orcamento_min")
        self.assertEqual(browser.text("#summary p"), "Corrija 3 respostas:")
        for selector in ["#orcamento_min", "#orcamento_max", "[data-group=uso_principal]"]:
            place = browser.one(selector)
            self.assertEqual(place.get_attribute("aria-invalid"), "true")
            described = browser.one(f"[id='{place.get_attribute('aria-describedby')}']")
            self.assertEqual(described.text, "É obrigatório.")
        browser.picture("errors")

        # What was typed is repeated as text.
        self.fill(city="Campinaz<img src=x>")
        self.ask("90000", "50 carros")
        browser.until("the errors are shown anew", lambda: browser.text("#summary p") == "Corrija 2 respostas:")
        self.assertEqual(browser.focused.get_attribute("id"), "orcamento_max")
        self.assertIn("Deve ser um número", browser.text("#error-orcamento_max"))
        self.assertIn("Campinaz<img src=x>", browser.text("#error-city"))
        self.assertEqual(browser.all("img"), [])
        self.assertEqual(browser.all("#error-orcamento_min"), [])

        # In a part that is folded away, and in the words of the page.
        browser.one("#city").clear()
        browser.one("#orcamento_max").clear()
        browser.run("document.getElementById('ano_minimo').value = '90'")
        self.fill(orcamento_max="50000")
        browser.one("#orcamento_max").send_keys(Keys.ENTER)
        browser.until("the year is refused", lambda: browser.focused.get_attribute("id") == "ano_minimo")
        self.assertTrue(browser.one("#error-ano_minimo").is_displayed())
        browser.one("#ano_minimo").clear()
        browser.one("#orcamento_max").send_keys(Keys.ENTER)
        contradiction = "É menor do que “Orçamento mínimo”."
        browser.until("the contradiction is shown", lambda: [e.text for e in browser.all(".error")] == [contradiction])
        self.assertEqual(browser.complaints(), [])

    def test_a_service_that_cannot_be_reached_is_said_to_be(self) -> None:
        """Prevents a buyer from waiting for an answer that does not come."""
        browser = self.browser
        browser.network(reachable=False)
        self.addCleanup(browser.network, reachable=True)
        self.ask("50000", "90000")
        browser.refused()
        self.assertIn("Não foi possível falar com o serviço", browser.text("#summary"))
        self.assertEqual(browser.text("#status"), "")
        browser.network(reachable=True)
        browser.one("#orcamento_max").send_keys(Keys.ENTER)
        browser.answered()
        self.assertFalse(browser.one("#summary").is_displayed())

    def test_a_phone_shows_everything_without_scrolling_sideways(self) -> None:
        """Prevents a page that is cut off on a phone, or whose targets a thumb misses."""
        browser = self.browser
        browser.window(*PHONE, mobile=True)
        browser.driver.refresh()
        browser.run("for (const details of document.querySelectorAll('details')) details.open = true")
        browser.until("brands are offered", lambda: browser.all("[data-group=marcas_preferidas] input"))
        browser.picture("phone-questions")
        self.ask("50000", "90000", city="Campinas", state="SP")
        browser.answered()
        browser.run("for (const details of document.querySelectorAll('details')) details.open = true")
        self.assertLessEqual(browser.run("return document.documentElement.scrollWidth"), PHONE[0])
        small = "input:not([type=checkbox], [type=radio]), select, button, .choice, .whatsapp, summary"
        for target in browser.all(small):
            self.assertGreaterEqual(target.size["height"], 32, target.get_attribute("outerHTML")[:200])
        self.assertEqual(self.check_cards(), 5)
        browser.run("for (const details of document.querySelectorAll('form details')) details.open = false")
        browser.picture("phone")

    def test_every_text_can_be_read_in_both_colour_schemes(self) -> None:
        """Prevents text that melts into its ground."""
        browser = self.browser
        for scheme in ["light", "dark"]:
            browser.prefers(color_scheme=scheme)
            browser.driver.refresh()
            browser.one("button[type=submit]").send_keys(Keys.ENTER)
            browser.refused()
            texts = browser.contrasts()
            self.ask("50000", "90000")
            browser.answered()
            browser.run("for (const details of document.querySelectorAll('details')) details.open = true")
            texts += browser.contrasts()
            self.assertGreater(len(texts), 200)
            self.assertEqual([text for text in texts if text[0] < LEAST_CONTRAST], [], scheme)
            browser.picture(scheme)

    def test_without_scripts_the_page_says_what_is_missing(self) -> None:
        """Prevents a form that does nothing and does not say so, and answers in an address that proxies log."""
        browser = self.browser
        browser.scripts(False)
        browser.driver.refresh()
        body = browser.text("body")
        self.assertIn("o navegador precisa de JavaScript", body)
        self.assertIn("Orçamento mínimo", body)
        self.fill(orcamento_min="50000")
        browser.one("#orcamento_min").send_keys(Keys.ENTER)
        self.assertFalse(browser.one("button[type=submit]").is_enabled())
        self.assertEqual(browser.driver.current_url, f"{self.service.address}/", "answers stand in an address")
        browser.scripts(True)

    def test_nothing_moves_for_those_who_asked_for_it(self) -> None:
        """Prevents motion that makes a buyer ill."""
        behaviour = "return getComputedStyle(document.documentElement).scrollBehavior"
        self.assertEqual(self.browser.run(behaviour), "smooth")
        self.browser.prefers(reduced_motion="reduce")
        self.assertEqual(self.browser.run(behaviour), "auto")
