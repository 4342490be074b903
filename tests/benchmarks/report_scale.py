"""CPU seconds of status and report at the paper's scale: 300 candidates, nine tasks, a library of 9,312 models.

Run as `python tests/benchmarks/report_scale.py`; the results folder is made up (tests/results_folder.py).
"""

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from results_folder import MadeUpResults

from flexibert.report.folder import ResultsFolder
from flexibert.report.page import write_report
from flexibert.report.status import screen

LIBRARY, ROUNDS = 9312, 149  # four models in the first round, two in each later one


def main() -> None:
    """Print one row a command."""
    with tempfile.TemporaryDirectory() as folder:
        made = MadeUpResults(Path(folder) / "large", count=LIBRARY)
        rows = made.search("main", made.library(stack=1), rounds=ROUNDS, failed=[3, 40], surrogate=False)
        made.final("main", made.finish("main", rows))
        print(f"{'command':10} {'CPU seconds':>11} {'page, MB':>9}")
        start = time.process_time()
        screen(ResultsFolder(made.path))
        print(f"{'status':10} {time.process_time() - start:11.2f}")
        start = time.process_time()
        page = write_report(made.path)
        print(f"{'report':10} {time.process_time() - start:11.2f} {page.stat().st_size / 1e6:9.2f}")


if __name__ == "__main__":
    main()
