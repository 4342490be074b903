"""What it costs that a result does not depend on its batch: one layer's step with and without it.

    OMP_NUM_THREADS=1 python tests/benchmarks/encoder_padding.py

Forward and backward of one layer of hidden size 256, 4 heads, feed-forward 1,024, on 32 x 128 tokens, a quarter of them
padding. "padding seen" is the released code's behaviour (`paper_padding`). Processor time, medians of turns.
"""

import statistics
import time

import torch

from flexibert.encoder.named import alike
from flexibert.encoder.network import Encoder
from flexibert.encoder.settings import EncoderSettings
from flexibert.space.architecture import Architecture

OPERATIONS = [("sa", "sdp"), ("sa", "wma"), ("l", "dft"), ("l", "dct"), ("c", 5), ("c", 9)]
BATCH, LENGTH, TURNS = 32, 128, 7


def main() -> None:
    torch.manual_seed(0)
    ids = torch.randint(0, 100, (BATCH, LENGTH))
    mask = torch.arange(LENGTH) < torch.randint(LENGTH // 2, LENGTH + 1, (BATCH, 1))
    print(f"{torch.get_num_threads()} CPU thread(s); torch {torch.__version__}")
    print("| operation | padding seen, ms | independent of the batch, ms | cost |")
    print("|---|---|---|---|")
    for operation, parameter in OPERATIONS:
        model = Architecture(alike(1, operation, parameter, 256, 4, 1024))
        encoders = {
            paper: Encoder(EncoderSettings(model, vocab_size=100, max_positions=128, paper_padding=paper))
            for paper in (True, False)
        }
        seconds: dict[bool, list[float]] = {True: [], False: []}
        for turn in range(TURNS + 1):
            for paper, encoder in encoders.items():
                start = time.process_time()
                encoder(ids, mask)[-1].sum().backward()
                if turn:
                    seconds[paper].append(time.process_time() - start)
        seen, apart = (1000 * statistics.median(seconds[paper]) for paper in (True, False))
        print(f"| {operation}/{parameter} | {seen:.0f} | {apart:.0f} | {apart / seen - 1:+.1%} |", flush=True)


if __name__ == "__main__":
    main()
