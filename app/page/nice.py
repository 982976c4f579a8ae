"""The library of the page, loaded when it is first used: it is an extra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...forecasters.errors import InputError

if TYPE_CHECKING:
    from nicegui import ui
else:

    class _Ui:
        def __getattr__(self, name: str) -> Any:
            installed()
            from nicegui import ui

            return getattr(ui, name)

    ui = _Ui()

__all__ = ["installed", "ui"]


def installed() -> None:
    """Make sure that the library is there.

    Raises:
        InputError: it is not; says how to install it.
    """
    try:
        import nicegui  # noqa: F401
    except ImportError:
        raise InputError("ui: expected NiceGUI, found none; pip install 'mercato[ui]'") from None
