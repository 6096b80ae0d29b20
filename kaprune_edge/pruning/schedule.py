"""How the sparsity rises during training."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Schedule(BaseModel):
    """Gradual pruning in equal intervals, then training at a fixed mask.

    The cubic course is Zhu and Gupta, "To prune, or not to prune" (2017), equation 1, from zero; one
    hundred pruning steps are those of Xu et al. (2021).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    course: Literal["cubic", "linear"] = Field("cubic", description="how the sparsity rises")
    pruning_steps: int = Field(100, ge=1, description="times that the masks are drawn anew")
    fixed_share: float = Field(0.3, ge=0, lt=1, description="last share of the training, at a fixed mask")

    def sparsity(self, step: int, total_steps: int, final: float) -> float | None:
        """Tell the sparsity to prune to after a training step.

        Args:
            step: Training steps done, from 1.
            total_steps: Training steps in all.
            final: Sparsity to end with.

        Returns:
            The new sparsity, or None where the masks stay as they are.
        """
        ramp = max(1, round((1 - self.fixed_share) * total_steps))
        done = min(step, ramp) * self.pruning_steps // ramp
        if step > ramp or done == (step - 1) * self.pruning_steps // ramp:
            return None
        progress = done / self.pruning_steps
        return final * (1 - (1 - progress) ** 3) if self.course == "cubic" else final * progress
