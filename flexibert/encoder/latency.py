"""One measurement in a process of its own, so that peak memory means this model's alone: JSON in, JSON out.

Started by `cost.measure_latency`.
"""

import json
import platform
import resource
import statistics
import sys
import time
from typing import Any

import torch

from flexibert.encoder.network import Encoder
from flexibert.encoder.settings import EncoderSettings

WARM_UP = 3  # passes that fill caches and choose kernels


def measure(request: dict[str, Any]) -> dict[str, Any]:
    """See `cost.measure_latency`."""
    torch.set_num_threads(request["threads"])
    device = torch.device(request["device"])
    torch.zeros(1, device=device)  # the libraries' own memory is not the model's
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    settings = EncoderSettings.from_config(request["config"])
    model = Encoder(settings).eval().to(device)
    ids = torch.zeros(request["batch"], request["length"], dtype=torch.long, device=device)
    seconds = []
    with torch.inference_mode():
        for _ in range(WARM_UP + request["repeats"]):
            start = time.perf_counter()
            model(ids)
            if device.type == "cuda":
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - start)
    timed = sorted(seconds[WARM_UP:])
    median = statistics.median(timed)
    if device.type == "cuda":
        memory, name = torch.cuda.max_memory_allocated() / 2**20, torch.cuda.get_device_name()
    else:
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        memory, name = (after - before) / 2**10, platform.processor() or platform.machine()
    return {
        "latency_ms": round(1000 * median, 3),
        "latency_ms_p90": round(1000 * timed[min(len(timed) - 1, int(0.9 * len(timed)))], 3),
        "tokens_per_second": round(request["batch"] * request["length"] / median, 1),
        "peak_memory_mb": round(memory, 1),
        "device": name,
        "threads": request["threads"],
    }


if __name__ == "__main__":
    print(json.dumps(measure(json.load(sys.stdin))))
