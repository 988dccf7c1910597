"""Errors of the market.

IntentsError                anything below, for one `except`
├── BookError               the book was asked for a step its rules do not hold: a bug in the caller
├── EngineError             an event that does not belong where it came: a bug in the caller
├── SettingsError           a setting that is unknown or has no sense; names the setting and the value
├── JournalError            a journal that cannot be opened, read or written
│   ├── DamageError         an entry that is damaged or missing, or a damaged database; names the entry
│   └── FoldError           an entry that is whole, but that the market does not take
├── CheckpointError         a checkpoint that cannot be made or used; says why
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
    """A journal cannot be opened, read or written; `seq` is the entry at which, if it is about one."""

    def __init__(self, message: str, *, seq: int | None = None) -> None:
        super().__init__(message)
        self.seq = seq


class DamageError(JournalError):
    """What is in the journal is not what was written: an entry is damaged or missing, or the database is."""


class FoldError(JournalError):
    """An entry is whole, but the market that the entries before it come to does not take it."""


class CheckpointError(IntentsError):
    """A checkpoint cannot be made, or cannot be used: it is only ever a cache, so nothing is lost."""


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
