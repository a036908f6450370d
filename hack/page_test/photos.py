"""Photos for the sample cars, and a host that stands in for those of the dealers and notes what it is asked."""

from __future__ import annotations

import http.server
import json
import socket
import ssl
import subprocess
import threading
import urllib.request
from pathlib import Path

import serving

SAMPLE = serving.ROOT / "service" / "data" / "sample-stock.json"
# The dealer whose photos are not encrypted on their way, so that its cars have none to buyers; and a word of its name.
WITHOUT_PHOTOS = "exemplo-salvador"
NAME_WITHOUT = "Recôncavo"

WIDTH = 1600
PHOTO = f"""<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="1200" viewBox="0 0 400 300">
<rect width="400" height="300" fill="#a9c7e8"/><rect y="200" width="400" height="100" fill="#77766f"/>
<path d="M50 205v-38q0-12 14-15l50-10 45-42q8-8 20-8h75q12 0 20 9l38 43 32 9q12 4 12 16v36z" fill="#b3261e"/>
<path d="M138 140l32-31q4-4 10-4h28v35zm80-35h32q7 0 11 5l25 30h-68z" fill="#e3eef8"/>
<g fill="#222"><circle cx="112" cy="206" r="28"/><circle cx="292" cy="206" r="28"/></g>
<g fill="#ccc"><circle cx="112" cy="206" r="13"/><circle cx="292" cy="206" r="13"/></g></svg>""".encode()


def rows(dealership: str) -> list[dict]:
    """The sample cars of a dealer, each with photos of its own: one that is not encrypted, and two that are."""
    cars = json.loads(SAMPLE.read_text())["cars"]
    mine = [car for car in cars if car["dealership_id"] == dealership]
    for car in mine:
        address = f"{dealership}.example/{car['id']}"
        encrypted = [] if dealership == WITHOUT_PHOTOS else [f"https://{address}/frente", f"https://{address}/lado"]
        car["imagens"] = [f"http://{address}/pequena", *encrypted]
    return mine


def hand_in(address: str, token: str) -> None:
    """Gives every sample car its photos."""
    for dealership in json.loads(SAMPLE.read_text())["dealerships"]:
        identifier = dealership["id"]
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        body = json.dumps(rows(identifier)).encode()
        stock = f"{address}/dealerships/{identifier}/stock"
        urllib.request.urlopen(urllib.request.Request(stock, body, headers, method="PUT"), timeout=10).close()


class Host(http.server.ThreadingHTTPServer):
    """Answers for every name, with a certificate of its own making."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        key, certificate = folder / "photos.key", folder / "photos.pem"
        make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=photos -days 2".split()
        subprocess.run([*make, "-keyout", key, "-out", certificate], check=True, stderr=subprocess.DEVNULL)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(certificate, key)
        # While it is cleared, photos are on their way.
        self.sends = threading.Event()
        self.begin()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        return self.server_address[1]

    def begin(self) -> None:
        """Forgets what was asked, and has every photo again."""
        self.connections = 0
        self.asked: list[str] = []
        self.told: list[dict[str, str]] = []
        self.has_photos = True
        self.sends.set()

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        self.connections += 1
        # The handshake is for the thread of the connection: one that says nothing must not keep the others waiting.
        return self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: object, client_address: object) -> None:
        """Browsers end connections as they like."""

    def stop(self) -> None:
        self.sends.set()
        self.shutdown()
        self.server_close()


class Answer(http.server.BaseHTTPRequestHandler):
    server: Host

    def do_GET(self) -> None:
        self.server.asked.append(f"https://{self.headers['Host']}{self.path}")
        self.server.told.append({name.lower(): value for name, value in self.headers.items()})
        self.server.sends.wait()
        if not self.server.has_photos:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "image/svg+xml")
        # Each press is to be seen here.
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(len(PHOTO)))
        self.end_headers()
        self.wfile.write(PHOTO)

    def log_message(self, format: str, *arguments: object) -> None:
        """What was asked is noted where tests see it."""
