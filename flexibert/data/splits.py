"""What text and labelled rows are for: to train on, or held out to judge by."""

SPLITS = ("train", "validation")  # of all text and of the files of a task; see `task_splits` for its test rows


def split_of(key: int, validation: float) -> str:
    """Split of the document whose words hash to `key`; a share `validation` of all keys is held out."""
    return "validation" if (key * 0x9E3779B97F4A7C15 % 2**64) < validation * 2**64 else "train"
