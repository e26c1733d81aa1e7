"""What happens when: the timeline of a scenario, and the play of it.

Owns the order of a run: it says to the shards how far to play, keeps them together, is the only
writer of the platform's clock, and lets the actions of the timeline happen at their times. Entry:
`coordinator.Coordinator.play`. A reading does not pass through here; its time does.

`run` calls it. It speaks to `fleetsim.fleet`, to the platform's clock through a function it is
given, and writes events into `results`. `language.py` is how a timeline is written; `actions/`
has one file for each thing that can happen, `partitions.py` what some of them see of the database.
"""
