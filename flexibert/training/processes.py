"""A training shared by several processes of one machine, one GPU each: torchrun starts them, this waits for them."""

import importlib
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from flexibert.errors import ConfigError, UsageError
from flexibert.training.job import PretrainJob

logger = logging.getLogger(__name__)


def needs_launch(processes: int) -> bool:
    """Whether this process stands outside of the `processes` that are to do the work."""
    return processes > 1 and "TORCHELASTIC_RUN_ID" not in os.environ


def run_processes(function: str, job: PretrainJob, **further: Any) -> None:
    """Call a function in as many connected processes as a job has devices, and pass on what they say.

    Args:
        function: "module:name", called with the job and `further`.
        job: The job.
        further: Arguments that JSON can hold.

    Raises:
        ConfigError: Fewer GPUs than processes.
        RuntimeError: A process has failed; its own words stand above in the log.
    """
    processes = job.settings.devices
    gpus = torch.cuda.device_count() if job.jobs.device != "cpu" else 0
    if 0 < gpus < processes:
        raise ConfigError(f"pretrain.devices: {processes} asked for, but this machine has {gpus} GPUs; ask for {gpus}")
    with TemporaryDirectory() as folder:
        call = Path(folder) / "call.json"
        call.write_text(json.dumps({"function": function, "job": job.to_mapping(), "further": further}))
        torchrun = ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
        command = [sys.executable, "-m", *torchrun, "-m", "flexibert.training.processes", str(call)]
        environment = os.environ | {"OMP_NUM_THREADS": str(job.jobs.threads)}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        ) as started:
            assert started.stdout is not None  # a pipe, as asked for
            try:
                for line in started.stdout:
                    logger.info("%s", line.rstrip())
            except BaseException:
                started.terminate()  # torchrun ends its processes
                raise
    if started.returncode != 0:
        raise RuntimeError(f"training on {processes} processes ended with exit code {started.returncode}; see above")


def _main(path: str) -> int:
    """Do the call that `run_processes` has written down, as one of its processes."""
    logging.basicConfig(level=logging.INFO if os.environ["RANK"] == "0" else logging.WARNING, format="%(message)s")
    call = json.loads(Path(path).read_text())
    module, name = call["function"].split(":")
    try:
        getattr(importlib.import_module(module), name)(PretrainJob.from_mapping(call["job"]), **call["further"])
    except UsageError as error:
        logger.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(_main(sys.argv[1]))
