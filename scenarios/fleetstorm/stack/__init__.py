"""The stack: every process of a run, so that none is forgotten and any can be broken on purpose.

Owns the starting, watching, breaking and stopping of the processes that a run needs: PostgreSQL,
the platform's services and Ray. Its entry is `Stack` in `stack.py`: `part(name)` gives a handle
with kill, pause, resume and restart. A reading never passes through here: the stack stands before
the first reading is made and is taken down after the last one is verified.

Neighbours: `run` and `cli` start it, `timeline` breaks its parts, `metrics` asks for pids. It
calls no other room but `errors`, and knows nothing of what a service's settings say.

`supervisor.py` keeps processes alive, `process.py` says what one is, `postgres.py` is the embedded
server (`binaries.py` its programs, `account.py` the user it runs as), `services.py` the platform,
`cluster.py` Ray, `ports.py` free ports.
"""
