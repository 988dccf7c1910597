"""Built-in strategies: one file each, loaded through the same door as anybody else's.

They are examples for authors too. None imports another, and none sees how winners are chosen.
"""
