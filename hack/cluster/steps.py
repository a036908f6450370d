"""Steps with names and times, bounded waits, and commands whose failure is one clear line."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from errors import ClusterError

POLL_SECONDS = 0.2


@contextmanager
def step(name: str) -> Iterator[None]:
    """Prints the step's name, then how long it took."""
    began = time.monotonic()
    print(f"==> {name}", flush=True)
    yield
    print(f"    {time.monotonic() - began:.1f} s", flush=True)


def wait_until(what: str, seconds: float, look: Callable[[], bool], hint: str = "") -> None:
    """Polls `look`; raises with `what` and `hint` when `seconds` have passed."""
    deadline = time.monotonic() + seconds
    while not look():
        if time.monotonic() > deadline:
            raise ClusterError(f"{what}: not within {seconds:.0f} s{'; ' + hint if hint else ''}")
        time.sleep(POLL_SECONDS)


def run(
    *command: str | Path,
    stdin: str | None = None,
    environment: dict[str, str] | None = None,
    directory: Path | None = None,
    seconds: float = 120,
) -> str:
    """Runs a short command and returns what it printed; its last words are the error."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words, input=stdin, text=True, capture_output=True, check=False, timeout=seconds, env=environment,
            cwd=directory,
        )  # fmt: skip
    except FileNotFoundError:
        raise ClusterError(f"{words[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise ClusterError(f"{' '.join(words[:4])} … gave no answer within {seconds:.0f} s") from None
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise ClusterError(f"{' '.join(words[:4])} …: {' / '.join(said[-3:]) or f'exit {done.returncode}'}")
    return done.stdout


def run_long(what: str, command: list[str], log: Path, environment: dict[str, str], directory: Path) -> None:
    """Runs a long command into a log, saying every half a minute that it is still at work."""
    log.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    told = began
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=directory)
        try:
            while process.poll() is None:
                time.sleep(POLL_SECONDS)
                if time.monotonic() - told > 30:
                    told = time.monotonic()
                    print(f"    … {what}: {told - began:.0f} s", flush=True)
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if process.returncode != 0:
        last = " / ".join(log.read_text(errors="replace").strip().splitlines()[-3:])
        raise ClusterError(f"{what} failed: {last} (whole output: {log})")
