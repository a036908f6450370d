#!/usr/bin/env python3
"""Runs each fuzz target of the engine and of the service for a bounded time: `python3 hack/fuzz.py [TARGET...]`.

SECONDS_EACH says for how long each (60). The seeds in the repository come first; what a run adds stays in
`corpus` beside the targets, outside the repository, and the next run goes on from there. What was found lies in
`artifacts` beside it. Needs a nightly toolchain and cargo-fuzz; says so when one is missing.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = [ROOT / "service" / "engine" / "fuzz", ROOT / "service" / "fuzz"]
TOOLCHAIN = "+nightly"


def has(*command: str) -> bool:
    try:
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    except FileNotFoundError:
        return False


def main() -> int:
    if not has("cargo", TOOLCHAIN, "--version"):
        print("fuzz: not run, no nightly toolchain (rustup toolchain install nightly)")
        return 1
    if not has("cargo", "fuzz", "--version"):
        print("fuzz: not run, no cargo-fuzz (cargo install cargo-fuzz --locked)")
        return 1
    seconds = int(os.environ.get("SECONDS_EACH", "60"))
    # No two targets have one name.
    known = {path.stem: folder for folder in FOLDERS for path in sorted((folder / "fuzz_targets").glob("*.rs"))}
    targets = sys.argv[1:] or list(known)
    unknown = [target for target in targets if target not in known]
    if unknown:
        print(f"fuzz: no target {', '.join(unknown)}; there are {', '.join(known)}")
        return 2
    failed = []
    for target in targets:
        fuzz = known[target]
        corpus = fuzz / "corpus" / target
        corpus.mkdir(parents=True, exist_ok=True)
        print(f"fuzz: {target}, {seconds} s", flush=True)
        # The integers are what is tried here, not memory: the engine's few unsafe lines call functions compiled for
        # the instructions that the processor says it has.
        run = ["cargo", TOOLCHAIN, "fuzz", "run", "--fuzz-dir", str(fuzz), "--sanitizer", "none", target]
        folders = [str(corpus), str(fuzz / "seeds" / target)]
        options = [f"-max_total_time={seconds}", "-print_final_stats=1", "-verbosity=0", "-max_len=4096"]
        command = [*run, *folders, "--", *options]
        done = subprocess.run(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        if done.returncode != 0:
            failed.append(target)
            print(done.stdout)
        # The rest of what libFuzzer says is of use to nobody who has no finding.
        print("".join(f"  {line}\n" for line in done.stdout.splitlines() if "units" in line), end="")
    print(f"fuzz: {len(targets) - len(failed)} passed, {len(failed)} failed {' '.join(failed)}".rstrip())
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
