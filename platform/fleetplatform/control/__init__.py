"""What devices are told: their first contact, and the configuration they work by.

Owns device_configuration_versions; what else a first contact writes is the registry's. Entries:
`provisioning.provision` and `configurations.read`. Called by `api`; calls `registry` and
`database`.
"""
