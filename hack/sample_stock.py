#!/usr/bin/env python3
"""Writes service/data/sample-stock.json: invented cars of invented dealerships, for trying the product.

    python3 hack/sample_stock.py            write the file
    python3 hack/sample_stock.py --check    fail when the file differs from what would be written

Years, odometers and prices follow service/engine/data/models.csv, so that the sample reads like a real market. Nothing
is drawn from a random source: every choice is a digest of the car it is for, so the same table gives the same file on
any machine, and a new model in the table changes no other car's line.
"""

import csv
import hashlib
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = ROOT / "service" / "engine" / "data"
TARGET = ROOT / "service" / "data" / "sample-stock.json"

# The year that the prices of the table are for.
TABLE_YEAR = 2026

# id, name, city, state, area code, latitude, longitude, verified, premium
DEALERSHIPS = [
    ("exemplo-sao-paulo", "Loja Exemplo Pauliceia (fictícia)", "São Paulo", "SP", 11, -23.55, -46.63, True, True),
    ("exemplo-campinas", "Loja Exemplo Mogiana (fictícia)", "Campinas", "SP", 19, -22.91, -47.06, True, False),
    ("exemplo-santos", "Loja Exemplo Cais (fictícia)", "Santos", "SP", 13, -23.96, -46.33, False, False),
    ("exemplo-rio", "Loja Exemplo Guanabara (fictícia)", "Rio de Janeiro", "RJ", 21, -22.91, -43.17, True, True),
    ("exemplo-belo-horizonte", "Loja Exemplo Serra (fictícia)", "Belo Horizonte", "MG", 31, -19.92, -43.93, True, False),
    ("exemplo-curitiba", "Loja Exemplo Araucária (fictícia)", "Curitiba", "PR", 41, -25.43, -49.27, True, False),
    ("exemplo-florianopolis", "Loja Exemplo Ilha (fictícia)", "Florianópolis", "SC", 48, -27.60, -48.55, False, False),
    ("exemplo-porto-alegre", "Loja Exemplo Guaíba (fictícia)", "Porto Alegre", "RS", 51, -30.03, -51.22, True, False),
    ("exemplo-salvador", "Loja Exemplo Recôncavo (fictícia)", "Salvador", "BA", 71, -12.97, -38.50, True, False),
    ("exemplo-recife", "Loja Exemplo Capibaribe (fictícia)", "Recife", "PE", 81, -8.05, -34.88, False, False),
    ("exemplo-goiania", "Loja Exemplo Cerrado (fictícia)", "Goiânia", "GO", 62, -16.69, -49.26, True, False),
    ("exemplo-brasilia", "Loja Exemplo Planalto (fictícia)", "Brasília", "DF", 61, -15.79, -47.88, True, True),
]

FUELS = {
    "flex": "flex", "gasoline": "gasolina", "diesel": "diesel", "hybrid": "hibrido", "hybrid_flex": "hibrido",
    "phev": "hibrido_plugin", "ev": "eletrico",
}
COLOURS = ["Branco"] * 5 + ["Prata"] * 4 + ["Preto"] * 4 + ["Cinza"] * 4 + ["Vermelho"] * 2 + ["Azul"] * 2 + ["Marrom"]

# What a usual car has, the commonest first; as many as the model's comfort items.
COMFORT = [
    "ar_condicionado", "direcao_assistida", "vidros_eletricos", "travas_eletricas", "central_multimidia",
    "sensor_estacionamento", "camera_re", "piloto_automatico", "bancos_couro", "ar_digital", "chave_presencial",
]

# How many cars of a model, by segment: what is common on the streets is common in the stock.
CARS_PER_MODEL = {
    "popular_hatch": 5, "compact_hatch": 4, "compact_sedan": 4, "medium_sedan": 4, "compact_suv": 4, "medium_suv": 3,
    "small_pickup": 4, "diesel_pickup": 3, "van": 4,
}
OTHER_CARS_PER_MODEL = 2


class Dice:
    """Choices that depend on nothing but their names."""

    def __init__(self, *names):
        self.seed = "/".join(str(name) for name in names)

    def fraction(self, purpose):
        digest = hashlib.sha256(f"{self.seed}/{purpose}".encode()).digest()
        return int.from_bytes(digest[:6], "big") / 2**48

    def between(self, purpose, low, high):
        return low + (high - low) * self.fraction(purpose)

    def choose(self, purpose, options):
        return options[int(self.fraction(purpose) * len(options))]

    def chance(self, purpose, probability):
        return self.fraction(purpose) < probability


def rows(name):
    with open(DATA / name, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def known_prices(model):
    """Age in years -> price of a usual car of that age, as far as the table knows."""
    columns = {0: "price_new_brl", 3: "price_3y_brl", 6: "price_6y_brl"}
    # Models that are long gone have their only price under "6 years": it is that of the last year sold.
    oldest = max(6, TABLE_YEAR - int(model["year_to"]))
    known = {age: float(model[column]) for age, column in columns.items() if model[column]}
    if list(known) == [6] and oldest > 6:
        known = {oldest: known[6]}
    return known


def usual_price(model, age):
    """Between two known prices along a curve; beyond them by the model's yearly depreciation."""
    known = known_prices(model)
    kept = 1 - float(model["depreciation_pct_year_ref"]) / 100
    below = [point for point in known if point <= age]
    above = [point for point in known if point > age]
    if below and above:
        start, end = max(below), min(above)
        return known[start] * (known[end] / known[start]) ** ((age - start) / (end - start))
    if below:
        start = max(below)
        # An old car loses more slowly: what is left is what any car that drives is worth.
        return known[start] * kept ** (min(age, 8) - min(start, 8) + 0.5 * (max(age, 8) - max(start, 8)))
    end = min(above)
    return known[end] / kept ** (end - age)


def ages(model, successor_year, number):
    """Ages spread over the years in which the model was sold, at most 14 years back.

    In its last year a model may share its name with its successor; such a car would not say which it is.
    """
    last_year = min(int(model["year_to"]), successor_year - 1)
    youngest = max(0, TABLE_YEAR - last_year)
    oldest = min(14, TABLE_YEAR - int(model["year_from"]))
    dice = Dice(model["brand"], model["model"], "ages")
    span = (oldest - youngest + 1) / number
    return [youngest + int(span * (index + dice.fraction(index) * 0.999)) for index in range(number)]


def gearbox(model):
    transmission = model["transmission"]
    if transmission.startswith("MT"):
        return "manual"
    return "cvt" if transmission in ("CVT", "e-CVT") else "automatico"


def equipment(model, age, dice):
    """None for the one seller in five who lists nothing."""
    if dice.chance("no list", 0.2):
        return None
    number = max(1, int(model["comfort_items"]) - dice.choose("fewer", [0, 0, 1, 1, 2]))
    listed = COMFORT[:number]
    airbags = int(model["airbags_base"] or 0)
    extras = [
        ("isofix", model["isofix"] == "1"),
        ("controle_estabilidade", model["esc"] == "1"),
        ("controle_tracao", model["esc"] == "1" and dice.chance("traction", 0.7)),
        ("abs", age <= 11 or dice.chance("abs", 0.4)),
        ("airbag_lateral", airbags >= 4),
        ("airbag_cortina", airbags >= 6),
        ("rodas_liga", dice.chance("wheels", 0.3 + 0.05 * number)),
        ("farol_led", age <= 5 and number >= 7 and dice.chance("led", 0.7)),
        ("teto_solar", number >= 9 and dice.chance("roof", 0.35)),
        ("assistente_rampa", model["esc"] == "1" and dice.chance("ramp", 0.6)),
        ("frenagem_automatica", age <= 4 and number >= 9 and dice.chance("braking", 0.4)),
        ("alerta_ponto_cego", age <= 4 and number >= 9 and dice.chance("blind spot", 0.3)),
        ("tracao_4x4", model["segment"] == "diesel_pickup"),
    ]
    return listed + [word for word, has in extras if has]


def car(model, name, age, copy):
    dice = Dice(model["brand"], model["model"], age, copy)
    usual_km = max(3_000, age * 13_500)
    km = int(usual_km * dice.between("km", 0.55, 1.4))
    km = km // 10 * 10 + int(dice.between("last digit", 0, 10))
    # Driven less than usual costs more, and sellers differ by a few per cent.
    worn = 1 + 0.10 * (usual_km - km) / max(usual_km, 20_000)
    price = usual_price(model, age) * worn * dice.between("seller", 0.96, 1.04)
    auction, accident = dice.chance("auction", 0.012), dice.chance("accident", 0.018)
    if auction or accident:
        price *= 0.8
    price = round(price / 1000) * 1000 - 100
    listed = equipment(model, age, dice)
    entry = {
        "id": None,
        "dealership_id": dice.choose("dealership", DEALERSHIPS)[0],
        "marca": model["brand"],
        "modelo": name["family"],
        "versao": name["version"],
        "ano": TABLE_YEAR - age,
        "preco": price,
        "quilometragem": km,
        "combustivel": FUELS[model["fuel"]],
        "cambio": gearbox(model),
        "cor": dice.choose("colour", COLOURS),
        "portas": int(model["doors"]),
        "categoria": model["category"],
    }
    if listed is not None:
        entry["equipamentos"] = listed
    entry["unico_dono"] = dice.chance("one owner", max(0.15, 0.85 - 0.08 * age))
    entry["ipva_pago"] = dice.chance("tax paid", 0.6)
    if auction:
        entry["leilao"] = True
    if accident:
        entry["sinistro"] = True
    entry["amostra"] = True
    return entry


def stock():
    names = {(row["brand"], row["model"]): row for row in rows("names.csv")}
    models = rows("models.csv")
    cars = []
    for model in models:
        number = CARS_PER_MODEL.get(model["segment"], OTHER_CARS_PER_MODEL)
        years = TABLE_YEAR - int(model["year_from"]) + 1
        name = names[model["brand"], model["model"]]
        key = (name["brand"], name["family"], name["version"])
        successor_year = min(
            (
                int(other["year_from"])
                for other in models
                for other_name in [names[other["brand"], other["model"]]]
                if (other_name["brand"], other_name["family"], other_name["version"]) == key
                and int(other["year_from"]) > int(model["year_from"])
            ),
            default=TABLE_YEAR + 1,
        )
        slug = "".join(
            letter if letter.isalnum() else "-" for letter in f"{model['brand']} {model['model']}".lower()
        )
        slug = "-".join(part for part in slug.split("-") if part)
        for copy, age in enumerate(ages(model, successor_year, min(number, max(2, years)))):
            entry = car(model, name, age, copy)
            entry["id"] = f"amostra-{slug}-{copy + 1}"
            cars.append(entry)
    dealerships = [
        {
            "id": id, "name": name, "city": city, "state": state,
            # No Brazilian number begins with 0 after its area code: these can never ring anywhere.
            "phone": f"({area}) 0000-00{index:02}",
            "whatsapp": f"+55{area}000000{index:02}",
            "email": f"contato@{id}.example",
            "website": f"https://{id}.example",
            "latitude": latitude, "longitude": longitude,
            "active": True, "verified": verified, "premium": premium,
        }
        for index, (id, name, city, state, area, latitude, longitude, verified, premium) in enumerate(DEALERSHIPS, 1)
    ]
    return dealerships, cars


def text():
    dealerships, cars = stock()

    def lines(entries):
        return ",\n".join("    " + json.dumps(entry, ensure_ascii=False) for entry in entries)

    return f'{{\n  "dealerships": [\n{lines(dealerships)}\n  ],\n  "cars": [\n{lines(cars)}\n  ]\n}}\n'


def main(arguments):
    fresh = text()
    if arguments == ["--check"]:
        if not TARGET.exists() or TARGET.read_text(encoding="utf-8") != fresh:
            print(f"{TARGET.relative_to(ROOT)} is stale: run python3 hack/sample_stock.py", file=sys.stderr)
            return 1
        return 0
    if arguments:
        print(__doc__, file=sys.stderr)
        return 2
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(fresh, encoding="utf-8")
    print(f"{TARGET.relative_to(ROOT)}: {fresh.count('dealership_id')} cars")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
