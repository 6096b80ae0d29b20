"""Where text and labels come from, and how they are scored."""

from kaprune_edge.tasks.columns import Columns
from kaprune_edge.tasks.registry import load_task
from kaprune_edge.tasks.task import Task
from kaprune_edge.tasks.token_level import TokenLevelTask
from kaprune_edge.tasks.tokenization import tokenize

__all__ = ["Columns", "Task", "TokenLevelTask", "load_task", "tokenize"]
