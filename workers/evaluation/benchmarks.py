"""`python -m workers.evaluation.benchmarks fetch --home DIR`. The files lie one floor down: curation reads them too."""

import sys

from workers.data.benchmarks import main

if __name__ == "__main__":
    sys.exit(main())
