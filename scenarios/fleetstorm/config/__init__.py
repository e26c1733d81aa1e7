"""The configuration of a run: YAML and overrides become one frozen `RunConfig`, or a sentence.

Owns the root keys of a run and the way from what a user wrote to what each house is given. Entry:
`compose.Composer`. It stands before the first reading; `cli`, `run` and `catalogue` call it, and
it knows the settings of every house and of the driver's own rooms, and `fleetconf`.

`settings.py` is the tree as types, `overrides.py` how an override is written, `compose.py` Hydra,
`chosen.py` the files of a run before they are merged, `unfit.py` what Hydra refuses as a sentence,
`sources.py` which file a key was written in, `bars.py` how a bar is written, `checks.py` with
`rules.py` and `bounds.py`, and `rehearsal.py`, what types cannot say.
"""
