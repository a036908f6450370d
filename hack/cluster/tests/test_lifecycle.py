"""The whole life of the local cluster on this machine: up, up again, wounded, half-way, down without a trace.

Real programs, real mounts. Skipped where a cluster is in use: the test would take it away.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

import components
import processes
import up
from down import pod_cgroups, shims
from network import SETTINGS, read_setting
from settings import STATE
from traces import FOLDERS

CLUSTER = Path(__file__).resolve().parents[1]
# Warm: what was built before is in the cache. The budgets of the tool, with nothing added.
UP_SECONDS = 40
UP_AGAIN_SECONDS = 3
COLD_SECONDS = 3600


def call(verb: str, seconds: float = 180) -> str:
    done = subprocess.run(
        [sys.executable, str(CLUSTER), verb], text=True, capture_output=True, timeout=seconds, check=False
    )
    if done.returncode != 0:
        raise AssertionError(f"hack/cluster {verb}: {done.stderr}\n{done.stdout}")
    return done.stdout


def running() -> dict[str, int]:
    """Name of each component that runs -> its pid."""
    found = {component.name: processes.running(component.name) for component in components.in_order()}
    return {name: record.pid for name, record in found.items() if record}


def traces() -> dict[str, object]:
    """Everything on this machine that a cluster could leave behind."""
    return {
        "processes": our_processes(),
        "mounts": sorted(line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()),
        "network namespaces": sorted(path.name for path in Path("/run/netns").glob("*")),
        "links": sorted(os.listdir("/sys/class/net")),
        "nftables": subprocess.run(["nft", "list", "tables"], text=True, capture_output=True, check=True).stdout,
        "routes": subprocess.run(["ip", "route"], text=True, capture_output=True, check=True).stdout,
        "settings": {name: read_setting(name) for name in SETTINGS},
        "cgroups": [str(path) for path in pod_cgroups()],
        "folders": [folder for folder in (str(STATE), *FOLDERS) if Path(folder).exists()],
    }


def our_processes() -> list[str]:
    """Command lines of processes that have to do with the cluster's state folder, shims included."""
    found = [f"shim {pid}" for pid in shims()]
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(STATE) in line:
                found.append(line)
    return sorted(found)


@unittest.skipIf(os.environ.get("KUBECONFIG"), "KUBECONFIG is set: its cluster is used as it is")
@unittest.skipIf(running(), "a local cluster is up and stays so; `make cluster-down` first to test its life")
class Lifecycle(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        # A first time, so that what is compared later is not the installation of packages and programs,
        # and so that whatever a machine without its processes still holds has gone.
        call("up", COLD_SECONDS)
        call("down")

    def test_up_heals_and_down_leaves_nothing(self) -> None:
        self.addCleanup(call, "down")
        before = traces()

        with self.subTest("up, until it answers"):
            began = time.monotonic()
            call("up")
            self.assertLess(time.monotonic() - began, UP_SECONDS)

        with self.subTest("up again changes nothing"):
            pids = running()
            began = time.monotonic()
            self.assertIn("the cluster is up", call("up"))
            self.assertLess(time.monotonic() - began, UP_AGAIN_SECONDS)
            self.assertEqual(running(), pids)

        for victim in pids:
            with self.subTest(f"{victim} killed"):
                # What hangs on it may die with it (an API server without its etcd does) and is healed too.
                before_kill = running()
                os.kill(before_kill[victim], signal.SIGKILL)
                call("up")
                self.assertNotEqual(running()[victim], before_kill[victim])
                self.assertIn("the cluster is up:", call("up"), "healed: nothing left to do")

        with self.subTest("down"):
            call("down")
            self.assertEqual(traces(), before)
            self.assertIn("the cluster is down", call("down"), "safe to repeat")

        for seconds in (0.5, 2.5, 5.0):
            with self.subTest(f"up killed after {seconds} s"):
                half = subprocess.Popen([sys.executable, str(CLUSTER), "up"], stdout=subprocess.DEVNULL)
                time.sleep(seconds)
                half.kill()
                half.wait()
                call("up")
                self.assertTrue(up.is_up())
                call("down")
                self.assertEqual(traces(), before)


if __name__ == "__main__":
    unittest.main()
