"""What every trunk does: it scans whole windows in training and steps through an episode, with one function.

Tokens (B, T, S, I, F) become hidden states (B, T, S, I, D), causal in time. ``distance`` (S, S), where
coordinates are known, biases attention between locations; ``listed`` (…, S, I) bool says what is there, all
where None.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ...errors import InputError, whole

KINDS = ("transformer", "gru", "lstm", "none")

Kept = tuple[Tensor, ...]
"""What one layer keeps of each period of a history, (B, …): enough to go on from any of them."""


@dataclass(frozen=True)
class TrunkSettings:
    """Sizes of a trunk, and which it is.

    Raises:
        InputError: a size is out of bounds, or there is no such kind.
    """

    width: int = 32  # channels a token, D
    blocks: int = 2
    heads: int = 2  # of attention
    window: int = 26  # periods that a Transformer's time attention reaches back, W
    dropout: float = 0.2
    kind: str = "transformer"  # one of KINDS; none leaves the regressions alone

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"trunk: expected one of {', '.join(KINDS)}, found {self.kind!r:.60}")
        for name, most in (("width", 4096), ("blocks", 64), ("heads", 1024), ("window", None)):
            whole(f"trunk {name}", getattr(self, name), 1, most)
        if self.width % (2 * self.heads):
            raise InputError(
                f"trunk width: expected a multiple of {2 * self.heads}, two for each of {self.heads} heads of"
                f" attention, found {self.width}"
            )


class Trunk(nn.Module, ABC):
    """A sequence model over (time, location, item)."""

    settings: TrunkSettings

    @abstractmethod
    def forward(
        self,
        tokens: Tensor,
        distance: Tensor | None = None,
        keep: list[Kept] | None = None,
        listed: Tensor | None = None,
    ) -> Tensor:
        """Hidden states of whole windows; appends what each layer keeps to ``keep`` where given."""

    @abstractmethod
    def begin(self, kept: Sequence[Kept], start: Tensor) -> Any:
        """Memory, a dataclass of tensors (B, …), of markets that go on after ``start`` (B,) int64 tokens.

        Of one history, of which ``kept`` is what ``forward`` kept, without the first axis.
        """

    @abstractmethod
    def step(
        self, token: Tensor, memory: Any, distance: Tensor | None = None, listed: Tensor | None = None
    ) -> tuple[Tensor, Any]:
        """One period: token (B, S, I, F) → hidden (B, S, I, D), and the memory after it.

        The tensors of the memory may be updated in place.
        """

    @property
    @abstractmethod
    def kept_numbers(self) -> int:
        """How many numbers ``keep`` takes for each series and period."""
