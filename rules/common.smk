"""Settings, wildcards and the few functions that more than one rule file uses."""

from flexibert.config import read_yaml, search_settings, training_settings
from flexibert.data.tasks import hub_source, tasks_of
from flexibert.errors import UsageError
from flexibert.files import read_json
from flexibert.layout import PARTS, Layout, round_name
from flexibert.preflight import changes_since, check_experiment, check_folder_name, check_typed, lasting, space_path
from flexibert.results_lock import acquire, check_results_folder, release
from flexibert.run_index import RunIndex
from flexibert.runs import PRETRAINED, Recipe, RecipeKind, recipe_pattern
from flexibert.seeds import derive_seed
from flexibert.settings import SuiteSettings
from flexibert.stages import REVISION


def repository():
    """Folder of this repository, whoever includes its Snakefile.

    Of a module on a git host Snakemake keeps copies of the files that are asked for, in the layout of the repository.
    """
    here = workflow.current_basedir
    if isinstance(here, os.PathLike):
        return Path(os.path.normpath(here)).parent
    defaults = ["workflow/schemas/config.schema.yaml", "config/spaces/default.yaml", "config/config.yaml"]
    return [Path(workflow.source_path(f"../{path}")) for path in defaults][-1].parents[1]


ROOT = repository()

try:
    if typed := check_typed(workflow.config_settings.config):
        raise UsageError(typed)
    if workflow.modifier.path_modifier.modifies_prefixes:
        raise UsageError("module: replace_prefix does not reach all files of this workflow; use prefix in its place")
    CFG = check_experiment(config, ROOT, whole=workflow.is_main_process)
    RESULTS = f"results/{CFG['name']}"
    RESULTS_ON_DISK = workflow.modifier.path_modifier.replace_prefix(RESULTS)  # on disk: under the prefix of a module
    check_results_folder(RESULTS_ON_DISK)
except UsageError as error:
    raise WorkflowError(str(error)) from None

config.clear()  # scripts read `jobs` from here: what never changes a result must not stand in params
config.update(CFG)

PATHS = Layout("<results>")  # for inputs and outputs: Snakemake puts the folder in
DISK = Layout(RESULTS_ON_DISK)  # for params and for what is read while the jobs are planned
SEED = CFG["seed"]
SPACE = read_yaml(space_path(CFG, ROOT))  # the content, so that an edited space is a changed param
RUNS = RunIndex(RESULTS_ON_DISK)
SOURCES = {source["name"]: source for source in CFG["corpus"]["sources"]}
TASK_SETTINGS = {key: value for key, value in CFG["tasks"].items() if key not in ("suites", "leave_out")}
SUITES = {suite["suite"]: suite for suite in CFG["tasks"]["suites"]}

if workflow.is_main_process:
    for line in changes_since(RESULTS_ON_DISK, CFG):
        logger.info(line)


wildcard_constraints:
    **PARTS,


def sources_of(manifest):
    """Names of the sources in a manifest: the search's, or all of them for the final models."""
    return [name for name, source in SOURCES.items() if manifest == "manifest-final" or not source.get("final_only")]


def is_final(recipe):
    """Whether runs of a recipe are trained at the large budget."""
    return Recipe.parse(recipe).kind == RecipeKind.FINAL


def is_tested(recipe):
    """Whether runs of a recipe are scored on the rows kept away: those that are trained after the choice."""
    chosen = Recipe.parse(recipe).kind in (RecipeKind.CONFIRM, RecipeKind.FINAL)
    return chosen and CFG["tasks"]["test_share"] > 0


def manifest_of(recipe):
    """The corpus manifest that runs of a recipe are trained on."""
    whole = is_final(recipe) and len(sources_of("manifest-final")) > len(sources_of("manifest"))
    return PATHS.manifest.at(manifest="manifest-final" if whole else "manifest")


def shard_names(source):
    """Four-digit names of a source's shards."""
    return [f"{number:04d}" for number in range(SOURCES[source].get("shards", 1))]


def suites_of(recipe):
    """Suites on which runs of a recipe are scored."""
    searched = {search_settings(CFG, name)["suite"] for name in CFG["searches"]}
    return sorted(set(CFG["final"]["suites"]) if is_final(recipe) else searched)


def tasks_of_recipe(recipe):
    """Tasks on which runs of a recipe are scored, e.g. ["glue-cola", ...]."""
    return [task for suite in suites_of(recipe) for task in tasks_of(SuiteSettings.from_mapping(SUITES[suite]))]


def run_of(model, recipe):
    """The run that a job trains, as it stands on disk: model dictionary, origin, source of its weights."""
    return RUNS.find(model, recipe).to_mapping()


def training_memory(wildcards, attempt):
    """MB of memory of a training job; grows with the attempt."""
    return min(CFG["jobs"]["memory_mb"] * attempt, CFG["jobs"]["largest_memory_mb"])


def training_minutes(wildcards, attempt):
    """Minutes of a training job; grows with the attempt, and a job that needs more still resumes its saved state."""
    return min(CFG["jobs"]["minutes"] * attempt, CFG["jobs"]["longest_minutes"])
