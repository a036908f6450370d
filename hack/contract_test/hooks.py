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

NUMBERS = itertools.count()


def put(path: str, body: object) -> None:
    headers = {"Authorization": f"Bearer {os.environ['ADMIN_TOKEN']}", "Content-Type": "application/json"}
    request = urllib.request.Request(os.environ["API"] + path, json.dumps(body).encode(), headers, method="PUT")
    urllib.request.urlopen(request, timeout=10).close()


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
    # Stocks at random replace the one that the car is in.
    if case.method == "PATCH" and case.path == "/dealerships/{id}/cars/{car_id}":
        put("/dealerships/contrato", DEALERSHIP)
        put("/dealerships/contrato/stock", [CAR])
