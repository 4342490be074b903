"""The command `flexibert`: one subcommand for each thing a person does; everything is computed elsewhere.

Modules are imported inside each command, so that `flexibert --help` answers at once.
"""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import flexibert
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
    except BrokenPipeError:  # the reader (`| head`) has seen enough
        return 0
    except OSError as error:  # a missing file, a full disk, a read-only folder: never a bug of ours
        print(f"flexibert {options.command}: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
        return 1
    return 0


def build_parser() -> argparse.ArgumentParser:
    """All commands with their help."""
    parser = argparse.ArgumentParser(prog="flexibert", description=flexibert.__doc__)
    parser.add_argument("--version", action="version", version=flexibert.__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in COMMANDS:
        add(commands)
    return parser


def _add_bench(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "bench",
        help="compare search methods on a table of already evaluated candidates",
        description="Search a table of already evaluated candidates once for each seed, write one JSON line a seed "
        "(method, seed, ids, scores, seconds in order of evaluation) and print a summary. Finished seeds of the "
        "same call are kept, so a broken bench goes on where it stopped. The size of a candidate is its number in the "
        "column `parameters`, or else what `flexibert params` counts.",
    )
    parser.add_argument(
        "table",
        type=Path,
        metavar="TABLE",
        help="JSONL or CSV with id, score (higher is better) and model or feature columns",
    )
    parser.add_argument("--method", required=True, help="search method, e.g. boshnas; a wrong name lists them all")
    parser.add_argument("--budget", type=int, required=True, help="evaluations a seed, the initial ones included")
    parser.add_argument("--seeds", type=int, required=True, help="number of seeds: 0 to SEEDS-1 are run")
    parser.add_argument("--init", type=int, default=10, help="random evaluations that come first (default: 10)")
    parser.add_argument("--batch", type=int, default=1, help="candidates proposed at a time (default: 1)")
    parser.add_argument("--embedding", help="transformer2vec (edit distances; default for models) or naive (features)")
    parser.add_argument("--tasks", default="", help="comma-separated entries of `scores` to average instead of `score`")
    parser.add_argument("--out", type=Path, required=True, help="JSONL file to write")
    parser.add_argument("--jobs", type=int, help="processes (default: one a core); does not change the results")
    parser.add_argument(
        "--compare", type=Path, nargs="+", default=[], metavar="FILE", help="other outputs to put beside this one"
    )
    parser.add_argument(
        "--plot", type=Path, nargs="?", const=Path(), metavar="PICTURE", help="draw the regret (default: OUT.svg)"
    )
    parser.set_defaults(run=_bench)


def _bench(options: argparse.Namespace) -> None:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # seeds are run side by side; and one thread gives equal sums everywhere
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    from flexibert.encoder.cost import parameter_counts
    from flexibert.search.bench.plot import check_picture
    from flexibert.search.bench.run import BenchSettings, report, run_bench

    tasks = tuple(filter(None, options.tasks.split(",")))
    settings = BenchSettings(options.method, options.budget, options.init, options.batch, options.embedding, tasks)
    picture = options.out.with_suffix(".svg") if options.plot == Path() else options.plot
    if picture is not None:
        check_picture(picture)
    run_bench(options.table, settings, options.seeds, options.out, options.jobs, parameter_counts)
    print(report(options.table, settings, [options.out, *options.compare], picture))


def _add_status(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "status",
        help="what a running or finished search has done, its best so far, what failed, what is running",
        description="One screen on an experiment, from the files of its results folder alone; works on a cluster too.",
    )
    parser.add_argument("results", type=Path, metavar="RESULTS", help="folder of one experiment, e.g. results/default")
    parser.add_argument(
        "--watch",
        type=_seconds,
        nargs="?",
        const=5.0,
        metavar="SECONDS",
        help="show it again every so many seconds (default: 5) until the experiment is finished; Ctrl-C ends it",
    )
    parser.set_defaults(run=_status)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not seconds > 0:
        raise argparse.ArgumentTypeError(f"{text} is no positive number of seconds")
    return seconds


def _status(options: argparse.Namespace) -> None:
    from flexibert.report.folder import ResultsFolder
    from flexibert.report.status import show, watch

    if options.watch is None:
        show(ResultsFolder(options.results))
    else:
        watch(options.results, options.watch)


def _add_report(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "report",
        help="write the report page, its figures and its tables, of a search in any state",
        description="Write RESULTS/report: index.html, which needs nothing beside it, tables as CSV, and figures as "
        "SVG, each with the CSV that it draws. The search may still be running.",
    )
    parser.add_argument("results", type=Path, metavar="RESULTS", help="folder of one experiment, e.g. results/default")
    parser.add_argument("--out", type=Path, help="folder to write (default: RESULTS/report)")
    parser.set_defaults(run=_report)


def _report(options: argparse.Namespace) -> None:
    from flexibert.report.page import write_report

    print(write_report(options.results, options.out))


def _add_space(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("space", help="count the graphs of a design space, exactly and without enumeration")
    parser.add_argument("space", type=Path, help="design space (YAML)")
    parser.add_argument("--level", type=int, default=1, help="level of the space (default 1)")
    parser.set_defaults(run=_space)


def _space(options: argparse.Namespace) -> None:
    import json

    from flexibert.space.design_space import DesignSpace

    print(json.dumps(DesignSpace.from_yaml(options.space).summary(options.level)))


def _add_library(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "library", help="graphs, distances, embedding and neighbours of a design space's level"
    )
    parser.add_argument("space", type=Path, help="design space (YAML)")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--level", type=int, default=1, help="level of the space (default 1)")
    parser.add_argument("--graphs", type=int, default=10_000, help="most graphs; a larger level is sampled (10,000)")
    parser.add_argument("--dimensions", type=int, default=16, help="coordinates of the embedding (16)")
    parser.add_argument("--metric", choices=["euclidean", "city-block"], default="euclidean", help="of the embedding")
    parser.add_argument("--recipe", choices=["fast", "paper"], default="fast", help="how the embedding is fitted")
    parser.add_argument("--neighbours", type=int, default=100, help="neighbours kept for each graph (100)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample and the embedding")
    parser.add_argument("--processes", type=int, default=None, help="worker processes (default: one a core)")
    parser.set_defaults(run=_library)


def _library(options: argparse.Namespace) -> None:
    import json

    from flexibert.settings import LibrarySettings
    from flexibert.space.design_space import DesignSpace
    from flexibert.space.library.library import level_library

    settings = LibrarySettings(options.graphs, options.dimensions, options.metric, options.recipe, options.neighbours)
    space = DesignSpace.from_yaml(options.space)
    library = level_library(space, options.level, settings, options.seed, options.out, options.processes)
    print(json.dumps(library.card))


def _add_distance(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("distance", help="graph edit distance of pairs of models")
    parser.add_argument("pairs", type=Path, help="JSONL; each line has model dictionaries a and b")
    parser.add_argument("--space", type=Path, required=True, help="design space (YAML) whose operations are ranked")
    parser.add_argument("--out", type=Path, required=True, help='JSONL to write: {"distance": ...} a line')
    parser.add_argument("--exact", action="store_true", help="solve each pair exactly (slower)")
    parser.add_argument(
        "--seconds",
        type=float,
        default=300.0,
        help="with --exact: longest time for a pair (300); one not solved in time also gets a lower bound, at_least",
    )
    parser.set_defaults(run=_distance)


def _distance(options: argparse.Namespace) -> None:
    from flexibert.space.edit_distance.pairs_file import distances_of_file

    distances_of_file(options.pairs, options.space, options.out, options.exact, options.seconds)


def _add_dag(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "dag",
        help="draw the graph of the rules and the graph of the jobs, coloured by state",
        description="Write rules.mmd and jobs.mmd (Mermaid), and rules.svg and jobs.svg where graphviz is installed, "
        "into the folder dag of the results: done, running, stale (to be made again) and to do, as Snakemake plans.",
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="rules or files (default: the default target)")
    parser.add_argument(
        "--configfile", type=Path, nargs="+", action="extend", default=[], help="as for snakemake --configfile"
    )
    parser.add_argument("--out", type=Path, help="folder to write (default: results/NAME/dag)")
    parser.set_defaults(run=_dag)


def _dag(options: argparse.Namespace) -> None:
    from flexibert.report.dag import draw_dag

    for path in draw_dag(options.configfile, options.targets, options.out):
        print(path)


def _add_params(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "params",
        help="parameters, FLOPs and measured latency of a model",
        description="Print parameters by component and in all, and forward FLOPs a token, as one JSON object.",
    )
    parser.add_argument("model", metavar="MODEL", help="file with a model dictionary (JSON), or a name, e.g. BERT-Mini")
    parser.add_argument("--vocabulary", type=int, default=50_265, help="number of tokens (50265, RoBERTa's)")
    parser.add_argument("--max-positions", type=int, default=514, help="longest sequence (514, RoBERTa's)")
    parser.add_argument("--token-types", type=int, default=1, help="segments a sequence may have (1)")
    parser.add_argument("--tied", action="store_true", help="decode with the word embeddings (counted once)")
    parser.add_argument("--head", choices=("masked_lm", "classification", "none"), default="masked_lm")
    parser.add_argument("--length", type=int, default=128, help="tokens a sequence, for FLOPs and latency (128)")
    parser.add_argument("--measure", action="store_true", help="also measure latency and peak memory on this machine")
    parser.add_argument("--batch", type=int, default=1, help="sequences at a time, for --measure (1)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads, for --measure (1)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda, for --measure")
    parser.set_defaults(run=_params)


def _params(options: argparse.Namespace) -> None:
    import json

    from flexibert.encoder.cost import flops_per_token, measure_latency, parameters
    from flexibert.encoder.named import model_by_name_or_file

    model = model_by_name_or_file(options.model)
    settings = {"vocab_size": options.vocabulary, "max_positions": options.max_positions}
    settings |= {"token_types": options.token_types, "tie_word_embeddings": options.tied}
    costs: dict[str, Any] = parameters(model, None if options.head == "none" else options.head, **settings)
    costs["flops_per_token"] = flops_per_token(model, options.length)
    if options.measure:
        how = {"batch": options.batch, "length": options.length, "threads": options.threads, "device": options.device}
        costs["measured"] = how | measure_latency(model, **how, **settings)
    print(json.dumps(costs))


def _add_export(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "export",
        help="a trained model as a folder that plain transformers loads",
        description="Write weights, code, tokenizer and model card; load the folder with trust_remote_code=True.",
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="results/NAME/models/MODEL/RECIPE")
    parser.add_argument("--to", type=Path, required=True, help="folder to make; it must not exist")
    parser.add_argument("--task", help="export the classifier fine-tuned on this task, e.g. glue-sst2")
    parser.set_defaults(run=_export)


def _export(options: argparse.Namespace) -> None:
    from flexibert.encoder.export import export

    export(options.model, options.to, options.task)


COMMANDS: list[Callable] = [
    _add_space,
    _add_library,
    _add_distance,
    _add_bench,
    _add_status,
    _add_report,
    _add_dag,
    _add_params,
    _add_export,
]


if __name__ == "__main__":
    raise SystemExit(main())
