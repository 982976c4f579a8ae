"""Errors that a person reads: one line each, without a traceback."""


class InputError(ValueError):
    """Bad input from outside: one clear line that says what was expected, what was found and where.

    The command line prints it without a traceback and exits with status 2.
    """


class UnplayableError(Exception):
    """What was learned of a table does not simulate it; says of which series, and how far it is off.

    The command line prints it without a traceback and exits with status 1; nothing is written.
    """
