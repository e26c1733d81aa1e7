"""The driver and the court: runs scenarios against a backend and judges what it kept."""
