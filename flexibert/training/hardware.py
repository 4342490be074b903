"""What a training job runs on: device, threads, processes, precision, and what it has cost."""

import ctypes
import os
import resource
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from flexibert.errors import ConfigError
from flexibert.settings import JobsSettings, Precision


@dataclass(frozen=True)
class Hardware:
    """The device of this process and its place among the processes of the job.

    Attributes:
        device: Where the network lives.
        precision: "float32" or "bfloat16" (autocast; weights and optimiser stay in float32).
        threads: CPU threads of this process.
        rank: This process's number, from 0; only process 0 writes files.
        processes: Processes that share each optimiser step.
    """

    device: torch.device
    precision: Precision
    threads: int
    rank: int = 0
    processes: int = 1

    @classmethod
    def from_settings(cls, jobs: JobsSettings, precision: Precision) -> "Hardware":
        """Set this process up as the `jobs` section of the configuration says.

        Under torchrun, rank and number of processes come from its environment.

        Raises:
            ConfigError: A GPU is asked for and there is none, or fewer than processes.
        """
        rank, local_rank = int(os.environ.get("RANK", 0)), int(os.environ.get("LOCAL_RANK", 0))
        processes, local_processes = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("LOCAL_WORLD_SIZE", 1))
        gpus = torch.cuda.device_count() if jobs.device != "cpu" else 0
        if jobs.device == "cuda" and gpus == 0:
            raise ConfigError("jobs.device: cuda is asked for, but torch sees no GPU here; use auto or cpu")
        if 0 < gpus < local_processes:
            raise ConfigError(
                f"pretrain.devices: {local_processes} processes share {gpus} GPUs; ask for at most {gpus}"
            )
        torch.set_num_threads(jobs.threads)
        device = torch.device("cuda", local_rank) if gpus else torch.device("cpu")
        if gpus:
            torch.cuda.set_device(device)
            _deterministic_cuda()
        return cls(device, precision, jobs.threads, rank, processes)

    @property
    def leads(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    @property
    def name(self) -> str:
        """The device in words, for people."""
        return torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "cpu"

    def autocast(self) -> AbstractContextManager[Any]:
        """Context in which the network's forward pass runs at the job's precision."""
        if self.precision == "bfloat16":
            return torch.autocast(self.device.type, dtype=torch.bfloat16)
        return nullcontext()

    def peak_memory_mb(self) -> float:
        """Largest memory held so far in MB (10^6 bytes): of the GPU where there is one, else of the process."""
        if self.device.type == "cuda":
            return round(torch.cuda.max_memory_allocated(self.device) / 1e6, 1)
        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1)


@contextmanager
def process_group(hardware: Hardware) -> Iterator[None]:
    """Connect the processes of a job for the time of the context; nothing where there is one process."""
    if hardware.processes == 1:
        yield
        return
    import torch.distributed as distributed

    distributed.init_process_group("nccl" if hardware.device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def _deterministic_cuda() -> None:
    """Ask for kernels that add in a fixed order; an operation that has none runs as it is."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    # A property of the module, which torch does not declare.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False


class CostMeter:
    """Seconds and energy of a job, carried over from the parts that ran before a resume.

    Energy is the GPU's own counter (NVML), for as long as this job runs on it; None where the device does not tell.
    """

    def __init__(self, hardware: Hardware, seconds: float = 0.0, joules: float | None = None) -> None:
        self.hardware = hardware
        self._seconds, self._joules = seconds, joules
        self._start = time.monotonic()
        self._counter = _EnergyCounter(hardware.device) if hardware.device.type == "cuda" else None
        self._start_joules = self._counter.joules() if self._counter else None

    def seconds(self) -> float:
        """Wall seconds of all parts of the job."""
        return self._seconds + time.monotonic() - self._start

    def joules(self) -> float | None:
        """Energy of all parts of the job, all its devices being taken as equal to the first."""
        now = self._counter.joules() if self._counter else None
        if now is None or self._start_joules is None:
            return self._joules
        return (self._joules or 0.0) + (now - self._start_joules) * self.hardware.processes

    def card(self, tokens: int) -> dict[str, Any]:
        """Content of cost.json for a job that has read `tokens` tokens."""
        seconds, joules = self.seconds(), self.joules()
        return {
            "seconds": round(seconds, 3),
            "tokens_per_second": round(tokens / max(seconds, 1e-9), 1),
            "device": self.hardware.name,
            "devices": self.hardware.processes,
            "threads": self.hardware.threads,
            "peak_memory_mb": self.hardware.peak_memory_mb(),
            "energy_joules": None if joules is None else round(joules, 1),
        }


class _EnergyCounter:
    """Total energy of one GPU since its driver was loaded, from NVML (`nvmlDeviceGetTotalEnergyConsumption`, in mJ)."""

    def __init__(self, device: torch.device) -> None:
        self._handle = ctypes.c_void_p()
        self._library = None
        try:
            library = ctypes.CDLL("libnvidia-ml.so.1")
        except OSError:
            return
        # NVML counts all GPUs of the machine, CUDA only the visible ones: the UUID is common to both.
        name = "GPU-" + str(torch.cuda.get_device_properties(device).uuid).removeprefix("GPU-")
        if (
            library.nvmlInit_v2() == 0
            and library.nvmlDeviceGetHandleByUUID(name.encode(), ctypes.byref(self._handle)) == 0
        ):
            self._library = library

    def joules(self) -> float | None:
        """Energy so far, or None where the driver does not tell."""
        millijoules = ctypes.c_ulonglong()
        if self._library is None:
            return None
        if self._library.nvmlDeviceGetTotalEnergyConsumption(self._handle, ctypes.byref(millijoules)) != 0:
            return None
        return millijoules.value / 1000.0
