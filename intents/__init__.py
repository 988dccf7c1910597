"""The market: signed intents, book, engine, journal, HTTP, replay, command line.

The engine is a deterministic state machine; service, journal and API are the shell around it.
"""
