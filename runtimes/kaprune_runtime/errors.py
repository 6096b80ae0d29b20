"""Errors whose message is the one line that a user reads."""


class KapruneError(Exception):
    """Something failed while running; the message says what to do next (exit code 1)."""


class InputError(KapruneError):
    """An argument or an input is wrong; the message says how to mend it (exit code 2)."""
