"""The recipe in an unfinished output, which it can only go on with."""

from pathlib import Path

from pydantic import BaseModel

from kaprune_edge.artifacts import interrupted
from kaprune_edge.recipe import make_recipe, save_recipe
from kaprune_edge.storage import whole
from kaprune_runtime.errors import InputError

RECIPE = "recipe.yaml"


def begun_recipe(output: Path) -> Path | None:
    """Find the recipe of an output that is unfinished or finished, so that resuming need not repeat it."""
    files = (folder / RECIPE for folder in (interrupted(output), output))
    return next((file for file in files if file.is_file()), None)


def keep_recipe(recipe: BaseModel, file: Path) -> None:
    """Write a recipe where work begins; compare it where work goes on.

    Args:
        recipe: What this call is to do.
        file: File that keeps the recipe.

    Raises:
        InputError: Something else was begun there, or the file is damaged.
    """
    if not file.exists():
        with whole(file) as fresh:
            save_recipe(recipe, fresh)
        return
    try:
        begun = make_recipe(type(recipe), file, {})
    except InputError as error:
        raise InputError(
            f"{file} is damaged, so it cannot be told what was begun; delete {file.parent} to start over"
        ) from error
    if begun != recipe:
        raise InputError(f"{file.parent} was begun with other options; resume with those or delete it")
