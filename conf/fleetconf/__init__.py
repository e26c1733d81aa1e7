"""How a run is written down: every key, unit and default, once."""
