"""Seconds of one proposal on one core, for pools of models' size and embedding.

    OMP_NUM_THREADS=1 python tests/benchmarks/search_speed.py --method boshnas

Prints wall and processor seconds; on a busy machine only the latter say something.
"""

import argparse
import time

import numpy as np

from flexibert.search.interface import Observations, Pool
from flexibert.search.methods import method_named
from flexibert.space.architecture import Architecture

DIMENSIONS = 64  # of a table's embedding; a library has 16
FEATURES = 60  # one-hot columns of models with up to four layers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--method", default="boshnas")
    parser.add_argument("--candidates", type=int, nargs="+", default=[9312, 100_000])
    parser.add_argument("--observations", type=int, nargs="+", default=[60, 200])
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    print("candidates  observations  batch  wall s  processor s")
    for candidates in options.candidates:
        generator = np.random.default_rng(0)
        points = generator.normal(size=(candidates, DIMENSIONS))
        features = (generator.random((candidates, FEATURES)) < 0.3).astype(float)
        ids, models = [str(k) for k in range(candidates)], [Architecture(())] * candidates
        pool = Pool(ids, points, features, np.arange(candidates), architectures=models)
        scores = points[:, 0] + generator.normal(0, 0.3, candidates)
        for observed in options.observations:
            rows = generator.permutation(candidates)[:observed]
            for batch in options.batch:
                wall, processor = [], []
                for _ in range(options.repeats):
                    start, start_processor = time.perf_counter(), time.process_time()
                    method_named(options.method).propose(Observations(rows, scores[rows]), pool, batch, 0)
                    wall.append(time.perf_counter() - start)
                    processor.append(time.process_time() - start_processor)
                print(f"{candidates:10d}  {observed:12d}  {batch:5d}  {min(wall):6.3f}  {min(processor):11.3f}")


if __name__ == "__main__":
    main()
