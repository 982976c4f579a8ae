"""Curves of a training for TensorBoard, which shows them while it runs: ``tensorboard --logdir FOLDER``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, SupportsFloat

from .errors import InputError
from .progress import SILENT, Progress, Stage


class TensorBoard:
    """A ``Progress`` that writes curves into a folder, each stage into its own; the rest another one hears.

    A training that goes on after an interruption goes on with its curves; one that begins again replaces
    those of that folder.
    """

    def __init__(self, folder: str | Path, progress: Progress = SILENT) -> None:
        """
        Args:
            folder: where to, created with the first curve.
            progress: is informed of all but the curves.

        Raises:
            InputError: TensorBoard is not installed, or ``folder`` is a file.
        """
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise InputError(
                "tensorboard: expected TensorBoard, found none; pip install 'mercato[tensorboard]'"
            ) from None
        self._folder, self._progress, self._open = Path(folder), progress, SummaryWriter
        if self._folder.is_file():
            raise InputError(f"tensorboard: expected a folder or a new name, found the file {folder}")

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Stage]:
        with self._progress.stage(name, total) as stage:
            drawn = _Drawn(stage, self._folder / name.replace(" ", "-"), self._open)
            try:
                yield drawn
            finally:
                drawn.close()


class _Drawn:
    """A stage whose curves are written; a stage without any leaves nothing."""

    def __init__(self, stage: Stage, folder: Path, opened: Callable[..., Any]) -> None:
        self._folder, self._opened = folder, opened
        self._writer: Any = None
        self.advance, self.note = stage.advance, stage.note

    def curve(self, step: int, values: Mapping[str, SupportsFloat]) -> None:
        if self._writer is None and values:
            self._writer = self._opened(str(self._folder), purge_step=step)  # later points are of another run
        for name, value in values.items():
            self._writer.add_scalar(name.replace(" ", "_"), float(value), step)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def drawn(progress: Progress, folder: Path | None) -> Progress:
    """``progress``, its curves in ``folder`` where there is one."""
    return progress if folder is None else TensorBoard(folder, progress)
