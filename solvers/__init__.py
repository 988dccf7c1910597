"""The competition: auction and bid formats, verification, prices, winners, and strategies.

What decides (`verification`, `prices`, `winners`, `arbitration`, `reference`) is pure and exact;
processes and pipes live in `competition`, `contestant`, `process`, `keeper` and `worker` alone, with
`process_tree`, `folders` and `limits` below them.
"""
