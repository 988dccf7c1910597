"""The optimiser: hop costs, graphs, and joint routing models in OR-Tools.

It answers a `Problem` with `Plan`s, exact and in integers. It knows the costs of the world, and
nothing of bids, prices or winners.
"""
