"""The operations that mix the tokens of a sequence: self-attention, linear transform, dynamic span convolution.

Axis names: batch, length, heads, head_size, hidden. Every operation maps a layer's input (batch, length, hidden) to
(batch, length, width), `width` being that of its group of heads. Formulas: docs/encoder.md.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from flexibert.encoder.settings import HeadGroup

LANE_VALUES = 2**16  # of one 16-bit lane of a random number


@dataclass
class Tokens:
    """What the operations know of a batch besides its hidden states; made once a forward pass.

    Attributes:
        mask: True for tokens, False for padding; shape (batch, length), or None where nothing is padded.
        visible: What convolutions may see, as `mask` with a last axis of one; None for everything.
        key_bias: Added to attention scores, 0 for tokens and very negative for padding; shape (batch, 1, 1, length),
            or None.
        bases: Sequence axis of each transform in use (`sequence_basis`).
        fused: Whether PyTorch's fused attention is used where the operation allows it.
    """

    mask: Tensor | None
    visible: Tensor | None
    key_bias: Tensor | None
    bases: dict[str, tuple[Tensor, ...]]
    fused: bool


def cosine_angles(rows: Tensor, columns: Tensor, period: Tensor | int, dtype: torch.dtype) -> Tensor:
    """2 pi * rows * columns / period, reduced to one turn in whole numbers, which keeps float32 exact.

    Args:
        rows, columns: Whole numbers; shapes (..., rows, 1) and (..., 1, columns).
        period: Positive whole numbers that broadcast with them.
    """
    turns = (rows * columns % period).to(dtype) / (period if isinstance(period, int) else period.to(dtype))
    return turns * (2 * math.pi)


def transform_matrices(
    kind: str, rows: Tensor, columns: Tensor, size: Tensor | int, dtype: torch.dtype
) -> tuple[Tensor, ...]:
    """Matrices of a one-dimensional transform over `size` points, output index by row.

    Returns:
        (cosine, sine) of the discrete Fourier transform, or the one matrix of the unnormalised DCT-II,
        2 cos(pi (2 column + 1) row / (2 size)) (scipy.fft.dct, type 2, norm None).
    """
    if kind == "dct":
        return (2 * torch.cos(cosine_angles(rows, 2 * columns + 1, 4 * size, dtype)),)
    angles = cosine_angles(rows, columns, size, dtype)
    return torch.cos(angles), torch.sin(angles)


def sequence_basis(
    kind: str, mask: Tensor | None, length: int, dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, ...]:
    """Transform over the tokens of each sequence, whatever its padding: matrices of shape (batch or 1, length, length).

    A sentence of n tokens is transformed over its own n points and rows and columns of padding are zero, so that its
    result is the same alone and in any padded batch. As products with matrices this costs as much as attention's
    product with the values, and nothing when several layers use the same transform.
    """
    if mask is None:
        index = torch.arange(length, device=device)
        return transform_matrices(kind, index[None, :, None], index[None, None, :], length, dtype)
    index = (mask.long().cumsum(-1) - 1).clamp(min=0)
    size = mask.long().sum(-1).clamp(min=1)[:, None, None]
    inside = mask[:, :, None] & mask[:, None, :]
    matrices = transform_matrices(kind, index[:, :, None], index[:, None, :], size, dtype)
    return tuple(matrix * inside for matrix in matrices)


def transform(x: Tensor, kind: str, basis: tuple[Tensor, ...]) -> Tensor:
    """Two-dimensional transform of a layer's input, over hidden and then over the sequence.

    Args:
        x: Layer input; shape (batch, length, hidden).
        kind: "dft" (real part of the unnormalised transform) or "dct" (unnormalised DCT-II).
        basis: `sequence_basis` of the batch.

    Returns:
        Shape (batch, length, hidden). The real part of the DFT is cos cos - sin sin; since column hidden - m holds
        cos cos + sin sin of column m, half of the columns are computed.
    """
    hidden = x.shape[-1]
    index = torch.arange(hidden, device=x.device)
    basis = tuple(matrix.to(x.dtype) for matrix in basis)
    if kind == "dct":
        (matrix,) = transform_matrices(kind, index[:, None], index, hidden, basis[0].dtype)
        return basis[0] @ (x @ matrix.T)
    half = hidden // 2 + 1
    cosine, sine = transform_matrices(kind, index[:, None], index[:half], hidden, basis[0].dtype)
    even, odd = basis[0] @ (x @ cosine), basis[1] @ (x @ sine)  # (batch, length, half)
    mirrored = (even + odd)[..., 1 : hidden - half + 1].flip(-1)
    return torch.cat([even - odd, mirrored], dim=-1)


class RelativePositions(nn.Module):
    """Scores of query i against the offset i - j of every key j (`relative_key`, Shaw et al. 2018, eq. 4).

    One table of 2 * max_positions - 1 vectors a layer, shared by its heads.
    """

    def __init__(self, max_positions: int, head_size: int) -> None:
        super().__init__()
        self.max_positions = max_positions
        self.weight = nn.Parameter(torch.empty(2 * max_positions - 1, head_size))

    def forward(self, query: Tensor) -> Tensor:
        """Scores of shape (batch, heads, length, length) from queries (batch, heads, length, head_size).

        All offsets are scored by one product and read diagonally through views, as in Transformer-XL (Dai et al. 2019,
        appendix B), so that no (length, length, head_size) tensor arises.
        """
        length = query.shape[-2]
        first = self.max_positions - length
        table = self.weight[first : first + 2 * length - 1].flip(0)  # column c is offset length - 1 - c
        scores = query @ table.T  # (batch, heads, length, 2 * length - 1)
        if length == 1:
            return scores
        # Row i needs columns length - 1 - i + j: one column earlier in each following row.
        flat = scores.flatten(-2)[..., length - 1 : length - 1 + length * (2 * length - 2)]
        return flat.unflatten(-1, (length, 2 * length - 2))[..., :length]


def split_heads(x: Tensor, heads: int) -> Tensor:
    """(batch, length, heads * head_size) to (batch, heads, length, head_size)."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def join_heads(x: Tensor) -> Tensor:
    """(batch, heads, length, head_size) to (batch, length, heads * head_size)."""
    return x.transpose(1, 2).flatten(2)


def drop(x: Tensor, rate: float) -> Tensor:
    """Dropout (Srivastava et al. 2014): zero a share `rate` of the entries, scale the others to keep the mean.

    On the CPU four 16-bit lanes of each random number decide on one entry each, which takes half the time of PyTorch's
    own; the rate is then a multiple of 2**-16.
    """
    if rate == 0 or x.device.type != "cpu" or torch.compiler.is_compiling():
        return functional.dropout(x, rate, rate > 0)
    dropped = round(rate * LANE_VALUES)
    numbers = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
    lanes = numbers.view(torch.int16)[: x.numel()].view(x.shape)
    kept = (lanes >= dropped - LANE_VALUES // 2).to(x.dtype).mul_(LANE_VALUES / (LANE_VALUES - dropped))
    return x * kept


class Dropout(nn.Module):
    """`drop` in training, nothing otherwise."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        return drop(x, self.rate) if self.training else x


def weigh(scores: Tensor, value: Tensor, dropout: float) -> Tensor:
    """Softmax over keys, dropout, product with the values: (batch, heads, length, head_size)."""
    return drop(scores.softmax(dim=-1), dropout) @ value


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, dropout: float, fused: bool) -> Tensor:
    """Attention whose query is scaled already (Vaswani et al. 2017, eq. 1).

    Args:
        query, key, value: Shape (batch, heads, length, head_size).
        bias: Added to the scores; broadcasts to (batch, heads, length, length).
        dropout: Rate on the attention weights.
        fused: Use PyTorch's fused kernels.
    """
    if fused:
        return functional.scaled_dot_product_attention(query, key, value, bias, dropout, scale=1.0)
    scores = query @ key.transpose(-2, -1)
    return weigh(scores if bias is None else scores + bias, value, dropout)


def add(left: Tensor | None, right: Tensor | None) -> Tensor | None:
    """Sum of those that are not None."""
    if left is None or right is None:
        return right if left is None else left
    return left + right


class Operation(nn.Module):
    """What the three operations have in common: queries, values and relative positions.

    Args:
        hidden: Width of the layer's input.
        group: The heads.
        max_positions: Longest sequence, or None for no relative positions.
        dropout: Rate on the attention weights in training.
    """

    def __init__(self, hidden: int, group: HeadGroup, max_positions: int | None, dropout: float) -> None:
        super().__init__()
        self.group, self.dropout = group, dropout
        self.heads, self.head_size = group.split
        self.query = nn.Linear(hidden, self.heads * self.head_size)
        self.value = nn.Linear(hidden, self.heads * self.head_size)
        self.relative = None if max_positions is None else RelativePositions(max_positions, self.head_size)

    def scaled_query(self, query: Tensor) -> Tensor:
        """Split a projected query and divide by sqrt(head_size), which scales content and position scores alike."""
        return split_heads(query, self.heads).contiguous() / math.sqrt(self.head_size)

    def position_bias(self, query: Tensor, tokens: Tokens) -> Tensor | None:
        """Scores that do not depend on the keys' content."""
        return add(None if self.relative is None else self.relative(query), tokens.key_bias)

    def attend(self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, tokens: Tokens) -> Tensor:
        """Attention of all heads, joined: (batch, length, heads * head_size)."""
        # On the CPU the fused kernel takes no bias for each query that learns; its substitute is the slower way.
        fused = tokens.fused and (self.relative is None or query.device.type != "cpu")
        return join_heads(attend(query, key, value, bias, self.dropout_now, fused))

    @property
    def dropout_now(self) -> float:
        """The rate, or 0 outside training."""
        return self.dropout if self.training else 0.0


class SelfAttention(Operation):
    """Scaled dot product (q k^T), or weighted multiplicative attention (q W k^T, one W for all heads)."""

    def __init__(self, hidden: int, group: HeadGroup, max_positions: int | None, dropout: float) -> None:
        super().__init__(hidden, group, max_positions, dropout)
        self.key = nn.Linear(hidden, self.heads * self.head_size)
        self.mixing = None if group.parameter == "sdp" else nn.Parameter(torch.empty(self.head_size, self.head_size))

    def forward(self, x: Tensor, tokens: Tokens, offset: int) -> Tensor:
        query = self.scaled_query(self.query(x))
        bias = self.position_bias(query, tokens)  # the relative term uses the query without W
        if self.mixing is not None:
            query = query @ self.mixing
        key, value = split_heads(self.key(x), self.heads), split_heads(self.value(x), self.heads)
        return self.attend(query, key, value, bias, tokens)


class LinearTransform(Operation):
    """Attention by position alone, plus the transform of the layer's input.

    Unlike the released code it has no key, which had no effect there. Where a layer mixes operations, the heads
    take the columns of the transform at which they stand.
    """

    def forward(self, x: Tensor, tokens: Tokens, offset: int) -> Tensor:
        value = split_heads(self.value(x), self.heads)
        scores = self.position_bias(self.scaled_query(self.query(x)), tokens) if self.relative is not None else None
        if scores is None:  # without relative positions every token weighs the same
            scores = value.new_zeros(value.shape[0], self.heads, value.shape[2], value.shape[2])
            scores = scores if tokens.key_bias is None else scores + tokens.key_bias
        context = join_heads(weigh(scores, value, self.dropout_now))
        kind = self.group.transform
        return context + transform(x, kind, tokens.bases[kind])[..., offset : offset + self.group.width]


class SpanConvolution(Operation):
    """Span-based dynamic convolution beside attention (ConvBERT, Jiang et al. 2020, section 4).

    Half of the width is attention; the other half a depthwise convolution of the values whose kernel at each position
    is made from the query there and the keys of the span around it. Padding is zero, as beyond a sentence's ends.
    """

    def __init__(self, hidden: int, group: HeadGroup, max_positions: int | None, dropout: float) -> None:
        super().__init__(hidden, group, max_positions, dropout)
        self.kernel_size, width = group.kernel_size, self.heads * self.head_size
        self.key = nn.Linear(hidden, width)
        self.span_depthwise = nn.Parameter(torch.empty(hidden, self.kernel_size))
        self.span_pointwise = nn.Linear(hidden, width)
        self.kernel = nn.Linear(width, self.heads * self.kernel_size)
        self.convolved = nn.Linear(hidden, width)

    def forward(self, x: Tensor, tokens: Tokens, offset: int) -> Tensor:
        query = self.query(x)
        scaled = self.scaled_query(query)
        key, value = split_heads(self.key(x), self.heads), split_heads(self.value(x), self.heads)
        bias = self.position_bias(scaled, tokens)
        attended = self.attend(scaled, key, value, bias, tokens)
        return torch.cat([attended, self.convolve(x, query, tokens.visible)], dim=-1)

    def convolve(self, x: Tensor, query: Tensor, visible: Tensor | None) -> Tensor:
        """The convolution half; shape (batch, length, width / 2)."""
        values = self.convolved(x)
        if visible is not None:
            x, values = x * visible, values * visible
        reach = self.kernel_size // 2
        depthwise = self.span_depthwise.unsqueeze(1)  # (hidden, 1, kernel_size)
        span = functional.conv1d(x.transpose(1, 2), depthwise, padding=reach, groups=x.shape[-1]).transpose(1, 2)
        kernel = self.kernel(self.span_pointwise(span) * query)
        kernel = kernel.unflatten(-1, (self.heads, self.kernel_size)).softmax(dim=-1)
        return join_heads(convolve_dynamically(split_heads(values, self.heads), kernel.transpose(1, 2)))


def convolve_dynamically(values: Tensor, kernel: Tensor) -> Tensor:
    """Convolution with a kernel of its own at each position, the same for all channels of a head.

    Args:
        values: Shape (batch, heads, length, head_size); zero beyond both ends.
        kernel: Shape (batch, heads, length, kernel_size), kernel_size odd.

    Returns:
        Sum over t of kernel[..., i, t] * values[..., i + t - kernel_size // 2, :], in the shape of `values`. The
        kernels are laid on the diagonals of a matrix, so that one product does it.
    """
    length, size = kernel.shape[-2:]
    width = length + size - 1
    # Rows one wider than the matrix's own: read with `width` columns, each row begins one column later.
    rows = functional.pad(kernel, (0, width + 1 - size)).flatten(-2)[..., : length * width]
    padded = functional.pad(values, (0, 0, size // 2, size // 2))
    return rows.unflatten(-1, (length, width)) @ padded


OPERATIONS = {"sa": SelfAttention, "l": LinearTransform, "c": SpanConvolution}
