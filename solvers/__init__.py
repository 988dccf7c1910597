"""The competition: auction and bid formats, verification, prices, winners, and strategies.

What decides (`verification`, `prices`, `winners`, `arbitration`, `reference`) is pure and exact;
processes and pipes live in `competition`, `contestant`, `process` and `worker` alone.
"""
