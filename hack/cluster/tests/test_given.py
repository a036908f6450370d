"""With KUBECONFIG set, the given cluster is used as it is: nothing is built, started or removed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

CLUSTER = Path(__file__).resolve().parents[1]
ANSWERS = "#!/bin/sh\necho \"$@\" >> \"$CALLS\"\nexit 0\n"
REFUSES = "#!/bin/sh\necho 'Unable to connect to the server: connection refused' >&2\nexit 1\n"


class Given(unittest.TestCase):
    """`kubectl` is a script that notes how it was called: the tool may look at a cluster only by it."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = Path(folder.name)
        self.calls = self.home / "calls"

    def call(self, verb: str, kubectl: str | None = ANSWERS) -> subprocess.CompletedProcess[str]:
        programs = self.home / "bin"
        programs.mkdir(exist_ok=True)
        if kubectl is not None:
            (programs / "kubectl").write_text(kubectl)
            (programs / "kubectl").chmod(0o755)
        environment = {
            "PATH": f"{programs}:/bin" if kubectl is not None else str(programs),
            "HOME": str(self.home),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "KUBECONFIG": str(self.home / "given.kubeconfig"),
            "CALLS": str(self.calls),
        }
        return subprocess.run(
            [sys.executable, str(CLUSTER), verb],
            env=environment, text=True, capture_output=True, timeout=30, check=False,
        )  # fmt: skip

    def test_up_only_asks_whether_it_answers(self) -> None:
        done = self.call("up")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("as it is", done.stdout)
        self.assertEqual(self.calls.read_text().splitlines(), ["version -o yaml --request-timeout=10s"])
        self.assertFalse((self.home / "cache").exists(), "nothing was built")

    def test_up_says_when_it_does_not_answer(self) -> None:
        done = self.call("up", REFUSES)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn("connection refused", done.stderr)

    def test_no_kubectl_is_one_line(self) -> None:
        done = self.call("up", None)
        self.assertEqual(done.returncode, 1)
        self.assertIn("install kubectl", done.stderr)

    def test_down_and_images_leave_it_alone(self) -> None:
        for verb in ("down", "images"):
            done = self.call(verb)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse(self.calls.exists(), "no call at all")

    def test_its_audit_log_is_not_taken_for_the_local_one(self) -> None:
        done = self.call("audit-log")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("unset it", done.stderr)

    def test_kubeconfig_prints_the_path_and_nothing_else(self) -> None:
        self.assertEqual(self.call("kubeconfig").stdout, f"{self.home / 'given.kubeconfig'}\n")


if __name__ == "__main__":
    unittest.main()
