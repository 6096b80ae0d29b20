"""What to do, as data: checked before any work starts, readable as YAML, saved beside every result."""

import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, cast

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from kaprune_edge.pruning.schedule import Schedule
from kaprune_edge.sparsity.patterns import Blocks, parse_pattern
from kaprune_edge.tasks.columns import USUAL, Columns
from kaprune_runtime.errors import InputError

SHORTEST_TEXT = 8
"""Tokens that leave room for a word of each of two texts beside the special tokens."""

_Share = Annotated[float, Field(ge=0, lt=1)]
_EPOCHS, _RATE = 3.0, 5e-5
"""Of fine-tuning, where they are neither given nor chosen."""


def _check_pattern(text: str) -> str:
    try:
        return str(parse_pattern(text))
    except InputError as error:
        raise ValueError(error) from error


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Training(_Data):
    """How long and how fast to teach a student."""

    epochs: float = Field(12, gt=0, description="passes over the training rows; the paper's for MRPC")
    learning_rate: float = Field(3e-4, gt=0, description="of AdamW")
    batch_size: int = Field(32, ge=1, description="rows a step")
    max_length: int = Field(128, ge=SHORTEST_TEXT, description="tokens at which a row is cut off")
    decay: Literal["constant", "linear"] = Field("linear", description="course of the learning rate")
    warmup: _Share = Field(0, description="first share of the steps, in which the learning rate rises")
    dropout: float | None = Field(0, ge=0, lt=1, description="null keeps the checkpoint's own")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="of the products; bfloat16 is faster where the processor multiplies it"
    )


class FineTuning(Training):
    """How long and how fast to fine-tune a teacher on the labels.

    If neither epochs nor learning rate is given and the task classifies whole texts,
    `kaprune_edge.fine_tuning` chooses both on held-out rows. Otherwise the defaults below apply.
    """

    epochs: float | None = Field(  # type: ignore[assignment]
        None, gt=0, description=f"passes over the training rows; null: {_EPOCHS}, or chosen"
    )
    learning_rate: float | None = Field(  # type: ignore[assignment]
        None, gt=0, description=f"of AdamW; null: {_RATE:g}, or chosen"
    )
    dropout: float | None = Field(None, ge=0, lt=1, description="replaces the checkpoint's own when given")

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, given: Any) -> Any:
        if isinstance(given, dict) and (given.get("epochs") or given.get("learning_rate")):
            pace = {"epochs": _EPOCHS, "learning_rate": _RATE}
            return {**given, **{name: value for name, value in pace.items() if given.get(name) is None}}
        return given

    @property
    def is_chosen(self) -> bool:
        """Whether `kaprune_edge.fine_tuning` chooses epochs and learning rate."""
        return self.epochs is None

    @property
    def resolved(self) -> Training:
        """The training without anything left to choose."""
        return self.at(_EPOCHS, _RATE, self.warmup) if self.is_chosen else self

    def at(self, epochs: float, learning_rate: float, warmup: float) -> Training:
        """Choose what is left to choose."""
        chosen = {"epochs": epochs, "learning_rate": learning_rate, "warmup": warmup}
        return Training(**{**self.model_dump(), **chosen})


class StudentTraining(Training):
    """How long and how fast to teach a small dense student, whose layers start at random."""

    learning_rate: float = Field(1e-3, gt=0, description="of AdamW")


class LossWeights(_Data):
    """Weight of each distillation loss, and when; the paper sums them unweighted (section 3.2)."""

    attention: float = Field(1, ge=0)
    embeddings: float = Field(1, ge=0)
    hidden: float = Field(1, ge=0)
    logits: float = Field(1, ge=0)
    logits_only: _Share = Field(0, description="last share of the training, without the other losses")

    @model_validator(mode="after")
    def _logits_teach_alone(self) -> Self:
        if self.logits_only and not self.logits:
            raise ValueError("losses.logits_only leaves no loss where losses.logits is 0; change either")
        return self


class _DistillationRecipe(_Data):
    task: str = Field(description="such as glue/sst2, glue/mrpc:DIR, csv:train.csv,eval.csv")
    columns: Columns = Field(
        USUAL, description="of the task's files, where their names are not the usual ones"
    )
    train_rows: int | None = Field(None, ge=1, description="use a random subset of this many rows")
    augment: int = Field(
        0, ge=0, description="augmented copies of each row for the student; TinyBERT's are 20"
    )
    replaced_share: float = Field(
        0.4, gt=0, le=1, description="words that a copy replaces, of all; TinyBERT's"
    )
    unlabelled: str | None = Field(
        None, description="file of more texts for the student: a text a line, or .csv or .jsonl with columns"
    )
    seed: int = Field(0, ge=0)
    training: Training = Training()
    losses: LossWeights = LossWeights()


class PruneRecipe(_DistillationRecipe):
    """Pruning while distilling: Xu et al., "Rethinking Network Pruning" (NAACL 2021), section 3."""

    model: str = Field(description="pretrained checkpoint: hub id or folder")
    teacher: str | None = Field(None, description="fine-tuned checkpoint; made from `model` when absent")
    teacher_training: FineTuning = FineTuning()
    student_start: Literal["pretrained", "teacher"] = Field(
        "teacher", description="the weights that pruning starts from"
    )
    learns_from: Literal["teacher", "labels"] = Field(
        "teacher", description="labels leave distillation out, to compare with"
    )
    sparsity: _Share = Field(0.95, description="share of the encoder's weights to remove")
    pattern: Annotated[str, AfterValidator(_check_pattern)] = Field(
        "unstructured", description="unstructured, RxC blocks (rows are outputs) or N:M"
    )
    criterion: Literal["reconstruction", "sparsegpt", "fisher", "movement", "soft-movement", "magnitude"] = (
        Field("reconstruction", description="what decides which weights go")
    )
    budget: Literal["uniform", "sensitivity"] = Field(
        "uniform", description="whether all matrices lose the same share, or those more that suffer less"
    )
    latency_budget: float | None = Field(
        None,
        gt=0,
        description="milliseconds that a text of 128 tokens may take here on one thread; replaces sparsity",
    )
    one_shot: bool = Field(False, description="prune the teacher at once, without training")
    schedule: Schedule = Schedule()

    @model_validator(mode="before")
    @classmethod
    def _pattern_sets_sparsity(cls, content: Any) -> Any:
        if not isinstance(content, dict) or "sparsity" in content:
            return content
        try:
            pattern = parse_pattern(content.get("pattern", "unstructured"))
        except (InputError, TypeError, AttributeError):
            return content  # the field's own check says what is wrong
        return content if isinstance(pattern, Blocks) else content | {"sparsity": pattern.sparsity}

    @property
    def is_planned(self) -> bool:
        """Whether each matrix's share is chosen by measurements."""
        return self.budget != "uniform" or self.latency_budget is not None

    @model_validator(mode="after")
    def _pattern_reaches_sparsity(self) -> Self:
        pattern = parse_pattern(self.pattern)
        if not isinstance(pattern, Blocks) and abs(pattern.sparsity - self.sparsity) > 1e-6:
            raise ValueError(f"pattern {pattern} needs sparsity {pattern.sparsity:g}, not {self.sparsity:g}")
        return self

    @model_validator(mode="after")
    def _shares_can_be_chosen(self) -> Self:
        if not self.is_planned:
            return self
        if not isinstance(pattern := parse_pattern(self.pattern), Blocks):
            raise ValueError(f"pattern {pattern} fixes the sparsity of every matrix; leave the budgets out")
        if self.criterion == "soft-movement":
            raise ValueError("soft-movement divides the sparsity itself; leave the budgets out")
        return self

    @model_validator(mode="after")
    def _movement_is_seen_first(self) -> Self:
        if "movement" in self.criterion and (self.one_shot or self.schedule.pruning_steps == 1):
            raise ValueError(
                f"{self.criterion} learns from the training which weights go; "
                "set schedule.pruning_steps to 2 or more, such as 100, and one_shot to false"
            )
        return self

    @model_validator(mode="after")
    def _teacher_answers_for_labels(self) -> Self:
        if self.unlabelled is not None and self.learns_from == "labels":
            raise ValueError("unlabelled texts have no labels to learn from; set learns_from to teacher")
        return self

    @model_validator(mode="after")
    def _one_shot_prunes_the_teacher(self) -> Self:
        if self.one_shot and self.student_start != "teacher":
            raise ValueError("one-shot pruning cannot teach pretrained weights the task; start from teacher")
        return self


class DistillRecipe(_DistillationRecipe):
    """A small dense student: Jiao et al., "TinyBERT" (Findings of EMNLP 2020), section 3."""

    teacher: str = Field(description="fine-tuned checkpoint")
    student: str = Field("tinybert-4l-312d", description="a named student, LAYERSxWIDTH, or equal:SPARSITY")
    training: StudentTraining = StudentTraining()


RecipeT = TypeVar("RecipeT", bound=BaseModel)


def make_recipe(kind: type[RecipeT], file: Path | None, overrides: dict[str, Any]) -> RecipeT:
    """Build a recipe from a YAML file, if any, and values that win over it.

    Args:
        kind: The recipe's class.
        file: YAML mapping of the recipe's fields.
        overrides: Field name, dotted for nested ones (`training.epochs`), -> value.

    Raises:
        InputError: The file is unreadable, a value is impossible, or one that wins would change nothing;
            the message names the field.
    """
    content = _read_yaml(file) if file else {}
    for name, value in overrides.items():
        section, dot, field = name.partition(".")
        if not dot:
            content[name] = value
        elif isinstance(nested := content.setdefault(section, {}), dict):
            nested[field] = value
    try:
        recipe = kind.model_validate(content)
    except ValidationError as error:
        raise InputError(_explain(error.errors()[0], kind)) from error
    _check_effect(recipe, overrides)
    return recipe


def save_recipe(recipe: BaseModel, path: Path) -> None:
    """Write a recipe, every default resolved, as YAML that `make_recipe` reads."""
    path.write_text(yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False), encoding="utf-8")


_WITHOUT_EFFECT: Sequence[tuple[Callable[[Any], bool], str, Collection[str]]] = (
    (
        lambda recipe: recipe.one_shot,
        "one-shot pruning trains no student",
        (
            "training.epochs",
            "training.learning_rate",
            "training.dropout",
            "schedule.course",
            "schedule.pruning_steps",
        ),
    ),
    (
        lambda recipe: recipe.teacher is not None,
        "a given teacher is not trained",
        ("teacher_training.epochs", "teacher_training.learning_rate"),
    ),
    (lambda recipe: recipe.latency_budget is not None, "a latency budget replaces it", ("sparsity",)),
)
"""What makes fields of a `PruneRecipe` idle, why, and which."""


def _check_effect(recipe: BaseModel, given: Collection[str]) -> None:
    """Refuse fields that a person asked for and that would change nothing."""
    if isinstance(recipe, PruneRecipe):
        for is_so, why, fields in _WITHOUT_EFFECT:
            for field in fields:
                if field in given and is_so(recipe):
                    raise InputError(f"{field} would change nothing: {why}; leave out one of both")
    if isinstance(recipe, _DistillationRecipe) and "replaced_share" in given and not recipe.augment:
        raise InputError("replaced_share would change nothing without copies; add augment, such as 20")


def _explain(error: ErrorDetails, kind: type[BaseModel]) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "missing":
        return f"{where} is missing; give it on the command line or in the recipe"
    if error["type"] == "extra_forbidden":
        for section in error["loc"][:-1]:
            kind = cast(type[BaseModel], kind.model_fields[str(section)].annotation)
        return f"{where} is unknown; the fields there are {', '.join(kind.model_fields)}"
    if error["type"] == "value_error":
        return error["msg"].removeprefix("Value error, ")
    return f"{where} is {error['input']!r}; {error['msg'].replace('Input', 'it')}"


class _Loader(yaml.SafeLoader):
    """YAML without its numbers of base 60, so that the pattern 2:4 is text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in resolvers if tag != "tag:yaml.org,2002:int"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?\d+$"), list("-+0123456789"))


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise InputError(f"cannot read recipe {file}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is not YAML; see docs/prune.md for an example") from error
    if not isinstance(content, dict):
        raise InputError(f"{file} holds no recipe; it must be a mapping of fields such as 'sparsity: 0.9'")
    return content
