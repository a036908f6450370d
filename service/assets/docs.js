// Writes the page from openapi.json, and asks the API what the forms say. Whatever comes from elsewhere is set as text.
"use strict";

const BASE = new URL(".", location.href);
const WRITES = new Set(["put", "post", "patch", "delete"]);
const KINDS = {
  string: "texto", integer: "inteiro", number: "número", boolean: "true ou false", object: "objeto", array: "lista",
  null: "null",
};
// Deeper than any answer, so that a schema that refers to itself ends.
const DEEPEST = 6;

const written = new Intl.NumberFormat("pt-BR", { useGrouping: "min2" }).format;
const byId = (id) => document.getElementById(id);

/** An element with attributes and children; texts become text. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(attribute, "");
    else if (value !== false && value != null) made.setAttribute(attribute, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

let api;

/** A schema with its reference followed and its parts put together. */
function resolved(schema) {
  let whole = { ...schema };
  if (schema.$ref) {
    const found = schema.$ref.slice(2).split("/").reduce((part, name) => part[name], api);
    whole = { ...resolved(found), ...whole };
  }
  for (const part of schema.allOf ?? []) {
    const { properties, ...rest } = resolved(part);
    whole = { ...rest, ...whole, properties: { ...properties, ...whole.properties } };
  }
  return whole;
}

function kindOf(given) {
  const schema = resolved(given);
  if (schema.anyOf && !schema.type) return schema.anyOf.map(kindOf).join(" ou ");
  if (schema.enum) return schema.enum.map((word) => JSON.stringify(word)).join(", ");
  const kinds = [schema.type ?? "qualquer"].flat();
  const named = (kind) => (kind === "array" && schema.items ? `lista de ${kindOf(schema.items)}` : KINDS[kind] ?? kind);
  return kinds.map(named).join(" ou ");
}

function boundsOf(given) {
  const schema = resolved(given);
  const { minimum, maximum, maxItems, format } = schema;
  // Words that are listed say more than a pattern.
  const pattern = schema.enum ? null : schema.pattern;
  const bounds = [];
  if (minimum != null && maximum != null) bounds.push(`de ${written(minimum)} a ${written(maximum)}`);
  else if (minimum != null) bounds.push(`desde ${written(minimum)}`);
  else if (maximum != null) bounds.push(`até ${written(maximum)}`);
  if (maxItems != null) bounds.push(`até ${written(maxItems)} itens`);
  if (pattern === "\\S") bounds.push("não vazio");
  else if (pattern) bounds.push(pattern);
  if (format === "date") bounds.push("AAAA-MM-DD");
  const known = schema.items && resolved(schema.items).examples;
  if (known) bounds.push(`conhecidos: ${known.join(", ")}`);
  return bounds.join("; ");
}

/** The fields of a schema, those inside others with their path. */
function fieldsOf(given, prefix = "", depth = 0) {
  const schema = resolved(given);
  if (depth > DEEPEST) return [];
  if (schema.items) return fieldsOf(schema.items, `${prefix}[]`, depth + 1);
  const inner = (schema.anyOf ?? []).find((part) => resolved(part).properties || part.items);
  if (inner && !schema.properties) return fieldsOf(inner, prefix, depth);
  if (schema.additionalProperties && typeof schema.additionalProperties === "object") {
    return fieldsOf(schema.additionalProperties, `${prefix}.*`, depth + 1);
  }
  const needed = new Set(schema.required);
  const named = Object.entries(schema.properties ?? {});
  // What must be there comes first.
  named.sort(([one], [other]) => needed.has(other) - needed.has(one));
  return named.flatMap(([name, field]) => {
    const path = prefix ? `${prefix}.${name}` : name;
    const text = resolved(field).description ?? "";
    const row = { path, kind: kindOf(field), bounds: boundsOf(field), needed: needed.has(name), text };
    return [row, ...fieldsOf(field, path, depth + 1)];
  });
}

function table(schema, needs) {
  const rows = fieldsOf(schema);
  if (rows.length === 0) return element("p", {}, kindOf(schema), " ", boundsOf(schema));
  const head = element("tr", {}, ...["Campo", "Tipo", "O que é"].map((text) => element("th", { scope: "col" }, text)));
  const body = rows.map(({ path, kind, bounds, needed, text }) => element("tr", {},
    element("td", {}, element("code", {}, path), needs && needed ? " (obrigatório)" : ""),
    element("td", {}, bounds ? `${kind}; ${bounds}` : kind),
    element("td", {}, text)));
  return element("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Campos" },
    element("table", { class: "schema" }, element("thead", {}, head), element("tbody", {}, ...body)));
}

/** A fold whose content is written when it is first opened. */
function fold(title, write) {
  const made = element("details", {}, element("summary", {}, ...[title].flat()));
  made.addEventListener("toggle", () => { if (made.open && made.children.length === 1) made.append(write()); });
  return made;
}

function control(id, schema, example) {
  const whole = resolved(schema);
  const words = whole.enum ?? ([whole.type].flat().includes("boolean") ? [true, false] : null);
  if (words) {
    const options = words.filter((word) => word !== null).map((word) => element("option", {}, String(word)));
    return element("select", { id }, element("option", { value: "" }, "—"), ...options);
  }
  return element("input", { id, autocomplete: "off", spellcheck: "false", value: example ?? "" });
}

function pretty(text, kind) {
  if (!kind.includes("json") || kind.includes("ndjson")) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** What a command says in place of a secret, so that it can be passed on. */
const SECRETS = { "Authorization": '"Authorization: Bearer $TOKEN"', "X-User-Key": '"X-User-Key: $KEY"' };

function curlOf(method, url, headers, body) {
  const parts = ["curl", "-X", method, quoted(url)];
  for (const [name, value] of Object.entries(headers)) parts.push("-H", SECRETS[name] ?? quoted(`${name}: ${value}`));
  if (body != null) parts.push("--data-binary", quoted(body));
  return parts.join(" ");
}

/** The form of a route, and where its answer is shown. */
function call(path, method, operation) {
  const id = operation.operationId;
  const schemes = operation.security.flatMap((one) => Object.keys(one));
  const inputs = operation.parameters.map((parameter) => {
    const name = `${id}.${parameter.name}`;
    return { parameter, input: control(name, parameter.schema, null), name };
  });
  const form = element("form", { class: "call", "aria-label": `Experimentar ${method.toUpperCase()} ${path}` });
  for (const { parameter, input, name } of inputs) {
    input.setAttribute("aria-describedby", `${name}.note`);
    if (parameter.required) input.required = true;
    const bounds = [kindOf(parameter.schema), boundsOf(parameter.schema)].filter(Boolean).join("; ");
    form.append(element("div", { class: "field" },
      element("label", { for: name }, element("code", {}, parameter.name), parameter.required ? " (obrigatório)" : ""),
      input,
      element("p", { class: "note", id: `${name}.note` }, `${parameter.description} ${bounds}.`)));
  }
  const contents = Object.entries(operation.requestBody?.content ?? {});
  const kind = element("select", { id: `${id}.kind` }, ...contents.map(([type]) => element("option", {}, type)));
  const body = element("textarea", { id: `${id}.body`, spellcheck: "false", autocomplete: "off" });
  const fill = () => {
    const { example } = operation.requestBody.content[kind.value];
    const lines = kind.value.includes("ndjson");
    body.value = lines ? example.map((row) => `${JSON.stringify(row)}\n`).join("") : JSON.stringify(example, null, 2);
  };
  if (contents.length > 0) {
    fill();
    kind.addEventListener("change", fill);
    if (contents.length > 1) {
      form.append(element("div", { class: "field" }, element("label", { for: kind.id }, "Formato do corpo"), kind));
    }
    form.append(element("div", { class: "field" }, element("label", { for: body.id }, "Corpo"), body));
  }
  const button = element("button", { type: "submit" }, "Enviar");
  const answer = element("div", { class: "answer", tabindex: "-1", role: "group", "aria-label": "Resposta" });
  const said = element("p", { class: "status", role: "status" });
  form.append(button);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    let route = path;
    const query = new URLSearchParams();
    const headers = {};
    for (const { parameter, input } of inputs) {
      if (parameter.in === "path") route = route.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
      else if (input.value !== "" && parameter.in === "query") query.set(parameter.name, input.value);
      else if (input.value !== "") headers[parameter.name] = input.value;
    }
    if (contents.length > 0) headers["Content-Type"] = kind.value;
    const [token, key] = ["token", "key"].map((name) => byId(name).value.trim());
    if (token && schemes.some((scheme) => scheme !== "user")) headers.Authorization = `Bearer ${token}`;
    if (key && schemes.includes("user")) headers["X-User-Key"] = key;
    const search = query.size > 0 ? `?${query}` : "";
    const url = new URL(`.${route}${search}`, BASE).href;
    const sent = contents.length > 0 ? body.value : null;
    button.disabled = true;
    said.textContent = "Enviando…";
    answer.replaceChildren(said);
    const begun = performance.now();
    try {
      const options = { method: method.toUpperCase(), headers, body: sent, credentials: "omit", cache: "no-store" };
      const response = await fetch(url, options);
      const text = await response.text();
      const took = Math.round(performance.now() - begun);
      const names = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
      said.textContent = `${response.status} ${response.statusText} em ${took} ms`;
      const shown = (label, content) => [
        element("h4", {}, label),
        element("pre", { tabindex: "0", role: "group", "aria-label": label }, content),
      ];
      answer.replaceChildren(said, ...shown("Cabeçalhos", names),
        ...(text ? shown("Corpo da resposta", pretty(text, response.headers.get("content-type") ?? "")) : []),
        ...shown("O mesmo com curl", curlOf(method.toUpperCase(), url, headers, sent)));
    } catch (error) {
      said.textContent = `O pedido não chegou: ${error.message}`;
    }
    button.disabled = false;
    answer.focus();
  });
  return [form, answer];
}

function access(security) {
  const names = security.flatMap((one) => Object.keys(one));
  if (names.length === 0) return null;
  const words = {
    administrator: "administradores", dealer: "a concessionária do endereço", user: "quem tem a chave do id",
  };
  const whom = names.map((name) => words[name] ?? name).join(" e ");
  // An empty alternative asks for nothing.
  const open = security.some((one) => Object.keys(one).length === 0);
  return element("p", {}, open ? `Para todos; diz mais a ${whom}.` : `Só para ${whom}.`);
}

/** All of a route, written when it is first opened. */
function content(path, method, operation) {
  const bodies = Object.entries(operation.requestBody?.content ?? {});
  const answers = Object.entries(operation.responses).map(([status, response]) => {
    const contents = Object.entries(response.content ?? {});
    const parts = [element("p", {}, response.description)];
    for (const [name, header] of Object.entries(response.headers ?? {})) {
      parts.push(element("p", { class: "note" }, element("code", {}, name), ` ${header.description}`));
    }
    for (const [type, { schema }] of contents) {
      parts.push(element("p", {}, element("code", {}, type)));
      if (schema) parts.push(table(schema, false));
    }
    return fold([element("code", {}, status), ` ${response.description}`], () => element("div", {}, ...parts.slice(1)));
  });
  return element("div", {},
    operation.description ? element("p", {}, operation.description) : null,
    access(operation.security),
    element("h4", {}, "Experimentar"),
    ...call(path, method, operation),
    ...(bodies.length > 0 ? [element("h4", {}, "O corpo do pedido")] : []),
    ...bodies.map(([type, { schema }]) => fold(element("code", {}, type), () => table(schema, true))),
    element("h4", {}, "Respostas"),
    ...answers);
}

function route(path, method, operation) {
  const made = fold([
    element("span", { class: WRITES.has(method) ? "method writes" : "method" }, method.toUpperCase()), " ",
    element("code", {}, path), " ", element("span", { class: "about" }, operation.summary),
  ], () => content(path, method, operation));
  made.className = "route";
  made.id = operation.operationId;
  return made;
}

/** Opens the route that the address names. */
function follow() {
  const target = location.hash.length > 1 && byId(decodeURIComponent(location.hash.slice(1)));
  if (!target || !target.classList.contains("route")) return;
  target.open = true;
  target.querySelector("summary").focus();
}

async function write() {
  const response = await fetch(new URL("openapi.json", BASE), { credentials: "omit" });
  if (!response.ok) throw new Error(`a descrição da API respondeu ${response.status}`);
  api = await response.json();
  const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })));
  for (const { name } of api.tags) {
    const members = operations.filter(({ operation }) => operation.tags.includes(name));
    if (members.length === 0) continue;
    const links = members.map(({ path, method, operation }) => element("li", {},
      element("a", { href: `#${operation.operationId}` }, `${method.toUpperCase()} ${path}`)));
    byId("groups").append(fold(`${name} (${members.length})`, () => element("ul", {}, ...links)));
    byId("routes").append(element("h2", {}, name),
      ...members.map(({ path, method, operation }) => route(path, method, operation)));
  }
  byId("about").append(` ${api.info.description}`, ` Versão ${api.info.version}.`);
  byId("identity").hidden = false;
  byId("identity").addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", follow);
  follow();
}

write().catch((error) => {
  const trouble = byId("trouble");
  trouble.textContent = `Não foi possível mostrar a API: ${error.message}. Recarregue a página.`;
  trouble.hidden = false;
  trouble.focus();
});
