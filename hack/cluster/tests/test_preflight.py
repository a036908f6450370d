"""Each thing that a machine can lack is one line that says what to do, before anything is half-done."""

from __future__ import annotations

import socket
import unittest
from pathlib import Path

import preflight
import settings
from errors import ClusterError


class Preflight(unittest.TestCase):
    def refused(self, said: str, check, *arguments) -> None:
        with self.assertRaises(ClusterError) as caught:
            check(*arguments)
        message = str(caught.exception)
        self.assertIn(said, message)
        self.assertNotIn("\n", message, "one line, or nobody reads it")

    def test_another_system(self) -> None:
        self.refused("set KUBECONFIG", preflight.check_system, "Darwin", 0, None)
        self.refused("set KUBECONFIG", preflight.check_system, "Linux", 0, None)

    def test_not_root(self) -> None:
        self.refused("run it with sudo", preflight.check_system, "Linux", 1000, "/usr/bin/apt-get")

    def test_go_missing_or_old(self) -> None:
        self.refused("install Go 1.26", preflight.check_go, None)
        self.refused("go1.22", preflight.check_go_version, "go version go1.22.3 linux/amd64")
        self.refused("found: nothing", preflight.check_go_version, "")

    def test_go_new_enough(self) -> None:
        preflight.check_go_version("go version go1.26.8 linux/amd64")
        preflight.check_go_version("go version go2.0 linux/arm64")

    def test_no_room(self) -> None:
        self.refused("make room", preflight.check_space, 1.5, 10, Path("/var/lib"))
        preflight.check_space(10.1, 10, Path("/var/lib"))

    def test_free_space_of_a_folder_that_is_not_there_yet(self) -> None:
        self.assertGreater(preflight.free_gibibytes(Path("/no/such/folder")), 0)

    def test_port_in_use_by_another_program(self) -> None:
        """A port of ours that somebody else holds is named with the component that wants it."""
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            wanted, preflight.PORTS = preflight.PORTS, {port: "etcd"}
            try:
                self.refused(f"port {port} (etcd)", preflight.check_ports, set())
                preflight.check_ports({port})
            finally:
                preflight.PORTS = wanted

    def test_ports_are_distinct(self) -> None:
        self.assertEqual(len(settings.PORTS), 12)


if __name__ == "__main__":
    unittest.main()
