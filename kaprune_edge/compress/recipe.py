"""The options of a compression."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from kaprune_edge.recipe import SHORTEST_TEXT
from kaprune_edge.sparsity.patterns import Blocks, parse_pattern
from kaprune_edge.tasks.columns import USUAL, Columns
from kaprune_runtime.errors import InputError


def _check_blocks(text: str) -> str:
    try:
        pattern = parse_pattern(text)
    except InputError as error:
        raise ValueError(error) from error
    if not isinstance(pattern, Blocks):
        raise ValueError(f"pattern {text} fixes the sparsity, which compress has to choose; use 4x1")
    return str(pattern)


class CompressRecipe(BaseModel):
    """A promise and what it is about; the time to keep it in is not part of it, so that more can be added."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    model: str = Field(description="pretrained encoder or fine-tuned model: hub id or folder")
    task: str = Field(description="such as glue/sst2, csv:train.csv,eval.csv, texts:texts.txt")
    columns: Columns = Field(
        USUAL, description="of the task's files, where their names are not the usual ones"
    )
    max_drop: float = Field(1, ge=0, description="points that the headline metric may lose")
    target: str = Field("x86-64", description="where the deployment is to run")
    pattern: Annotated[str, AfterValidator(_check_blocks)] = Field(
        "4x1", description="blocks of weights that go together, RxC or unstructured"
    )
    unlabelled: str | None = Field(None, description="file of more texts for the student, no labels needed")
    train_rows: int | None = Field(None, ge=1, description="use a random subset of this many rows")
    batch_size: int = Field(32, ge=1, description="rows a training step")
    learning_rate: float = Field(3e-4, gt=0, description="of AdamW, for the student")
    max_length: int = Field(128, ge=SHORTEST_TEXT, description="tokens at which a row is cut off")
    seed: int = Field(0, ge=0, description="of everything random")
