"""Installation of this package into an environment, and its console commands.

An installed package has this folder as `deepnet_setup`. Its modules need the standard library and
pip alone, since they run before fairseq and torch are there.
"""
