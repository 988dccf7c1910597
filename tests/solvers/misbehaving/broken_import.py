"""A module that raises when it is imported, on line 4."""

EMPTY: dict[str, str] = {}
EMPTY["what is not there"]


class Mine:
    pass
