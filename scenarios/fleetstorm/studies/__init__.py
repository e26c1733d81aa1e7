"""Questions that take several runs.

Owns how runs are laid out, made one after the other and set beside each other; each run is made by
`run`. Entry: `matrix.cells.expand`, then `matrix.study.make`. Called by `cli`.
"""
