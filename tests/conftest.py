"""Loads eth-account the way the market does, which keeps the interpreter's recursion limit."""

import intents.signing  # noqa: F401
