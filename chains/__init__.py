"""The simulated world: option series, ledgers, app-chains, bridges, venues, oracles, atomic commit.

Nothing here knows of intents, bids or auctions. The world is deterministic under its seed and the
calls made on it, and its time advances only through `World.advance(until_us)`.
"""
