"""Speed of one training step against Hugging Face's BERT and ModernBERT of equal size, in one run.

    OMP_NUM_THREADS=1 python tests/benchmarks/encoder_speed.py
    python tests/benchmarks/encoder_speed.py --device cuda --batch 256 --length 512 --bfloat16 --compile

A step is forward and backward of masked-language modelling in training mode, 15 % of the tokens predicted, vocabulary
50,265. The models take turns, and on the CPU their own processor time is counted, so that other programs on the machine
weigh little; times are medians. MFU: model FLOPs (three times the forward pass's) over the peak of the GPU's maker.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertForMaskedLM, ModernBertConfig, ModernBertForMaskedLM

from flexibert.encoder.cost import flops_per_token
from flexibert.encoder.named import NAMED_MODELS
from flexibert.encoder.network import MaskedLanguageModel
from flexibert.encoder.settings import EncoderSettings

VOCABULARY, POSITIONS, MASK_RATE = 50_265, 514, 0.15
GATED_WIDTH = 680  # a gated feed-forward layer of 3 x 256 x 680 weights is as large as 2 x 256 x 1024
WARM_UP = 1  # turns that are not counted
PEAK_FLOPS = {"NVIDIA H100": 989e12, "NVIDIA H200": 989e12, "NVIDIA A100": 312e12}  # dense bf16, makers' data sheets


def ours(name: str, dropout: float) -> nn.Module:
    settings = EncoderSettings(NAMED_MODELS[name], vocab_size=VOCABULARY, max_positions=POSITIONS, dropout=dropout)
    return MaskedLanguageModel(settings)


def bert(dropout: float) -> nn.Module:
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=256,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=1024,
        max_position_embeddings=POSITIONS,
        type_vocab_size=1,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        attn_implementation="sdpa",
    )
    return BertForMaskedLM(config)


def modernbert(dropout: float) -> nn.Module:
    config = ModernBertConfig(
        vocab_size=VOCABULARY,
        hidden_size=256,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=GATED_WIDTH,
        max_position_embeddings=POSITIONS,
        embedding_dropout=dropout,
        attention_dropout=dropout,
        mlp_dropout=dropout,
        sparse_prediction=True,
        attn_implementation="sdpa",
        pad_token_id=1,
    )
    return ModernBertForMaskedLM(config)


def models() -> dict[str, Callable[[], nn.Module]]:
    return {
        "HF BERT-Mini, dropout 0.1": lambda: bert(0.1),
        "HF BERT-Mini, dropout 0": lambda: bert(0.0),
        "ModernBERT-Mini sparse, dropout 0.1": lambda: modernbert(0.1),
        "ModernBERT-Mini sparse, dropout 0": lambda: modernbert(0.0),
        "BERT-Mini, dropout 0.1": lambda: ours("BERT-Mini", 0.1),
        "BERT-Mini, dropout 0": lambda: ours("BERT-Mini", 0.0),
        "FlexiBERT-Mini, dropout 0.1": lambda: ours("FlexiBERT-Mini", 0.1),
        "FlexiBERT-Mini, dropout 0": lambda: ours("FlexiBERT-Mini", 0.0),
        "ConvBERT-Mini, dropout 0.1": lambda: ours("ConvBERT-Mini", 0.1),
        "FNet-Mini, dropout 0.1": lambda: ours("FNet-Mini", 0.1),
    }


def step(model: nn.Module, ids: Tensor, mask: Tensor, labels: Tensor, bfloat16: bool) -> float:
    device = ids.device.type
    clock = time.perf_counter if device == "cuda" else time.process_time
    start = clock()
    with torch.autocast(device, torch.bfloat16, enabled=bfloat16):
        loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
    loss.backward()
    if device == "cuda":
        torch.cuda.synchronize()
    seconds = clock() - start
    for parameter in model.parameters():
        parameter.grad = None
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", default="", help="models whose name contains this")
    parser.add_argument("--bfloat16", action="store_true")
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()

    torch.manual_seed(0)
    shape = (options.batch, options.length)
    ids = torch.randint(5, VOCABULARY, shape, device=options.device)
    mask = torch.ones_like(ids)
    labels = torch.where(torch.rand(shape, device=options.device) < MASK_RATE, ids, -100)
    built = {name: make().to(options.device).train() for name, make in models().items() if options.only in name}
    run = {name: torch.compile(model) if options.compile else model for name, model in built.items()}
    seconds: dict[str, list[float]] = {name: [] for name in run}
    for turn in range(options.repeats + WARM_UP):
        for name, model in run.items():
            taken = step(model, ids, mask, labels, options.bfloat16)
            if turn >= WARM_UP:
                seconds[name].append(taken)

    medians = {name: statistics.median(values) for name, values in seconds.items()}
    device = torch.cuda.get_device_name() if options.device == "cuda" else f"{torch.get_num_threads()} CPU thread(s)"
    print(f"{device}; {shape[0]} x {shape[1]} tokens; torch {torch.__version__}; {options}")
    print("| model | parameters | ms a step | tokens/s | against HF BERT | against ModernBERT | MFU |")
    print("|---|---|---|---|---|---|---|")
    for name, median in medians.items():
        size = sum(parameter.numel() for parameter in built[name].parameters())
        dropout = name.split("dropout ")[1]
        against = [
            f"{medians[other] / median:.2f}" if (other := f"{base}, dropout {dropout}") in medians else ""
            for base in ("HF BERT-Mini", "ModernBERT-Mini sparse")
        ]
        used = _utilisation(name, median, shape, int((labels >= 0).sum()), device)
        print(
            f"| {name} | {size:,} | {1000 * median:.1f} | {shape[0] * shape[1] / median:,.0f} | "
            f"{against[0]} | {against[1]} | {used} |"
        )


def _utilisation(name: str, seconds: float, shape: tuple[int, int], predicted: int, device: str) -> str:
    """Model FLOPs (three times the forward pass's, the decoder at predicted positions) over the device's peak."""
    peak = next((flops for known, flops in PEAK_FLOPS.items() if device.startswith(known)), None)
    architecture = NAMED_MODELS.get(name.split(",")[0])
    if peak is None or architecture is None:
        return ""
    hidden = architecture.layers[-1].hidden
    forward = shape[0] * shape[1] * flops_per_token(architecture, shape[1]) + 2 * predicted * hidden * VOCABULARY
    return f"{3 * forward / seconds / peak:.1%}"


if __name__ == "__main__":
    main()
