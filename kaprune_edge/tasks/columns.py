"""The columns of texts and labels in the user's own files."""

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

LABEL = "label"
"""The column of labels, unless it is named."""

_Name = Annotated[str, AfterValidator(lambda name: name.strip().lower())]
"""As tables have their names: upper and lower case and white space make no difference."""


class Columns(BaseModel):
    """Names of the columns of a table of rows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: tuple[_Name, ...] = Field((), description="the texts, two for pairs; none: found by name")
    label: _Name = Field(LABEL, description="the labels")

    @model_validator(mode="after")
    def _each_is_one_thing(self) -> Self:
        named = (*self.text, self.label)
        if "" in named:
            raise ValueError("a column's name is empty; give the name that the file has")
        if len(self.text) > 2:
            raise ValueError(f"{len(self.text)} text columns are too many; give one, or the two of pairs")
        if twice := next((name for name in named if named.count(name) > 1), None):
            raise ValueError(f"column '{twice}' is named twice; texts and labels have columns of their own")
        if LABEL in self.text:  # rows, and files of their copies, have their labels there
            raise ValueError(f"a text column cannot be called '{LABEL}'; rename it in the file")
        return self


USUAL = Columns()
"""Texts are found by name, labels are in `label`."""
