#!/usr/bin/env python3
"""Runs the tests of backups that need a server for S3 against a real one: versitygw on a folder of its own."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUCKET = "backups"
STARTS_WITHIN_SECONDS = 20
LIMIT_SECONDS = 900


def main() -> int:
    cluster = [sys.executable, str(ROOT / "hack" / "cluster"), "versitygw"]
    program = subprocess.run(cluster, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    with tempfile.TemporaryDirectory(prefix="faciliauto-s3-") as folder:
        # A folder is a bucket of the server.
        (Path(folder) / BUCKET).mkdir()
        key, secret, address = "test", secrets.token_hex(16), f"127.0.0.1:{free_port()}"
        environment = {**os.environ, "ROOT_ACCESS_KEY": key, "ROOT_SECRET_KEY": secret}
        command = [program, "--port", address, "posix", folder]
        server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(address, server)
            return test(address, key, secret)
        finally:
            server.kill()
            server.wait()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    host, port = address.split(":")
    deadline = time.monotonic() + STARTS_WITHIN_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"s3: the server did not listen on {address} within {STARTS_WITHIN_SECONDS} s")


def test(address: str, key: str, secret: str) -> int:
    environment = {
        **os.environ,
        "FACILIAUTO_TEST_S3_ENDPOINT": f"http://{address}",
        "FACILIAUTO_TEST_S3_BUCKET": BUCKET,
        "FACILIAUTO_TEST_S3_KEY": key,
        "FACILIAUTO_TEST_S3_SECRET": secret,
    }
    command = [
        "cargo", "test", "--locked", "--workspace", "--test", "service", "--", "--include-ignored", "backup::server",
    ]  # fmt: skip
    return subprocess.run(command, cwd=ROOT, env=environment, timeout=LIMIT_SECONDS, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
