"""One partition a month (UTC)."""

from fleetplatform.timeseries.layouts import Layout

LAYOUT = Layout(range_unit="month")
