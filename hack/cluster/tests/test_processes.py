"""Only what we started is ever ended, and whatever we started is known."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

import processes

CLUSTER = Path(__file__).resolve().parents[1]
SLEEP = ["sleep", "60"]


class Processes(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.state = Path(folder.name)
        for name in ("RECORDS", "LOGS"):
            patch = mock.patch.object(processes, name, self.state / name.lower())
            patch.start()
            self.addCleanup(patch.stop)
        self.addCleanup(lambda: processes.stop("sleeper", 1))

    def test_started_once_and_replaced_when_its_inputs_change(self) -> None:
        self.assertTrue(processes.start("sleeper", SLEEP, "1", {}))
        first = processes.running("sleeper")
        self.assertFalse(processes.start("sleeper", SLEEP, "1", {}))
        self.assertEqual(processes.running("sleeper"), first)
        self.assertTrue(processes.start("sleeper", SLEEP, "2", {}))
        self.assertNotEqual(processes.running("sleeper").pid, first.pid)
        self.assertIsNone(processes.start_ticks(first.pid), "the old one has gone")

    def test_stop_ends_it_and_is_safe_to_repeat(self) -> None:
        processes.start("sleeper", SLEEP, "1", {})
        pid = processes.running("sleeper").pid
        processes.stop("sleeper", 2)
        self.assertIsNone(processes.start_ticks(pid))
        processes.stop("sleeper", 2)

    def test_a_process_that_ignores_sigterm_is_killed(self) -> None:
        processes.start("sleeper", ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"], "1", {})
        pid = processes.running("sleeper").pid
        time.sleep(0.3)
        processes.stop("sleeper", 0.5)
        self.assertIsNone(processes.start_ticks(pid))

    def test_a_pid_that_belongs_to_somebody_else_now_is_left_alone(self) -> None:
        """After a reboot the recorded pid can be anybody's: the start time tells them apart."""
        stranger = subprocess.Popen(SLEEP)
        self.addCleanup(stranger.wait)
        self.addCleanup(stranger.kill)
        record = processes.Record(stranger.pid, processes.start_ticks(stranger.pid) - 1, SLEEP, "1", 0.0)
        processes.RECORDS.mkdir(parents=True)
        (processes.RECORDS / "sleeper.json").write_text(processes.json.dumps(processes.asdict(record)))
        self.assertIsNone(processes.running("sleeper"))
        processes.stop("sleeper", 1)
        self.assertIsNone(stranger.poll(), "the stranger lives")

    def test_a_torn_record_counts_as_none(self) -> None:
        processes.RECORDS.mkdir(parents=True)
        for text in ("", "{", "[]", '{"pid": 1}'):
            (processes.RECORDS / "sleeper.json").write_text(text)
            self.assertIsNone(processes.running("sleeper"))

    def test_the_record_survives_a_kill_of_the_one_who_starts_it(self) -> None:
        """A component without a record would hold its port for ever, and nobody might end it."""
        script = (
            "import os, signal, sys, pathlib, subprocess, processes\n"
            f"processes.RECORDS = pathlib.Path({str(processes.RECORDS)!r})\n"
            f"processes.LOGS = pathlib.Path({str(processes.LOGS)!r})\n"
            "real = subprocess.Popen\n"
            "def popen(*words, **options):\n"
            "    real(*words, **options)\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n"
            "subprocess.Popen = popen\n"
            f"processes.start('sleeper', {SLEEP!r}, '1', {{}})\n"
        )
        done = subprocess.run([sys.executable, "-c", script], cwd=CLUSTER, timeout=20, check=False)
        self.assertEqual(done.returncode, -signal.SIGKILL)
        record = processes.running("sleeper")
        self.assertIsNotNone(record, "killed right after the start, and still known")
        os.kill(record.pid, 0)


if __name__ == "__main__":
    unittest.main()
