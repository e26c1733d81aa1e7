"""The command line: what a user types, and what is printed back.

Owns the commands, their help and the exit code; everything they do is done by the rooms below.
Entry: `app.main`. It imports those rooms only when a command needs them, so that --help is quick.

`app.py` is the list of commands and the way out for errors, `run.py` a run and a sweep of runs,
`serve.py` the platform alone, `results.py` reports of runs, `workbench.py` list, validate, doctor,
`printing.py` how it looks, `pipes.py` where it goes when nobody reads it.
"""
