"""An independent reading of the market's rules, for `solvent verify`.

Written from the rules and not from the engine: it shares the data classes and nothing else, so a
mistake has to be made twice, in two ways, to go unseen. It prefers the plainest arithmetic to speed.
"""
