"""One plain table: what partitions cost and bring."""

from fleetplatform.timeseries.layouts import Layout

LAYOUT = Layout(range_unit=None)
