"""Revision of each stage. Raise a stage's number when its results would come out different.

Snakemake reruns a job when a param changes, but not when the package does; these numbers stand in the params of
the rules, so that a changed algorithm reruns its stage by a deliberate act and a corrected comment reruns nothing.
"""

REVISION = {
    "library": 2,
    "costs": 1,
    "corpus": 1,
    "tokenizer": 1,
    "tasks": 2,
    "plain": 1,
    "pretrain": 1,
    "transfer": 1,
    "finetune": 3,
    "glue": 2,
    "propose": 3,
    "observe": 1,
    "confirm": 1,
    "rank": 1,
    "speed": 1,
    "evidence": 1,
    "report": 2,
}
