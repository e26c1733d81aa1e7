"""Anomaly detectors, one file each: a score for each reading from the sensor's own past."""
