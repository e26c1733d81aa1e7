"""Pages that people read, made from results folders alone.

Owns report.html: one file that opens without a network, in light and dark. Its entry is
`page.write`. It is the end of the way of a reading, where somebody decides from it; `run` and
`cli` call it, and it reads only `results`.

`sections/` is a folder of kinds, one chapter of the page each; a chapter is made of `blocks`
(tables, figures, charts), which `page.html.j2` turns into HTML. `charts.py` draws them,
`recordings.py` reads the run's tables for them, `words.py` writes numbers as people read them.
"""
