"""What a buyer does on the page, and what must be seen. Each test begins on a page that was just opened."""

from __future__ import annotations

import secrets
import sys
import tempfile
import unittest
from decimal import Decimal
from pathlib import Path

from selenium.webdriver.common.keys import Keys

import photos
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
        token = secrets.token_hex(32)
        tokens = folder / "tokens"
        tokens.write_text(token + "\n")
        # The stocks of all dealers come at once.
        flags = ["--limit-default", "10/50", "--admin-token-file", str(tokens)]
        cls.service = serving.Service(serving.build(), folder / "service.log", *flags)
        cls.addClassCleanup(cls.service.stop)
        photos.hand_in(cls.service.address, token)
        cls.dealers = photos.Host(folder)
        cls.addClassCleanup(cls.dealers.stop)
        cls.browser = Browser(folder, cls.dealers.port)
        cls.addClassCleanup(cls.browser.close)

    def setUp(self) -> None:
        browser = self.browser
        browser.driver.get("about:blank")
        browser.requests()
        self.dealers.begin()
        # What a test asks of dealers on purpose.
        self.wanted: list[str] = []
        self.addCleanup(self.check_requests)
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

    def ask_near_olinda(self) -> list:
        """Asks where some dealers have photos and one has none; gives back the cards of those that have."""
        browser = self.browser
        # What the API answers, beside what the page makes of it.
        browser.run(
            """
            const real = window.fetch;
            window.fetch = async (...question) => {
              const answer = await real(...question);
              if (question[0] === "recommend") window.answer = await answer.clone().json();
              return answer;
            };
            """
        )
        self.ask("50000", "90000", city="Olinda", state="PE")
        browser.answered()
        return [card for card in browser.all(".car") if photos.NAME_WITHOUT not in browser.text(".seller", card)]

    def photo_of(self, card) -> str:
        """Where the photo is that a card may show: the car's first that comes encrypted."""
        number = self.browser.all(".car").index(card)
        car = self.browser.run("return window.answer.recommendations[arguments[0]].car", number)
        return f"https://{car['dealership_id']}.example/{car['id']}/frente"

    def show_photo(self, card, key: str = Keys.ENTER, said: str = "Foto do site da loja."):
        """Presses the button of a card, until its place says how it went; gives back the place."""
        place = self.browser.one(".photo", card)
        self.browser.one("button", place).send_keys(key)
        self.browser.until(f"{said} is said", lambda: said in self.browser.text("p", place))
        return place

    def check_requests(self) -> None:
        """Whatever a test did: the page asked this service, and dealers for nothing but what the buyer had asked for."""
        requests = self.browser.requests()
        self.assertIn(f"{self.service.address}/", requests)
        outside = [each for each in requests if not each.startswith(f"{self.service.address}/")]
        self.assertEqual(outside, self.wanted)
        self.assertEqual(self.dealers.asked, self.wanted)
        # Nor is a dealer's host greeted before there is something to ask.
        self.assertEqual(self.dealers.connections > 0, bool(self.wanted))

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

    def test_a_photo_is_loaded_for_those_who_ask_and_no_other(self) -> None:
        """Prevents dealers' hosts from being told who looks at cars, before somebody decides that they may."""
        browser = self.browser
        cards = self.ask_near_olinda()
        without = [card for card in browser.all(".car") if card not in cards]
        self.assertGreaterEqual(len(cards), 2)
        self.assertGreaterEqual(len(without), 1)
        self.assertEqual([len(browser.all(".photo button", card)) for card in cards], [1] * len(cards))
        self.assertEqual([browser.all(".photo", card) for card in without], [[]] * len(without))
        browser.picture("photos")
        for card, key in [(cards[1], Keys.ENTER), (cards[0], Keys.SPACE)]:
            self.assertEqual(browser.all("img", card), [], "another car's press was for another car")
            self.wanted.append(self.photo_of(card))
            image = browser.one("img", self.show_photo(card, key))
            self.assertEqual(image.get_property("naturalWidth"), photos.WIDTH)
            self.assertEqual(self.dealers.asked, self.wanted)
        for headers in self.dealers.told:
            self.assertEqual({"referer", "cookie", "origin"} & headers.keys(), set())
        # Nothing more is loaded to the end of the list and back, nor with another answer.
        browser.press(Keys.END)
        browser.press(Keys.HOME)
        browser.one("#orcamento_max").send_keys(Keys.ENTER)
        browser.until("the answer is shown anew", lambda: not browser.all("img"))
        self.assertEqual(len(browser.all(".photo button")), len(cards))
        self.assertEqual(browser.complaints(), [])

    def test_a_photo_can_be_asked_for_without_a_mouse(self) -> None:
        """Prevents a button that keys do not reach, that does not say whose photo it shows, or that loses the focus."""
        browser = self.browser
        card = self.ask_near_olinda()[0]
        self.wanted = [self.photo_of(card)]
        name = browser.text("h3", card).removesuffix("amostra").strip()
        button = browser.tab_to(".photo button")
        self.assertEqual(button.accessible_name, f"Ver foto de {name}")
        described = browser.one(f"[id='{button.get_attribute('aria-describedby')}']")
        self.assertIn("A foto vem do site da loja", described.text)
        browser.press(Keys.ENTER)
        browser.until("the photo is shown", lambda: browser.focused.get_property("naturalWidth") == photos.WIDTH)
        self.assertEqual(f"{browser.focused.accessible_name} {name[-4:]}", f"Foto de {name}")
        self.assertEqual(browser.all("button", card), [])
        self.assertEqual(browser.tab_to("summary"), browser.one("summary", card))
        self.assertEqual(browser.nameless(), [])

    def test_a_photo_moves_nothing_when_it_comes_or_does_not(self) -> None:
        """Prevents a page that jumps under a reader, a hole in place of a photo, and a failure that is final."""
        browser = self.browser
        card = self.ask_near_olinda()[0]
        self.wanted = [self.photo_of(card)] * 2
        self.dealers.has_photos = False
        self.dealers.sends.clear()
        place = self.show_photo(card, said="Carregando a foto")

        def layout() -> tuple[dict, int]:
            return place.size, browser.one(".why", card).location["y"]

        waiting = layout()
        browser.picture("photo-on-its-way")
        self.dealers.sends.set()
        browser.until("the failure is said", lambda: "A foto não carregou" in browser.text("p", place))
        self.assertEqual((layout(), browser.all("img", place)), (waiting, []))
        self.assertEqual(browser.focused, browser.one("button", place))
        browser.picture("photo-failed")
        self.dealers.has_photos = True
        self.show_photo(card)
        self.assertEqual(layout(), waiting)
        self.assertEqual(browser.focused, browser.one("img", place))
        browser.picture("photo")

    def test_a_photo_that_fails_calls_nobody_back(self) -> None:
        """Prevents the focus from being taken away from where a buyer went meanwhile."""
        browser = self.browser
        card = self.ask_near_olinda()[0]
        self.wanted = [self.photo_of(card)]
        self.dealers.has_photos = False
        self.dealers.sends.clear()
        place = self.show_photo(card, said="Carregando a foto")
        summary = browser.tab_to("summary")
        self.dealers.sends.set()
        browser.until("the failure is said", lambda: "A foto não carregou" in browser.text("p", place))
        self.assertEqual(browser.focused, summary)

    def test_a_photo_fits_a_phone(self) -> None:
        """Prevents a button that a thumb misses, and a photo that is cut off or too small to see."""
        browser = self.browser
        browser.window(*PHONE, mobile=True)
        browser.driver.refresh()
        card = self.ask_near_olinda()[0]
        self.wanted = [self.photo_of(card)]
        self.assertGreaterEqual(browser.one(".photo button", card).size["height"], 44)
        image = browser.one("img", self.show_photo(card))
        self.assertLessEqual(browser.run("return document.documentElement.scrollWidth"), PHONE[0])
        self.assertGreater(image.size["width"], 250)
        self.assertGreater(image.size["height"], 180)
        browser.picture("phone-photo")

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
            cards = self.ask_near_olinda()
            browser.run("for (const details of document.querySelectorAll('details')) details.open = true")
            for card, there in zip(cards, [True, False]):
                self.dealers.has_photos = there
                self.wanted.append(self.photo_of(card))
                self.show_photo(card, said="Foto do site" if there else "não carregou")
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
