"""One partition a month (UTC), inside it one for each sensor type."""

from fleetplatform.timeseries.layouts import Layout

LAYOUT = Layout(range_unit="month", split_by_type=True)
