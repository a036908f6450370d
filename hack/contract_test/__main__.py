"""The API against its own description: `python3 hack/contract_test [SEED]`.

Builds the service, starts it on a free port with state in memory, without limits and with an administrator, and lets
Schemathesis ask whatever `/openapi.json` allows and forbids. What is checked, and what is not and why, stands in
`schemathesis.toml` beside this file. The same seed asks the same; it finds nothing, or the exit code says so.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

import environment

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))

import serving  # noqa: E402  (it stands beside this folder)

DEFAULT_SEED = "1"
# Over this the run ends by itself; it takes about a minute.
MOST_SECONDS = 240


def main() -> int:
    seed = (sys.argv[1:] or [""])[0] or DEFAULT_SEED
    program = environment.program()
    executable = serving.build()
    with tempfile.TemporaryDirectory(prefix="faciliauto-contract-") as name:
        folder = Path(name)
        token = secrets.token_hex(32)
        tokens = folder / "tokens"
        tokens.write_text(token + "\n")
        flags = ["--limits", "off", "--admin-token-file", str(tokens)]
        service = serving.Service(executable, folder / "service.log", *flags)
        try:
            print(f"seed {seed}; the same again: make test-contract SEED={seed}", file=sys.stderr, flush=True)
            ask = [program, "--config-file", HERE / "schemathesis.toml", "run", f"{service.address}/openapi.json"]
            asked = subprocess.run(
                [*map(str, ask), "--seed", seed],
                cwd=folder,
                # Its hooks stand beside this file.
                env={**os.environ, "API": service.address, "ADMIN_TOKEN": token, "PYTHONPATH": str(HERE)},
                timeout=MOST_SECONDS,
            )
            if service.process.poll() is not None:
                print("the service ended meanwhile", file=sys.stderr)
                return 1
            return asked.returncode
        except subprocess.TimeoutExpired:
            print(f"not done within {MOST_SECONDS} s", file=sys.stderr)
            return 1
        finally:
            service.stop()


if __name__ == "__main__":
    sys.exit(main())
