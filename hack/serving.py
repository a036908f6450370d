"""The service, built once and started on a free port with its sample stock."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def build() -> Path:
    """Builds the service and gives back its executable."""
    cargo = ["cargo", "build", "--quiet", "--locked", "-p", "faciliauto-service", "--message-format=json"]
    built = subprocess.run(cargo, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    messages = (json.loads(line) for line in built.stdout.splitlines() if line.startswith("{"))
    for message in messages:
        if message.get("executable") and message["target"]["name"] == "faciliauto-service":
            return Path(message["executable"])
    raise RuntimeError("cargo built no service")


class Service:
    """Serves until it is stopped."""

    def __init__(self, executable: Path, log: Path, *flags: str) -> None:
        free = ["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]
        # The log is a file and no pipe, which nobody would empty.
        self.log = log.open("w")
        self.process = subprocess.Popen([str(executable), *free, *flags], stdout=self.log, stderr=subprocess.STDOUT)
        try:
            self.address = f"http://{self.listening(log)}"
        except BaseException:
            self.stop()
            raise

    def listening(self, log: Path) -> str:
        """Where it listens, as its log says."""
        while True:
            for line in log.read_text().splitlines():
                if '"serving"' in line:
                    return json.loads(line)["address"]
            try:
                self.process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            raise RuntimeError(f"the service did not come up:\n{log.read_text()}")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
        self.log.close()
