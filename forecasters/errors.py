"""The one error a user can cause and can mend."""


class InputError(ValueError):
    """Bad input from outside: one clear line that says what was expected, what was found and where.

    The command line prints it without a traceback and exits with status 2.
    """
