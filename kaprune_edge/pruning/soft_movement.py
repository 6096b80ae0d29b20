"""Movement pruning with one threshold for all matrices: Sanh et al., "Movement Pruning" (NeurIPS 2020)."""

from collections import defaultdict
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from kaprune_edge.pruning.movement import Movement
from kaprune_edge.sparsity.patterns import Blocks, Pattern

LEARNING_RATE = 1e-2
REGULARIZATION = 100.0
"""Weight of the mean of the scores' sigmoids in the loss."""


class SoftMovement(Movement):
    """Keeps what a threshold on the scores keeps, the same for all matrices; section 4.

    The scores are learnt by Adam at a rate of their own, and the sum of their sigmoids, which the loss
    takes in, draws them down. The threshold is where the share asked for lies over all matrices together,
    instead of a constant that leaves the share to chance; an N:M pattern fixes each matrix's own.
    """

    @torch.no_grad()
    def observe(self, matrices: Mapping[str, nn.Parameter]) -> None:
        """Step the scores; see `Criterion.observe`."""
        if not self._scores:
            self.load({f"score:{name}": torch.zeros_like(weight) for name, weight in matrices.items()})
        total = sum(weight.numel() for weight in matrices.values())
        for name, weight in matrices.items():
            score, gradient = self._scores[name], weight.grad
            assert gradient is not None
            sigmoid = score.sigmoid()
            slope = sigmoid.addcmul_(sigmoid, sigmoid, value=-1)
            score.grad = slope.mul_(REGULARIZATION / total).addcmul_(gradient, weight + self._removed[name])
        self._optimizer.step()

    def state(self) -> dict[str, Tensor]:
        """See `Criterion.state`."""
        moments = {
            f"{part}:{name}": value
            for name, score in self._scores.items()
            for part, value in self._optimizer.state[score].items()
        }
        return {name: value.detach() for name, value in {**super().state(), **moments}.items()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """See `Criterion.load`."""
        parts: dict[str, dict[str, Tensor]] = defaultdict(dict)
        for key, value in state.items():
            part, _, name = key.partition(":")
            parts[name][part] = value
        for name, own in parts.items():
            if "removed" in own:
                self._removed[name] = own.pop("removed")
            if "score" in own:
                self._scores[name] = nn.Parameter(own.pop("score"))
        if self._scores:
            self._optimizer = torch.optim.Adam(self._scores.values(), LEARNING_RATE, fused=True)
            self._optimizer.state.update({self._scores[name]: own for name, own in parts.items() if own})

    def _choose(
        self, scores: Mapping[str, Tensor], pattern: Pattern, sparsity: Mapping[str, float]
    ) -> dict[str, Tensor]:
        if isinstance(pattern, Blocks):
            sparsity = common_threshold(scores, pattern, sparsity)
        return super()._choose(scores, pattern, sparsity)


def common_threshold(
    scores: Mapping[str, Tensor], pattern: Blocks, sparsity: Mapping[str, float]
) -> dict[str, float]:
    """Find each matrix's share of the blocks that go when those of all matrices are ranked together.

    Args:
        scores: Name -> importance of the weights, [out_features, in_features].
        pattern: Whose blocks rank by the sum of their scores.
        sparsity: Name -> share of a matrix's weights; as many go in all.

    Returns:
        Name -> share of the weights to remove; every matrix keeps a block.
    """
    ranked = {name: pattern.blocked(score).sum(dim=-1).flatten() for name, score in scores.items()}
    kept = round(sum((1 - sparsity[name]) * blocks.numel() for name, blocks in ranked.items()))
    together = torch.cat([*ranked.values()])
    stays = torch.zeros_like(together).index_fill_(0, together.topk(kept).indices, 1)
    counts = [max(1, int(own.sum())) for own in stays.split([blocks.numel() for blocks in ranked.values()])]
    return {
        name: 1 - count / blocks.numel() for (name, blocks), count in zip(ranked.items(), counts, strict=True)
    }
