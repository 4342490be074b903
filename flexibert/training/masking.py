"""Which tokens a masked language model must predict (Devlin et al., 2019, section 3.1), drawn anew for every step."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from flexibert.encoder.loss import IGNORED

MASKED, REPLACED = 0.8, 0.1  # of the chosen tokens; the rest stay as they are


@dataclass(frozen=True)
class Masker:
    """Dynamic masking (Liu et al., 2019): a sequence is masked differently whenever it is seen.

    Attributes:
        rate: Share of the ordinary tokens that are chosen for prediction; in (0, 1).
        vocabulary: Number of tokens; replacements are drawn from all of them.
        mask_id: The mask token.
        special_ids: Tokens that are never chosen (padding, start, end, mask ...).
    """

    rate: float
    vocabulary: int
    mask_id: int
    special_ids: Collection[int]

    def __call__(self, tokens: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and labels of a batch.

        Args:
            tokens: Token ids; shape (batch, length).
            seed: Decides everything.

        Returns:
            Inputs: of the chosen tokens 80 % are the mask token, 10 % any token, 10 % unchanged; labels: the chosen
            tokens, -100 elsewhere; both int64 of shape (batch, length).
        """
        generator = np.random.default_rng(seed)
        tokens = tokens.astype(np.int64)
        ordinary = np.ones(self.vocabulary, dtype=bool)
        ordinary[list(self.special_ids)] = False
        chosen = (generator.random(tokens.shape, dtype=np.float32) < self.rate) & ordinary[tokens]
        labels = np.where(chosen, tokens, IGNORED)
        dice = generator.random(tokens.shape, dtype=np.float32)
        random_tokens = generator.integers(0, self.vocabulary, tokens.shape)
        inputs = np.where(chosen & (dice < MASKED), self.mask_id, tokens)
        inputs = np.where(chosen & (dice >= MASKED) & (dice < MASKED + REPLACED), random_tokens, inputs)
        return inputs, labels
