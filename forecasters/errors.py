"""Errors that a person reads: one line each, without a traceback."""

_LONGEST = 2000  # characters


def _one_line(text: str) -> str:
    text = " ".join(text.split())
    shown = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]} …"


class InputError(ValueError):
    """Bad input from outside: one clear line that says what was expected, what was found and where.

    The command line prints it without a traceback and exits with status 2. What was found may hold anything:
    whatever a terminal would take for a command or a new line is shown as an escape.
    """

    def __init__(self, message: object) -> None:
        super().__init__(_one_line(str(message)))


class UnplayableError(Exception):
    """What was learned of a table does not simulate it; says of which series, and how far it is off.

    The command line prints it without a traceback and exits with status 1; nothing is written.
    """
