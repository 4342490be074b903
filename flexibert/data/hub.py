"""What can go wrong between here and the Hugging Face hub, told in one sentence with the remedy."""

from collections.abc import Iterator
from contextlib import contextmanager

from flexibert.errors import CorpusError


@contextmanager
def hub_problems(where: str, name: str) -> Iterator[None]:
    """Turn what can go wrong between here and the hub into one sentence with the remedy."""
    try:
        yield
    except CorpusError:
        raise
    except Exception as error:
        if not _is_of_hub(error):
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CorpusError(
            f"{where}: '{name}' cannot be read from the Hugging Face hub ({reason}); run this step where the hub can "
            "be reached, or copy the files into a folder and use it instead (source or kind `folder`)"
        ) from None


def _is_of_hub(error: Exception) -> bool:
    """Whether an exception tells of the network or of a missing repository, not of a bug."""
    modules = ("huggingface_hub", "datasets", "httpx", "requests", "urllib3", "fsspec", "aiohttp", "httpcore")
    if type(error).__module__.split(".")[0] in modules or isinstance(error, (OSError, EOFError)):
        return True
    return isinstance(error, (RuntimeError, ValueError)) and any(
        word in str(error).lower()
        for word in ("hub", "config", "client has been closed", "couldn't find", "offline", "dataset scripts")
    )
