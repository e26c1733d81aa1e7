"""From a decoded batch to a commit.

Owns admission, the queue, micro-batches, the engines with their state, and the right to store.
Entry: `Batcher.submit(submission)`, whose receipt comes only after commit. Called by `device_api`;
calls `processing`, `alerting` and `timeseries`.
"""
