"""The backend, in the order a reading meets it."""
