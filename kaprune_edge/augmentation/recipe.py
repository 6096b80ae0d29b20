"""What an augmentation is to do, as data."""

from pydantic import BaseModel, ConfigDict, Field

from kaprune_edge.tasks.columns import USUAL, Columns


class AugmentRecipe(BaseModel):
    """Which rows to copy, how often, and what words come from. Defaults: TinyBERT's N_a and p_t."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str = Field(description="such as glue/sst2, glue/mrpc:DIR, csv:train.csv,eval.csv")
    columns: Columns = Field(
        USUAL, description="of the task's files, where their names are not the usual ones"
    )
    model: str = Field(description="checkpoint that words come from: hub id or folder")
    copies: int = Field(20, ge=1, description="augmented copies of each training row")
    replaced_share: float = Field(0.4, gt=0, le=1, description="words that a copy replaces, of all; p_t")
    train_rows: int | None = Field(None, ge=1, description="use a random subset of this many rows")
    seed: int = Field(0, ge=0)
    teacher: str | None = Field(None, description="fine-tuned checkpoint that labels the copies")
    glove: str | None = Field(None, description="file of word vectors for neighbours")
