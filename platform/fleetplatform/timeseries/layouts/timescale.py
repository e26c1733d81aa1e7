"""A hypertable of the extension TimescaleDB, read through a view with the policies' own words."""

from fleetplatform.timeseries.layouts import Layout

LAYOUT = Layout(range_unit=None, extension="timescaledb")
