"""One partition a day (UTC)."""

from fleetplatform.timeseries.layouts import Layout

LAYOUT = Layout(range_unit="day")
