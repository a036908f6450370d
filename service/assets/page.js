// Sends the answers to the API, and shows what it says. Whatever a dealer or a buyer wrote is set as text only.
"use strict";

// As the engine writes them in a sentence; a test compares the two.
const CRITERIA = {
  economia: "consumo",
  espaco: "espaço",
  performance: "desempenho",
  conforto: "conforto",
  seguranca: "segurança",
  revenda: "revenda",
  confiabilidade: "confiabilidade",
  custo_manutencao: "custo de manutenção",
  quilometragem: "quilometragem",
  distancia: "distância",
  preferencias: "preferências",
  preco: "preço",
};

// The parts of what is paid each month.
const PAID = [
  ["financing_monthly", "Parcela do financiamento"],
  ["fuel_monthly", "Combustível ou energia"],
  ["maintenance_monthly", "Manutenção"],
  ["insurance_monthly", "Seguro"],
  ["ipva_monthly", "IPVA"],
  ["licensing_monthly", "Licenciamento"],
];

const UNREACHABLE = "Não foi possível falar com o serviço. Verifique a conexão e tente de novo.";

const form = document.getElementById("form");
const summary = document.getElementById("summary");
const statusLine = document.getElementById("status");
const found = document.getElementById("found");
const answerPlace = document.getElementById("answer");
let asking = null;

const formatted = (options) => {
  const format = new Intl.NumberFormat("pt-BR", options);
  return (number) => format.format(number);
};
const whole = formatted({ maximumFractionDigits: 0 });
const oneDecimal = formatted({ minimumFractionDigits: 1, maximumFractionDigits: 1 });
const reais = formatted({ style: "currency", currency: "BRL", minimumFractionDigits: 0, maximumFractionDigits: 0 });
const centavos = formatted({ style: "currency", currency: "BRL" });
const price = (amount) => (Number.isInteger(amount) ? reais(amount) : centavos(amount));
const count = (number, one, many) => `${whole(number)} ${number === 1 ? one : many}`;
const capital = (text) => text.charAt(0).toLocaleUpperCase("pt-BR") + text.slice(1);

/** An element with attributes; children are elements, or texts that stay texts. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

// ---- Reading the form ----

/** A number as it is written in Brazil ("R$ 50.000,50", "50 mil"); what is none stays a text, so that the API says so. */
function number(text) {
  let plain = text.toLowerCase().replace(/r\$|%|km|\s/g, "");
  const thousands = plain.endsWith("mil");
  if (thousands) plain = plain.slice(0, -3);
  if (plain.includes(",")) plain = plain.replace(/\./g, "").replace(",", ".");
  else if (/^-?\d{1,3}(\.\d{3})+$/.test(plain)) plain = plain.replace(/\./g, "");
  if (!/^-?\d+(\.\d+)?$/.test(plain)) return text;
  return Number(plain) * (thousands ? 1000 : 1);
}

/** What one control says; undefined = nothing. */
function valueOf(control) {
  const kind = control.dataset.kind;
  if (kind === "flag") return control.checked ? true : undefined;
  if (kind === "unless") return control.checked ? undefined : false;
  if (control.type === "checkbox") return control.checked ? [control.value] : undefined;
  if (control.type === "radio") return control.checked ? control.value : undefined;
  if (control.type === "range") return Number(control.value);
  const text = control.value.trim();
  if (text === "") return undefined;
  if (kind === "number") return number(text);
  if (kind === "percent") {
    const percent = number(text);
    return typeof percent === "number" ? Number((percent / 100).toPrecision(12)) : text;
  }
  return text;
}

function answers() {
  const whole = {};
  for (const control of form.elements) {
    const value = control.name ? valueOf(control) : undefined;
    if (value === undefined) continue;
    const path = control.name.split(".");
    const last = path.pop();
    let inner = whole;
    for (const part of path) inner = inner[part] ??= {};
    inner[last] = Array.isArray(value) ? [...(inner[last] ?? []), ...value] : value;
  }
  return whole;
}

// ---- Names of fields, and errors beside them ----

const controlNamed = (name) => [...form.elements].find((control) => control.name === name);

/** Where a JSON pointer's error is shown: a group of choices, or a control. */
function placeOf(pointer) {
  const parts = pointer.split("/").slice(1);
  for (let length = parts.length; length > 0; length -= 1) {
    const name = parts.slice(0, length).join(".");
    const group = [...form.querySelectorAll("[data-group]")].find((each) => each.dataset.group === name);
    const place = group ?? controlNamed(name);
    if (place) return place;
  }
  return null;
}

function labelOf(place) {
  const label = place.matches("fieldset") ? place.querySelector("legend") : place.labels?.[0];
  return capital((label?.textContent ?? place.name).trim().replace(/\s*\(.*\)$/, ""));
}

/** A filter or field of the wire as the page calls it. */
function nameOf(word) {
  const required = [...form.elements].find((control) => control.name === "must_haves" && control.value === word);
  const place = required ?? placeOf(`/${word}`);
  return place ? labelOf(place) : word;
}

/** Messages speak of fields as the wire does; people know them by their labels. */
const inWords = (message) =>
  message.replace(/[a-z]+(?:_[a-z]+)+|\bcity\b|\bstate\b/g, (word) => (placeOf(`/${word}`) ? `“${nameOf(word)}”` : word));

function clearError(place) {
  const error = place.errorShown;
  if (!error) return;
  error.remove();
  place.removeAttribute("aria-invalid");
  place.removeAttribute("aria-describedby");
  delete place.errorShown;
}

function clearErrors() {
  for (const place of form.querySelectorAll("[aria-invalid]")) clearError(place);
  summary.hidden = true;
  summary.replaceChildren();
}

function showError(place, message) {
  if (place.errorShown) {
    place.errorShown.append(` ${message}`);
    return;
  }
  const id = `error-${place.dataset.group ?? place.name}`;
  const error = make("p", { class: "error", id }, message);
  if (place.matches("fieldset")) place.append(error);
  else place.closest(".field, .choice").append(error);
  place.errorShown = error;
  place.setAttribute("aria-invalid", "true");
  place.setAttribute("aria-describedby", id);
  // What is wrong must be seen, also in a part that was folded away.
  for (let outer = place.closest("details"); outer; outer = outer.parentElement.closest("details")) outer.open = true;
}

const focusable = (place) => (place.matches("fieldset") ? place.querySelector("input") : place);

/** Shows a problem of the API: each error beside its field, all of them above the form. */
function showProblem(problem) {
  const errors = problem.errors ?? [];
  const list = make("ul");
  const places = [];
  for (const { pointer, message } of errors) {
    const place = placeOf(pointer);
    const words = inWords(message);
    if (!place) {
      list.append(make("li", {}, `${pointer}: ${words}`));
      continue;
    }
    places.push(place);
    showError(place, `${capital(words)}.`);
    const link = make("a", { href: "#form" }, `${labelOf(place)}: ${words}`);
    link.addEventListener("click", (event) => {
      event.preventDefault();
      focusable(place).focus();
    });
    list.append(make("li", {}, link));
  }
  const head = errors.length > 0 ? `Corrija ${count(errors.length, "resposta", "respostas")}:` : (problem.detail ?? UNREACHABLE);
  const id = errors.length === 0 && problem.request_id ? make("p", { class: "small" }, `Número do pedido: ${problem.request_id}`) : null;
  summary.replaceChildren(make("p", {}, head), ...(errors.length > 0 ? [list] : []), ...(id ? [id] : []));
  summary.hidden = false;
  statusLine.textContent = "";
  places.sort((one, other) => (one.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1));
  (places.length > 0 ? focusable(places[0]) : summary).focus();
}

// ---- Telling what was looked at ----

/** A random UUID. Browsers give ready ones only to pages that came encrypted. */
function randomId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

let visit = null;

/** The id of this visit: made up, of this tab alone, and gone with it. */
function visitId() {
  const name = "faciliauto-visit";
  try {
    visit ??= sessionStorage.getItem(name) ?? randomId();
    sessionStorage.setItem(name, visit);
  } catch {
    // Without storage a visit lasts until the page is left.
    visit ??= randomId();
  }
  return visit;
}

/** Tells what was done with a car, and nothing of the answers. That it fails is nobody's business. */
function track(kind, { car, match_score: score }, index) {
  const body = { session_id: visitId(), car_id: car.id, interaction_type: kind, recommendation_position: index + 1, score };
  fetch("interactions/track", {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify(body),
    // The page may be left at this very click.
    keepalive: true,
  }).catch(() => {});
}

// ---- Showing cars ----

/** Reasons as bars on one scale, and their sum, which is the match. */
function bars(contributions, longest) {
  const list = make("ul", { class: "bars" });
  let tenths = 0;
  for (const { criterion, points, missed, fact } of contributions) {
    tenths += Math.round(points * 10);
    const bar = make("span", { class: "bar", "aria-hidden": "true" });
    for (const [kind, length] of [["won", points], ["lost", missed]]) {
      const part = make("span", { class: kind });
      part.style.width = `${(100 * length) / longest}%`;
      bar.append(part);
    }
    const shown = make("span", { class: "points" }, oneDecimal(points));
    // The bar says it to those who see it.
    const possible = make("span", { class: "unseen" }, ` de ${oneDecimal(points + missed)} pontos possíveis: `);
    const label = make("span", { class: "label" }, CRITERIA[criterion] ?? criterion);
    list.append(make("li", {}, label, bar, shown, possible, make("span", { class: "fact" }, fact)));
  }
  const sum = make("p", { class: "sum" }, "Soma dos pontos = compatibilidade", make("span", { class: "points" }, oneDecimal(tenths / 10)));
  return [list, sum];
}

function costs(cost, open) {
  const rows = PAID.map(([field, label]) => make("tr", {}, make("td", {}, label), make("td", {}, centavos(cost[field]))));
  const table = make(
    "table",
    {},
    make("caption", { class: "small" }, "O que você paga por mês"),
    make("tbody", {}, ...rows),
    make("tfoot", {}, make("tr", {}, make("th", { scope: "row" }, "Total"), make("td", {}, centavos(cost.total_monthly)))),
  );
  const economic =
    `Custo econômico: ${centavos(cost.economic_total_monthly)} por mês, com juros de ${centavos(cost.interest_monthly)} e ` +
    `desvalorização de ${centavos(cost.depreciation_monthly)} no lugar da parcela.`;
  const details = make(
    "details",
    { class: "costs" },
    make("summary", {}, `Custa cerca de ${reais(cost.total_monthly)} por mês`),
    table,
    make("p", {}, economic),
    make("h4", {}, "De onde vêm as contas"),
    make("ul", { class: "small" }, ...cost.assumptions.map((assumption) => make("li", {}, assumption))),
  );
  details.open = open;
  return details;
}

/** How the cost stands to what the buyer said of money, if anything. */
function affordable({ fits_budget: fits, budget_percentage: percentage }, asked) {
  if (fits === null || percentage === null) return null;
  const share = `${oneDecimal(percentage)}%`;
  if (asked.financial_capacity?.max_monthly_tco !== undefined) {
    return fits ? `Cabe no seu máximo por mês: usa ${share} dele.` : `Não cabe no seu máximo por mês: é ${share} dele.`;
  }
  const instalment = fits ? "A parcela cabe na renda considerada" : "A parcela pesa demais na renda considerada";
  return `${instalment}; o total por mês é ${share} dela.`;
}

/** A car's first photo, for those who ask: it is on a host of the dealer's, which by sending it learns who looks. */
function photo(car, index) {
  const address = car.imagens.find((image) => /^https:\/\//i.test(image));
  if (!address) return null;
  const id = `photo-${index}`;
  const button = make("button", { type: "button", "aria-describedby": id }, "Ver foto");
  button.append(make("span", { class: "unseen" }, ` de ${car.nome} ${car.ano}`));
  const note = make("p", { class: "small", id, role: "status" });
  note.append("A foto vem do site da loja, que então vê o seu endereço de internet (IP).");
  const place = make("div", { class: "photo" }, button, note);
  button.addEventListener("click", () => {
    const image = make("img", { alt: `Foto de ${car.nome}`, tabindex: "-1", referrerpolicy: "no-referrer" });
    image.addEventListener("load", () => (note.textContent = "Foto do site da loja."));
    image.addEventListener("error", () => {
      const focused = document.activeElement === image;
      note.textContent = "A foto não carregou. Você pode tentar de novo.";
      image.replaceWith(button);
      // Who went on meanwhile is not called back.
      if (focused) button.focus({ preventScroll: true });
    });
    note.textContent = "Carregando a foto do site da loja…";
    // From now on the place keeps its size, whatever comes.
    place.classList.add("asked");
    button.replaceWith(image);
    image.src = address;
    image.focus();
  });
  return place;
}

function card(recommendation, index, asked, longest) {
  const { car, attention_points: attention } = recommendation;
  const id = `car-${index}`;
  const heading = make("h3", { id }, `${car.nome} ${car.ano}`);
  if (car.amostra) heading.append(make("span", { class: "tag" }, "amostra"));
  const facts = [
    `${whole(car.quilometragem)} km`,
    ...[["combustivel_preferido", car.combustivel], ["cambio_preferido", car.cambio]].map(([field, word]) => {
      const choice = [...form.elements].find((control) => control.name === field && control.value === word);
      return choice ? choice.labels[0].textContent.trim() : word;
    }),
    ...(car.cor ? [car.cor.toLowerCase()] : []),
  ];
  const distance = recommendation.distance_km;
  const away = distance === undefined ? "" : `, a ${distance === 0 ? "menos de 1" : whole(distance)} km de você`;
  const article = make(
    "article",
    { class: "car", "aria-labelledby": id },
    make(
      "div",
      { class: "car-head" },
      make(
        "div",
        {},
        heading,
        make("p", { class: "price" }, price(car.preco)),
      ),
      make("p", { class: "match" }, make("strong", {}, `${oneDecimal(recommendation.match_percentage)}%`), "compatível"),
    ),
    make("p", { class: "facts" }, facts.join(" · ")),
    make("p", { class: "seller" }, `${car.dealership_name}, ${car.dealership_city}/${car.dealership_state}${away}`),
  );
  const add = (element) => element && article.append(element);
  add(photo(car, index));
  if (recommendation.relaxed) {
    add(make("p", { class: "relaxed" }, `Sem atender a: ${recommendation.relaxed.map(nameOf).join("; ")}.`));
  }
  add(make("p", { class: "why" }, recommendation.justification));
  add(make("h4", {}, "Por que combina, ponto a ponto"));
  article.append(...bars(recommendation.contributions, longest));
  if (attention.length > 0) {
    add(make("h4", {}, "Pontos de atenção"));
    add(make("ul", { class: "attention" }, ...attention.map((point) => make("li", {}, point))));
  }
  add(make("h4", {}, "Custo mensal"));
  const affordability = affordable(recommendation, asked);
  if (affordability) add(make("p", { class: "affordable" }, affordability));
  const details = costs(recommendation.tco_breakdown, index === 0);
  // By the click: those that are open from the start were opened by nobody.
  const opened = ({ currentTarget }) => {
    if (details.open) return;
    currentTarget.removeEventListener("click", opened);
    track("view_details", recommendation, index);
  };
  details.querySelector("summary").addEventListener("click", opened);
  add(details);
  if (recommendation.comparison || recommendation.price_to_be_first_text) {
    add(make("h4", {}, "Comparação"));
    if (recommendation.comparison) add(make("p", { class: "comparison" }, recommendation.comparison.text));
    if (recommendation.price_to_be_first_text) add(make("p", { class: "first-price" }, recommendation.price_to_be_first_text));
  }
  if (recommendation.whatsapp_url?.startsWith("https://wa.me/")) {
    const link = make("a", { class: "whatsapp", href: recommendation.whatsapp_url, target: "_blank", rel: "noopener noreferrer" });
    link.append("Falar com a loja no WhatsApp");
    link.setAttribute("aria-describedby", id);
    link.addEventListener("click", () => track("whatsapp_contact", recommendation, index));
    add(make("p", { class: "contact" }, link));
  }
  return article;
}

/** What took cars away, and answers that were not used. */
function remarks({ filters, warnings }) {
  const parts = [];
  if (warnings.length > 0) {
    const items = warnings.map(({ pointer, message }) => {
      const place = placeOf(pointer);
      return make("li", {}, `${place ? labelOf(place) : pointer}: ${inWords(message)}.`);
    });
    parts.push(make("h3", {}, "Observações"), make("ul", { class: "warnings" }, ...items));
  }
  const removing = filters.filter(({ removed }) => removed > 0);
  if (removing.length > 0) {
    const items = removing.map(({ filter, removed, removed_only: only, nao_informado: unknown }) => {
      const silent = unknown > 0 ? `; ${count(unknown, "não informa", "não informam")}` : "";
      return make("li", {}, `${nameOf(filter)}: ${count(removed, "carro", "carros")}, ${whole(only)} só por isso${silent}.`);
    });
    parts.push(make("details", { class: "filters" }, make("summary", {}, "O que tirou carros da lista"), make("ul", {}, ...items)));
  }
  return parts;
}

function show(answer, asked) {
  const { recommendations, alternatives } = answer;
  const all = [...recommendations, ...alternatives];
  const longest = Math.max(1, ...all.flatMap((each) => each.contributions.map(({ points, missed }) => points + missed)));
  const cards = (list, offset) => list.map((each, index) => card(each, offset + index, asked, longest));
  const heading =
    recommendations.length === 0
      ? "Nenhum carro atende a tudo"
      : recommendations.length === 1
        ? "O carro que combina com você"
        : `Os ${whole(recommendations.length)} carros que mais combinam com você`;
  found.textContent = heading;
  found.hidden = false;
  const parts = [];
  if (answer.message || answer.suggestion) {
    const texts = [["message", answer.message], ["suggestion", answer.suggestion]].filter(([, text]) => text);
    parts.push(make("div", { class: "empty" }, ...texts.map(([kind, text]) => make("p", { class: kind }, text))));
  }
  parts.push(...cards(recommendations, 0));
  if (alternatives.length > 0) {
    parts.push(make("h2", { class: "alternatives" }, "Chegam perto do que você pediu"), ...cards(alternatives, recommendations.length));
  }
  parts.push(...remarks(answer));
  answerPlace.replaceChildren(...parts);
  document.querySelector(".skip").hidden = false;
  statusLine.textContent =
    recommendations.length === 0
      ? "Nenhum carro encontrado."
      : `${count(recommendations.length, "carro encontrado", "carros encontrados")}.`;
  found.focus();
}

// ---- Asking ----

async function ask(event) {
  event.preventDefault();
  asking?.abort();
  const mine = new AbortController();
  asking = mine;
  clearErrors();
  statusLine.textContent = "Procurando carros…";
  const asked = answers();
  try {
    const response = await fetch("recommend", {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify(asked),
      signal: mine.signal,
    });
    const body = await response.json();
    // A newer question was asked while this answer was on its way.
    if (asking !== mine) return;
    if (response.ok) show(body, asked);
    else showProblem(body);
  } catch (error) {
    if (asking !== mine) return;
    console.error(error);
    showProblem({});
  }
}

/** Brands of the stock of now, when a part of the form that has them is first opened. */
async function loadBrands() {
  const groups = [...form.querySelectorAll("[data-brands]")];
  const response = await fetch("brands", { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(`brands: ${response.status}`);
  const brands = await response.json();
  for (const group of groups) {
    const choices = brands.map((brand) =>
      make("label", { class: "choice" }, make("input", { type: "checkbox", name: group.dataset.group, value: brand }), make("span", {}, brand)),
    );
    group.querySelector(".choices").replaceChildren(...choices);
    group.hidden = brands.length === 0;
  }
}

function showLevel(slider) {
  slider.setAttribute("aria-valuetext", `${slider.value} de 5`);
  slider.nextElementSibling.textContent = slider.value;
}

form.addEventListener("submit", ask);
form.querySelector("[type=submit]").disabled = false;
form.addEventListener("input", ({ target }) => {
  if (target.type === "range") showLevel(target);
  const group = target.closest("[data-group]");
  clearError(target);
  if (group) clearError(group);
});
for (const slider of form.querySelectorAll("input[type=range]")) showLevel(slider);

let brands = null;
for (const group of form.querySelectorAll("[data-brands]")) {
  group.closest("details").addEventListener("toggle", () => {
    // The rest of the form does without; whoever opens it again asks again.
    brands ??= loadBrands().catch(() => (brands = null));
  });
}
