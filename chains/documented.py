"""Closed lists whose members carry their own documentation."""

from enum import StrEnum
from typing import Self


class DocumentedEnum(StrEnum):
    """A member is its text, and says in `meaning` what it means: one line, shown to users."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        """Make a member from its text and its meaning."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member
