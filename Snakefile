"""FlexiBERT: an architecture search from text to report. Try `snakemake -n`, then `snakemake`."""

import os
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

min_version("9.10")


report: "workflow/report/workflow.rst"


include: "rules/common.smk"
include: "rules/inputs.smk"
include: "rules/ending.smk"


# Jobs may run in an environment that does not have the package installed (--sdm conda): they find it here.
os.environ.update(PYTHONPATH=os.pathsep.join(filter(None, [str(ROOT), dict(os.environ).get("PYTHONPATH")])))


pathvars:
    results=RESULTS,
    logs=PATHS.logs,
    benchmarks=PATHS.benchmarks,


include: "rules/corpus.smk"
include: "rules/data.smk"
include: "rules/plain.smk"
include: "rules/space.smk"
include: "rules/train.smk"
include: "rules/search.smk"
include: "rules/hierarchy.smk"
include: "rules/outcome.smk"
include: "rules/evidence.smk"
include: "rules/report.smk"


rule all:
    """The search, its best model trained longer, and the report on both."""
    default_target: True
    input:
        PATHS.page.at(page="report"),


rule comparison:
    """All searches that the configuration compares, and a page that sets them side by side."""
    input:
        PATHS.page.at(page="comparison"),


onstart:
    try:
        if not workflow.local_exec:
            check_folder_name(ROOT)
            check_folder_name(Path.cwd())
        acquire(RESULTS_ON_DISK)
    except UsageError as error:
        raise WorkflowError(str(error)) from None


onsuccess:
    release(RESULTS_ON_DISK, os.getpid())


onerror:
    release(RESULTS_ON_DISK, os.getpid())
