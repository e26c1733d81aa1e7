"""One run, from an empty folder to a verdict.

Owns the order of a run: start, prepare, storm, drain, verify, judge, record, report, stop. Entry:
`run.run`. Every room of the driver is called from here, in the order in which a run needs them;
`cli` and `catalogue` stand above.

`run.py` is the run on one page, `backend.py` the platform that it speaks to, `account.py` what
the run has learnt as a summary, `alone.py` the generator without a platform, `signals.py` Ctrl-C.
"""
