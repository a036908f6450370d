"""What Schemathesis cannot know of this API."""

from __future__ import annotations

import itertools
import json
import os
import re
import urllib.request
import zlib

import schemathesis

# The car that is there to be changed; a sample, since the first real car removes the sample stock.
DEALERSHIP = {"name": "Loja do contrato", "city": "Recife", "state": "PE"}
CAR = {
    "id": "contrato-1", "marca": "Fiat", "modelo": "Argo", "ano": 2021, "preco": 61_990, "quilometragem": 41_000,
    "combustivel": "flex", "cambio": "manual", "categoria": "Hatch", "amostra": True,
}  # fmt: skip

# A user with a history; of the ids that open it without a key.
USER = "6d0f1f0e-3c52-4b7c-9a55-0e3a6f1d2b47"
# Routes that are about a car, and refuse one that is not there before they do anything.
ABOUT_CARS = {"/feedback", "/interactions/track"}
# What an id may look like.
GOOD_ID = re.compile(r"(?=.*\S)[^\x00-\x1f\x7f-\x9f]{1,128}")

NUMBERS = itertools.count()


def send(method: str, path: str, body: object) -> None:
    headers = {"Authorization": f"Bearer {os.environ['ADMIN_TOKEN']}", "Content-Type": "application/json"}
    request = urllib.request.Request(os.environ["API"] + path, json.dumps(body).encode(), headers, method=method)
    urllib.request.urlopen(request, timeout=10).close()


def put_car() -> None:
    """Puts the car there: stocks at random replace the one that it is in."""
    send("PUT", "/dealerships/contrato", DEALERSHIP)
    send("PUT", "/dealerships/contrato/stock", [CAR])


@schemathesis.serializer("application/x-ndjson")
def lines(context, value) -> bytes:
    """An array as one row a line; anything else as the one line that it is."""
    rows = value if isinstance(value, list) else [value]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@schemathesis.hook
def before_call(context, case, kwargs) -> None:
    # A tag at random matches nothing: three of four are left out, so that more is seen than 412.
    value = (case.headers or {}).get("If-Match")
    if value is not None and zlib.crc32(str(value).encode()) % 4:
        del case.headers["If-Match"]
    # A good key that comes twice with another body is refused, as it should be: each is made one of its own.
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and re.fullmatch(r"[!-~]{1,255}", key):
        case.headers["Idempotency-Key"] = f"{key[:200]}-{next(NUMBERS)}"
    if case.method == "PATCH" and case.path == "/dealerships/{id}/cars/{car_id}":
        put_car()
    # A car at random is nobody's: three of four are about the one that is there.
    if case.path in ABOUT_CARS and isinstance(case.body, dict):
        named = case.body.get("car_id")
        if isinstance(named, str) and GOOD_ID.fullmatch(named) and zlib.crc32(named.encode()) % 4:
            put_car()
            case.body["car_id"] = CAR["id"]
    if case.path == "/feedback/history/{user_id}":
        put_car()
        send("POST", "/feedback", {"user_id": USER, "car_id": CAR["id"], "action": "liked", "rating": 5})
