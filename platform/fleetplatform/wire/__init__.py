"""The contract between devices, people and the platform: messages, codes, the law of the clock.

Owns what crosses the network and nothing that happens behind it. Entry: `readings.encode_*` and
`readings.decode_*`, the structs of `resources`. The only room of the platform that the simulator
may import; it does no I/O and knows no other room.
"""
