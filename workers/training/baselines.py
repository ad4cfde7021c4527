"""What counting alone reaches: unigram and bigram models of the tokens that were trained on, in nats per token.

Only pairs that the held-out text asks about are counted, so memory does not grow with the training text. The bigram is
interpolated with the unigram by a Dirichlet prior (MacKay and Peto 1995) whose weight is the best one for the held-out
text itself: the strongest bigram of its kind, so that a model below it has learnt more than pairs.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
PRIOR_WEIGHTS = tuple(float(2**power) for power in range(-2, 15))


def count_losses(
    training: Iterable[tuple[Ints, Ints]], heldout: tuple[Ints, Ints], vocab_size: int
) -> tuple[float, float]:
    """Held-out loss of the unigram and of the bigram, in nats per token.

    `training` yields pieces (contexts, targets) of equal shape, `heldout` is one such pair: target i follows context i.
    """
    contexts, targets = (part.reshape(-1) for part in heldout)
    asked, place = np.unique(contexts * vocab_size + targets, return_inverse=True)
    pair_counts = np.zeros(len(asked), np.int64)
    token_counts, context_counts = np.zeros(vocab_size, np.int64), np.zeros(vocab_size, np.int64)
    for before, after in training:
        token_counts += np.bincount(after.reshape(-1), minlength=vocab_size)
        context_counts += np.bincount(before.reshape(-1), minlength=vocab_size)
        codes = before.reshape(-1) * vocab_size + after.reshape(-1)
        found = np.minimum(np.searchsorted(asked, codes), len(asked) - 1)
        pair_counts += np.bincount(found[asked[found] == codes], minlength=len(asked))
    unigram = (token_counts + 1) / (token_counts.sum() + vocab_size)
    unigram_loss = -float(np.log(unigram[targets]).mean())
    bigram_loss = min(
        -float(np.log((pair_counts[place] + weight * unigram[targets]) / (context_counts[contexts] + weight)).mean())
        for weight in PRIOR_WEIGHTS
    )
    return unigram_loss, bigram_loss
