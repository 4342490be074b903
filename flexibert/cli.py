"""The door: one subcommand for each thing a person does; everything is computed elsewhere.

Modules are imported inside each command, so that `flexibert --help` answers at once.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from flexibert import __version__
from flexibert.errors import UsageError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns 0, or 1 after telling what the person can mend, one sentence a problem."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except UsageError as error:
        print(f"flexibert {options.command}: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # a missing file, a full disk, a read-only folder: never a bug of ours
        print(f"flexibert {options.command}: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 0
    return 0


def build_parser() -> argparse.ArgumentParser:
    """All commands with their help."""
    parser = argparse.ArgumentParser(prog="flexibert", description=__import__("flexibert").__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in COMMANDS:
        add(commands)
    return parser


COMMANDS: list[Callable] = []


if __name__ == "__main__":
    raise SystemExit(main())
