"""Which state of the code made a result."""

import subprocess
from pathlib import Path


def commit() -> str | None:
    """Commit of the checkout that holds this package, with "+" where files differ from it.

    None where the package does not lie at the top of a checkout: another project's repository around an installed
    package says nothing of this code.
    """
    root = Path(__file__).parents[1]
    git = ["git", "-C", str(root)]
    try:
        answer = subprocess.run(
            [*git, "rev-parse", "--show-toplevel", "HEAD"], capture_output=True, text=True, check=True
        ).stdout
        changed = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    top, _, head = answer.strip().rpartition("\n")
    return head + ("+" if changed else "") if Path(top) == root.resolve() else None
