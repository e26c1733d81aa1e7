"""What is computed on a batch: arrays in, arrays out, no I/O.

Owns calibration, quality and the anomaly detectors. Entry: `calibration.calibrate`,
`quality.judge_range`, the kinds of `detectors`. The room `ingest` calls it, between admission and
the alert rules; it knows no neighbour.
"""
