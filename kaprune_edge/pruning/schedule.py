"""How the sparsity rises during training."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Schedule(BaseModel):
    """Gradual pruning at equal intervals, then training at a fixed mask.

    The cubic course is Zhu and Gupta, "To prune, or not to prune" (2017), equation 1, from zero. Each
    interval begins with pruning to the sparsity that the course has at its end, so that the first one
    begins the training and every one is followed by steps to recover in.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    course: Literal["cubic", "linear"] = Field("cubic", description="how the sparsity rises")
    pruning_steps: int = Field(1, ge=1, description="times that the masks are drawn anew")
    fixed_share: float = Field(0.3, ge=0, lt=1, description="last share of the training, at a fixed mask")

    def share(self, step: int, total_steps: int) -> float | None:
        """Tell how much of the final sparsity to prune to before a training step.

        Args:
            step: Training steps done, from 0.
            total_steps: Training steps in all.

        Returns:
            A share of the final sparsity, or None where the masks stay as they are.
        """
        done = self._progress(step, total_steps)
        if step and done == self._progress(step - 1, total_steps):
            return None
        return 1 - (1 - done) ** 3 if self.course == "cubic" else done

    def is_settled(self, step: int, total_steps: int) -> bool:
        """Tell whether the masks of a training step are the last; parameters as of `share`."""
        return self._progress(step, total_steps) == 1

    def _progress(self, step: int, total_steps: int) -> float:
        """Share of the course that a training step has behind it or ends."""
        ramp = max(1, round((1 - self.fixed_share) * total_steps))
        intervals = min(self.pruning_steps, ramp)
        return min(step * intervals // ramp + 1, intervals) / intervals
