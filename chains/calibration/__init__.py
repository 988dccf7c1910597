"""From a measured option market to a world: its book divided over venues, and depth derived from it.

What is *measured* (levels, volatilities, forwards) goes into the world as it is: every level to exactly
one order book. What is *derived* is depth beside it, on range pools and RFQ makers, whose spreads, sizes
and slopes are medians of the measured book. Everything is a function of the market and a seed, in
integers but for the marks and deltas of the model, which are rounded at once.
"""
