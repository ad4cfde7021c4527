"""`python -m flows.start`: what Prefect's worker starts for a flow run. A fork of the warm process does its work.

Without a warm process it becomes Prefect's engine itself. It loads nothing but the standard library.
"""

import os
import sys

from workers.stand_in import stand_in

SOCKET = "HEADRACE_WARM_SOCKET"
"""Where `flows.warm` answers."""

if __name__ == "__main__":
    sys.exit(stand_in(os.environ.get(SOCKET, ""), [sys.executable, "-m", "prefect.engine"]))
