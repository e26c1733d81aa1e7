"""What a run writes down about itself."""

import numpy as np
import pytest
import yaml

from fleetsim.ledger.report import LedgerReport
from fleetstorm.config.compose import composer
from fleetstorm.results.summary import RunSummary
from fleetstorm.run.account import Findings, summarise, without_secrets

NOTHING = Findings(
    database=None,
    size=None,
    virtual_s=None,
    wall_s=1.0,
    ledger=None,
    measured=None,
    readings=None,
    alerts=None,
    anomalies=None,
    alone_per_s=None,
)
RUN = RunSummary(
    id="x", scenario="x", seed=1, started_at="", version="0", config_sha256="", speed=1.0
)


def _ledger() -> LedgerReport:
    count = np.array([10, 20])
    return LedgerReport(
        sensor_high=np.zeros(2, np.uint64),
        sensor_low=np.arange(2, dtype=np.uint64),
        device_ordinal=np.arange(2),
        sensor_ordinal=np.zeros(2, np.int16),
        sensor_name=["a", "a"],
        serial=["d0", "d1"],
        emitted=count,
        acknowledged=count - 3,
        buffered=np.zeros(2, np.int64),
        indeterminate=np.ones(2, np.int64),
        acknowledged_hash=np.zeros(2, np.uint64),
        multiplier=np.ones(2),
        offset=np.zeros(2),
        withheld={"dropout": np.array([2, 0])},
        dropped={"buffer_full": np.array([0, 1])},
        rejected={"out_of_window": np.array([0, 1])},
        duplicates=4,
        requests=9,
        digest="d",
    )


def test_what_a_run_did_not_get_to_is_null_and_not_0() -> None:
    with composer() as compose:
        config = compose.compose(["scenario=smoke"]).config
    summary = summarise(config, RUN, NOTHING)
    assert (summary.load.devices, summary.load.emitted, summary.load.stored) == (60, None, None)
    assert (summary.verification.lost, summary.latency_ms.response) == (None, None)
    assert summary.run.digest is None


def test_the_books_are_added_up_over_sensors_and_causes() -> None:
    with composer() as compose:
        config = compose.compose(["scenario=smoke"]).config
    found = summarise(config, RUN, Findings(**{**vars(NOTHING), "ledger": _ledger()})).load
    assert (found.emitted, found.acknowledged, found.indeterminate) == (30, 24, 2)
    assert (found.withheld, found.withheld_by_cause) == (2, {"dropout": 2})
    assert (found.dropped, found.rejected_by_code) == (1, {"out_of_window": 1})
    assert found.emitted == (
        found.withheld + found.dropped + found.rejected + found.acknowledged + found.indeterminate
    )


def test_a_generator_alone_has_no_engine_and_no_layout() -> None:
    with composer() as compose:
        config = compose.compose(["transport=null_sink"]).config
    load = summarise(config, RUN, NOTHING).load
    assert (load.transport, load.engine, load.layout) == ("null_sink", None, None)


def test_no_password_and_no_token_is_written_down() -> None:
    with composer() as compose:
        text = compose.compose(
            [
                "platform.database.url=postgresql://me:s3cr:et@host:5432/db",
                "platform.url=http://host:80",
                "platform.token=t0ken",
            ]
        ).yaml
    written = without_secrets(text)
    assert "s3cr" not in written
    assert "t0ken" not in written
    assert yaml.safe_load(written)["platform"]["database"]["url"].endswith("@host:5432/db")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://host/db?user=me&password=s3cret",
        "postgresql://host/db?sslpassword=s3cret&password=s3cret",
        "postgresql://:s3cret@host/db",
        "postgresql://me:s3:c@s3cret@host/db",
        "postgresql://me:two s3cret@host/db",
    ],
)
def test_a_password_is_left_out_wherever_a_url_may_have_it(url: str) -> None:
    written = without_secrets(f"database:\n  url: {url}\n  connections: 4\n")
    assert "s3c" not in written
    assert "connections: 4" in written
