"""Each request is counted once, wherever its line stands."""

from __future__ import annotations

import datetime
import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import audit  # noqa: E402

BEGAN = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)


def line(identity: str, seconds: float, verb: str, code: int = 200, **about: str) -> str:
    at = (BEGAN + datetime.timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
    event = {
        "auditID": identity,
        "requestReceivedTimestamp": at,
        "requestURI": "/readyz?verbose=true",
        "verb": verb,
        "responseStatus": {"code": code},
    }
    if about:
        event["objectRef"] = about
    return json.dumps(event) + "\n"


class Audit(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.log = Path(folder.name) / "apiserver-audit.log"

    def words(self, since: float, until: float) -> list[str]:
        moments = (BEGAN + datetime.timedelta(seconds=seconds) for seconds in (since, until))
        return [request.words() for request in audit.requests(self.log, *moments)]

    def test_rotated_files_count_and_a_watch_counts_once(self) -> None:
        rotated = self.log.with_name("apiserver-audit-2026-01-02T03-04-07.000.log")
        rotated.write_text(line("2", 1, "watch", resource="pods") + line("1", 0, "list", resource="pods"))
        self.log.write_text(line("2", 1, "watch", resource="pods") + line("3", 2, "patch", 409, resource="jobs", name="a"))
        self.assertEqual(self.words(0, 3), ["list pods 200", "watch pods 200", "patch jobs/a 409"])

    def test_only_what_arrived_in_that_time_counts(self) -> None:
        self.log.write_text("".join(line(str(second), second, "get", resource="pods") for second in range(5)))
        self.assertEqual(len(self.words(1, 3)), 2)

    def test_a_line_that_is_still_being_written_is_left_for_the_next_time(self) -> None:
        self.log.write_text(line("1", 0, "get", resource="pods") + line("2", 0, "get", resource="pods")[:40])
        self.assertEqual(len(self.words(0, 1)), 1)

    def test_subresources_and_addresses_that_are_no_resource_have_names(self) -> None:
        status = {"resource": "faciliautodeployments", "subresource": "status", "namespace": "n", "name": "a"}
        self.log.write_text(line("1", 0, "patch", **status) + line("2", 1, "get"))
        self.assertEqual(self.words(0, 2), [f"patch {audit.STATUS}/n/a 200", "get /readyz 200"])


if __name__ == "__main__":
    unittest.main()
