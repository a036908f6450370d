"""The engine itself: its benchmark, built once, as a program that exports its cars and ranks on request."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from environment import ROOT


def build() -> Path:
    """Builds the benchmark and gives back its executable."""
    cargo = ["cargo", "bench", "--quiet", "--locked", "-p", "faciliauto-engine", "--bench", "engine", "--no-run"]
    built = subprocess.run(
        [*cargo, "--message-format=json"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    messages = (json.loads(line) for line in built.stdout.splitlines() if line.startswith("{"))
    for message in messages:
        if message.get("executable") and message["target"]["name"] == "engine":
            return Path(message["executable"])
    raise RuntimeError("cargo built no benchmark")


class Ours:
    """One thread, the widest instructions of the processor."""

    name = "ours"

    def __init__(self, executable: Path, folder: Path) -> None:
        """Writes the export into the folder, then stands by."""
        self.process = subprocess.Popen(
            [str(executable), "--export", str(folder), "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=sys.stderr,
            text=True,
        )
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError("the engine's benchmark did not come up")

    def times(self, runs: int) -> list[float]:
        """Seconds of each run, measured inside the program: the pipe between is not counted."""
        self.process.stdin.write(f"{runs}\n")
        self.process.stdin.flush()
        return [float(word) / 1e6 for word in self.process.stdout.readline().split()]

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()
