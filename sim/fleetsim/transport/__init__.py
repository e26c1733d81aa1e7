"""How a fleet reaches a backend: connections, bodies, receipts, another try.

Entry: `kinds.Transport`, built by the `Settings` of one file in `kinds/`. Stands between the
devices' buffers and the network; a report's columns come in, an outcome goes out. Below it are
the wire contract of the platform and `draws`; the shard above decides who sends when.
"""
