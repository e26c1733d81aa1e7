"""The table of the source document: data_id, hour_bucket, one partition a month (UTC)."""

from fleetplatform.timeseries.layouts import Layout

LAYOUT = Layout(range_unit="month", of_document=True)
