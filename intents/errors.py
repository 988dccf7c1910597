"""Errors of the market.

IntentsError                anything below, for one `except`
├── BookError               the book was asked for a step its rules do not hold: a bug in the caller
├── EngineError             an event that does not belong where it came: a bug in the caller
├── SettingsError           a setting that is unknown or has no sense; names the setting and the value
├── JournalError            a journal that cannot be opened, read or written; names the damaged entry
├── TermsError              a journal of a market with other terms than the settings ask for
├── ArchiveError            an archive that cannot be written, read, or whose hash chain is broken
├── VerificationError       an archive breaks a rule of the market; names the first one
├── SigningError            a key file or a message that cannot be signed
├── DemoError               the demo met something that must not happen in it
└── UnavailableError        the service accepts nothing now, because what it holds may not be durable

What a client did wrong is a `Refused`, a value, never an exception.
"""


class IntentsError(Exception):
    """Root of every error that `intents` raises."""


class BookError(IntentsError):
    """The book was asked for a step that its rules do not hold: a bug in the caller, never bad input."""


class EngineError(IntentsError):
    """An event does not belong where it came, by its time or its kind: a bug in the caller."""


class SettingsError(IntentsError, ValueError):
    """A setting is unknown, or its value has no sense."""


class JournalError(IntentsError):
    """A journal cannot be opened, read or written; `seq` is the damaged entry, if one is."""

    def __init__(self, message: str, *, seq: int | None = None) -> None:
        super().__init__(message)
        self.seq = seq


class TermsError(IntentsError, ValueError):
    """The journal belongs to a market with other terms: name another database, or drop the setting."""


class ArchiveError(IntentsError):
    """An archive cannot be written or read, or its hash chain is broken."""


class VerificationError(IntentsError):
    """An archive breaks a rule of the market: `rule` is the first one, the message adds what was found."""

    def __init__(self, message: str, *, rule: str = "") -> None:
        super().__init__(message)
        self.rule = rule


class SigningError(IntentsError, ValueError):
    """A key file cannot be read, or a message does not fit its EIP-712 type."""


class DemoError(IntentsError):
    """The demo met something that must not happen in it."""


class UnavailableError(IntentsError):
    """The service cannot answer now; the same request may be sent again."""
