"""A delay runs from a change to the first look at that very resource."""

from __future__ import annotations

import datetime
import sys
import unittest
from pathlib import Path

sys.path += [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2] / "system")]

from audit import Request  # noqa: E402
from failing_watch import looks, quantile  # noqa: E402

BEGAN = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)


def after(milliseconds: float) -> datetime.datetime:
    return BEGAN + datetime.timedelta(milliseconds=milliseconds)


def get(milliseconds: float, name: str, resource: str = "secrets") -> Request:
    return Request("", after(milliseconds), "get", resource, "fleet", name, 200)


class Looks(unittest.TestCase):
    def test_the_first_look_of_the_same_resource_counts(self) -> None:
        changed = [("a-1", after(0)), ("a-2", after(10)), ("a-1", after(20))]
        requests = [
            get(1, "a-2-login"), get(2, "a-1-login", "pods"), get(5, "a-1-login"), get(6, "a-1-acl"),
            get(13, "a-2-acl"), get(27, "a-1-acl"),
        ]  # fmt: skip
        self.assertEqual(looks(changed, requests), [5, 3, 7])

    def test_a_change_that_only_the_next_one_made_seen_is_missing(self) -> None:
        changed = [("a-1", after(0)), ("a-1", after(20))]
        self.assertEqual(looks(changed, [get(25, "a-1-acl")]), [5])

    def test_a_quantile_is_one_of_the_values(self) -> None:
        self.assertEqual([quantile([3, 1, 2], share) for share in (0, 0.5, 0.99)], [1, 2, 2])


if __name__ == "__main__":
    unittest.main()
