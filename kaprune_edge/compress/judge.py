"""How far a student's answers fall behind its teacher's on held-out rows."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from kaprune_edge.evaluation import predict_logits, token_model
from kaprune_edge.progress import Progress
from kaprune_edge.tasks import Task, TokenLevelTask, tokenize
from kaprune_edge.tasks.metrics import METRICS
from kaprune_runtime import Classifier
from kaprune_runtime.token_model import open_token_model

RESAMPLES = 400

Answers = Any
"""Logits, float32 [rows, labels]; of a token-level task what `TokenLevelTask.tell` gives."""


@dataclass(frozen=True)
class Drop:
    """What a student loses, in points: hundredths of the headline metric."""

    points: float
    """Teacher less student."""
    low: float
    """Lower end of the 95 % interval from paired resampling."""
    high: float

    def to_json(self) -> dict[str, float]:
        """Give what `Drop(**...)` takes."""
        return asdict(self)


class Judge:
    """Holds the held-out rows and the teacher's answers to them."""

    def __init__(self, task: Task, tokenizer: PreTrainedTokenizerBase, max_length: int) -> None:
        """Remember what to judge on.

        Args:
            task: Its evaluation rows are the held-out ones.
            tokenizer: The model's own.
            max_length: Longest row in tokens.
        """
        self._task, self._tokenizer, self._max_length = task, tokenizer, max_length

    def ask_model(self, model: PreTrainedModel, progress: Progress) -> Answers:
        """Have a PyTorch model answer."""
        task = self._task
        if isinstance(task, TokenLevelTask):
            return task.tell(token_model(model, self._tokenizer), self._max_length, progress.advance)
        rows = tokenize(task.evaluation, task, self._tokenizer, self._max_length)
        logits = predict_logits(model, rows, self._tokenizer, progress)
        task.check_finite(logits)
        return logits

    def ask_deployment(self, folder: Path, progress: Progress) -> Answers:
        """Have a deployment answer, as its users run it."""
        task = self._task
        if isinstance(task, TokenLevelTask):
            return task.tell(open_token_model(folder, task.kind), self._max_length, progress.advance)
        texts = (list(task.evaluation[column]) for column in task.text_columns)
        classifier = Classifier(folder, threads=torch.get_num_threads())
        logits = classifier.logits(*texts, max_length=self._max_length, on_done=progress.advance)
        task.check_finite(logits)
        return logits

    def score(self, answers: Answers) -> float:
        """Give the headline metric, a fraction."""
        return self._scorer(answers)(np.arange(len(self._task.evaluation)))

    def points(self, teacher: Answers, student: Answers) -> float:
        """Tell how many points a student loses, without the interval of `drop`, which takes time."""
        return 100 * (self.score(teacher) - self.score(student))

    def drop(self, teacher: Answers, student: Answers) -> Drop:
        """Compare answers to the same rows.

        The interval is the percentile bootstrap's (Efron and Tibshirani, An Introduction to the Bootstrap,
        1993, section 13.3) of the difference, both models judged on the same resampled rows.
        """
        ours, theirs = self._scorer(student), self._scorer(teacher)
        count = len(self._task.evaluation)
        random = np.random.default_rng(0)
        differences = [
            theirs(index) - ours(index)
            for index in (random.integers(count, size=count) for _ in range(self._resamples()))
        ]
        low, high = np.percentile(differences, [2.5, 97.5]).tolist()
        return Drop(self.points(teacher, student), 100 * low, 100 * high)

    def _resamples(self) -> int:
        """Tags and answers are judged in Python, which is slow."""
        return RESAMPLES // 2 if isinstance(self._task, TokenLevelTask) else RESAMPLES

    def _scorer(self, answers: Answers) -> Callable[[np.ndarray], float]:
        """Give what judges answers on some of the rows, which may repeat."""
        task, headline = self._task, self._task.metrics[0]
        if isinstance(task, TokenLevelTask):
            wanted: Sequence[Any] = task.wanted(task.evaluation)

            def judge(index: np.ndarray) -> float:
                chosen = index.tolist()
                return task.judge([answers[row] for row in chosen], [wanted[row] for row in chosen])[headline]

            return judge
        labels = np.asarray(task.evaluation["label"])
        metric = METRICS[headline]
        predictions = answers[:, 0] if task.is_regression else answers.argmax(axis=1)
        return lambda index: float(metric(predictions[index], labels[index]))
