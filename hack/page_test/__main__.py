"""The pages in a real browser: `python3 hack/page_test`.

Builds the service, starts it on a free port with its sample stock, and goes through the buyers' page and the page to try
the API in a headless Chromium: by keyboard, on a phone's window, in both colour schemes, with and without scripts. The
cars have photos, on dealers' hosts that a server here stands in for. Pictures of what was seen go into a new temporary
folder, whose name is printed.
"""

from __future__ import annotations

import sys
import unittest

import environment

# What starts the service is shared with other tests.
sys.path.append(str(environment.HERE.parent))


def main() -> int:
    environment.enter()
    # Only inside the environment is the driver's package there.
    import developers
    import journey

    load = unittest.defaultTestLoader.loadTestsFromModule
    suite = unittest.TestSuite([load(journey), load(developers)])
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
