"""What is known of a sensor, and the arithmetic of forecasts: pure functions over n sensors.

Hours are counted from 1970 (UTC). All gains are those of a mean, or of a straight line, over what
was seen so far, until the memory is full; then they stay, and the past fades.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DAY = 24
WEEK = 168
READINGS_MIN = 30
HOURS_MIN = DAY
"""A baseline has so many readings in so many hours at least; until then nothing is clipped."""
CLIP = 2.0
"""Huber's ψ at two scales, as Gelper, Fried and Croux have it: 95 % of a normal pass unclipped."""
RHO_TOP = 2.52
"""Top of the biweight ρ for that clip: a normal's mean ρ is then 1 (the same paper)."""
LINE_HOURS = 4 * WEEK
"""Level and trend are the straight line of four weeks, which no weekend bends much."""
SCALE_HOURS = WEEK
"""Errors are those of a week: nothing shorter has its weekend in it."""
SHAPE_WEEKS = 8
"""Memory of a bucket: longer than a spell of weather, shorter than a season of the year."""
EXTREME_DAYS = 28
"""Days whose largest deviations are remembered: four weeks, of which every weekday is in."""
SIGMAS = 3.0
ABSOLUTE_TO_SIGMA = float(np.sqrt(np.pi / 2))
"""A normal's standard deviation by its mean absolute deviation."""
GUMBEL_SD = float(np.pi / np.sqrt(6))
CONTRADICTED = 0.5
CONTRADICTED_HOURS = 2 * DAY
"""What more than half of the readings contradict is no baseline (no estimate withstands more); of
two days' readings, so that one holiday does not end it.
"""
TOLERANCE = 1e-9
"""Deviations below this share of the level are rounding."""
NEVER = -1

PROFILE = np.dtype(
    [
        ("hours", "<f8"),
        ("readings", "<f8"),
        ("level", "<f8"),
        ("trend", "<f8"),
        ("carry", "<f8"),
        ("carry_square", "<f8"),
        ("carry_product", "<f8"),
        ("rate", "<f8"),
        ("phase", "<f8"),
        ("square", "<f8"),
        ("contradicted", "<f8"),
        ("days", "<f8"),
        ("day", "<i8"),
        ("largest", "<f8"),
        ("extreme", "<f8"),
        ("extreme_spread", "<f8"),
        ("by_day", "<f4", (DAY,)),
        ("day_square", "<f4", (DAY,)),
        ("by_week", "<f4", (WEEK,)),
        ("day_visits", "u1", (DAY,)),
        ("week_visits", "u1", (WEEK,)),
    ]
)
"""A sensor as of the end of its last whole hour.

hours, readings: learnt from, since it began or began anew · level: at that hour, in the sensor's
unit · trend: of the level in an hour · carry: that hour's deviation from level and shape ·
carry_square, carry_product: means of its square and of its product with the next · rate: readings
an hour · phase: mean place of a reading in its hour, 0 to 1 · square: mean squared error of the
forecasts · contradicted: share of two days' readings that were clipped · days: whole days of which
extremes were learnt · day, largest: the present day since 1970, its largest error by scale ·
extreme, extreme_spread: mean and mean absolute deviation of the logarithm of a day's largest ·
by_day, by_week: the shape · day_square: mean squared error at an hour of the day, by `square` ·
day_visits, week_visits: hours that were seen in a bucket, 255 at most.
"""

HOUR_FIELDS = 13
"""The present hour of a sensor, all float64: the forecast, then the sums of what came."""
(
    BEGAN, BASE, SLOPE, MIDDLE, CARRIED, SCALE, LIMIT,
    COUNT, PLACE, DEVIATION, SQUARE, CLIPPED, LARGEST,
) = range(HOUR_FIELDS)  # fmt: skip


def fresh_profiles(sensors: int) -> NDArray[np.void]:
    """Profiles of sensors of which nothing is known."""
    profile = np.zeros(sensors, dtype=PROFILE)
    profile["day"] = NEVER
    profile["day_square"] = 1.0
    return profile


def fresh_hours(sensors: int) -> Floats:
    """Hours that have not begun."""
    hour = np.zeros((sensors, HOUR_FIELDS))
    hour[:, BEGAN] = NEVER
    return hour


def forecast(p: NDArray[np.void], before: Ints, hour: Ints, first: Floats) -> Floats:
    """The rows of `hour` for n sensors, whose profiles `p` are brought forward to that hour.

    before: each one's last hour, NEVER for none · first: the first value of the hour, which is
    the level where there is none yet.
    """
    gap = np.minimum(np.where(before == NEVER, 1, hour - before), WEEK).astype(np.float64)
    _guess_shape(p, hour)
    shape, slope, visits = _shape(p, hour)
    begins = p["hours"] == 0
    p["level"] = np.where(begins, first - shape, p["level"] + p["trend"] * gap)
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = np.clip(np.nan_to_num(p["carry_product"] / p["carry_square"]), 0.0, 1.0) ** gap
    rows = fresh_hours(len(p))
    rows[:, BEGAN] = hour
    rows[:, CARRIED] = np.where(begins, 0.0, kept * p["carry"])
    rows[:, BASE] = p["level"] + shape + rows[:, CARRIED]
    rows[:, SLOPE] = slope + p["trend"]
    rows[:, MIDDLE] = p["phase"]
    rounding = TOLERANCE * np.maximum(1.0, np.abs(p["level"]))
    at = np.arange(len(p)), hour % DAY
    # A bucket that was seen n times is itself uncertain by the n + 1st part of a square.
    scale = np.sqrt(p["square"] * p["day_square"][at] * (1.0 + 1.0 / (1.0 + visits)))
    scale = np.maximum(scale, rounding)
    learnt = (p["readings"] >= READINGS_MIN) & (p["hours"] >= HOURS_MIN)
    rows[:, SCALE] = np.where(learnt, scale, np.inf)
    rows[:, LIMIT] = np.where(learnt, _limit(p, scale), np.nan)
    return rows


def _guess_shape(p: NDArray[np.void], hour: Ints) -> None:
    """Take an hour of the day that was never seen to be like the one before."""
    rows = np.flatnonzero(p["day_visits"][np.arange(len(p)), hour % DAY] == 0)
    p["by_day"][rows, hour[rows] % DAY] = p["by_day"][rows, (hour[rows] - 1) % DAY]


def _shape(p: NDArray[np.void], hour: Ints) -> tuple[Floats, Floats, Floats]:
    """The shape at n hours, its slope in an hour, and how often the hour of the day was seen.

    The slope is the smaller of those to both neighbours, 0 where they differ in sign (van Leer's
    limiter, 1979): a straight rise is followed, a step is left sharp.
    """
    rows = np.arange(len(p))
    values, seen = [], np.ones(len(p), dtype=np.bool_)
    for offset in (-1, 0, 1):
        day, week = (hour + offset) % DAY, (hour + offset) % WEEK
        values.append(p["by_day"][rows, day] + p["by_week"][rows, week].astype(np.float64))
        seen &= p["day_visits"][rows, day] > 0
    before, here, after = values
    rise, fall = after - here, here - before
    slope = np.where(rise * fall > 0, np.sign(rise) * np.minimum(np.abs(rise), np.abs(fall)), 0.0)
    visits = p["week_visits"][rows, hour % WEEK].astype(np.float64)
    return here, np.where(seen, slope, 0.0), visits


def _limit(p: NDArray[np.void], scale: Floats) -> Floats:
    """The error beyond which a reading is an anomaly.

    It is what the largest of four weeks' readings would reach if they were normal: √(2 ln n) scales
    (Donoho and Johnstone, "Ideal Spatial Adaptation by Wavelet Shrinkage", 1994). And, for a
    sensor whose errors are not normal, three sigma of what its days' largest errors are.
    """
    universal = np.sqrt(2.0 * np.log(np.maximum(p["rate"], 1.0) * LINE_HOURS)) * scale
    reach = p["extreme"] + SIGMAS * ABSOLUTE_TO_SIGMA * p["extreme_spread"]
    usual = np.exp(np.minimum(reach, 100.0)) * scale
    limit: Floats = np.where(p["days"] > 0, np.maximum(universal, usual), universal)
    return limit


def learn(p: NDArray[np.void], rows: Floats) -> None:
    """Take n sensors' whole hours, each with a reading at least, into their profiles."""
    hour = rows[:, BEGAN].astype(np.int64)
    count = rows[:, COUNT]
    place, deviation, square, clipped = rows[:, PLACE:LARGEST].T / count
    _learn_extremes(p, hour // DAY, rows)
    begins = p["hours"] == 0
    # The first hour is judged by its first reading: what all are off by is no error.
    square = np.where(begins, np.maximum(square - deviation**2, 0.0), square)
    _learn_shape(p, hour, rows[:, CARRIED], deviation)
    _learn_scale(p, hour % DAY, square)
    gain = 1.0 / (np.minimum(p["hours"], WEEK) + 1.0)
    p["rate"] += gain * (count - p["rate"])
    p["phase"] += gain * (place - p["phase"])
    p["readings"] += count
    p["hours"] += 1.0
    p["contradicted"] += (clipped - p["contradicted"]) / CONTRADICTED_HOURS
    _begin_anew(p)


def _learn_shape(p: NDArray[np.void], hour: Ints, carried: Floats, deviation: Floats) -> None:
    """Level and trend, then the hour of the day, then that of the week: what the former leave.

    What all of them leave is carried into the next hour.
    """
    n = np.minimum(p["hours"], LINE_HOURS)
    weight = 1.0 / (n + 1.0)
    left = carried + deviation
    last = p["carry"]
    p["carry_square"] += weight * (last**2 - p["carry_square"])
    p["carry_product"] += weight * (last * left - p["carry_product"])
    # A day's rise and fall is no trend: in the first day, what deviates is shape. Then a line is
    # fitted by the growing-memory g-h filter (Brookner, "Tracking and Kalman Filtering Made Easy",
    # 1998), with the gains of a week at last.
    line = p["hours"] >= DAY
    level = np.where(line, 2.0 * (2.0 * n + 1.0) / ((n + 2.0) * (n + 1.0)), p["hours"] == 0)
    p["trend"] += np.where(line, 6.0 / ((n + 2.0) * (n + 1.0)), 0.0) * left
    p["level"] += level * left
    left = (1.0 - level) * left
    at = np.arange(len(p))
    # An hour of the week is shrunk, as if a visit without deviation had come before its first.
    for values, visits, bucket, most, before in (
        ("by_day", "day_visits", hour % DAY, SHAPE_WEEKS * 7, 0),
        ("by_week", "week_visits", hour % WEEK, SHAPE_WEEKS, 1),
    ):
        seen = p[visits][at, bucket].astype(np.float64)
        share = 1.0 / (np.minimum(seen, most) + before + 1.0)
        p[values][at, bucket] += (share * left).astype(np.float32)
        p[visits][at, bucket] = np.minimum(seen + 1, 255).astype(np.uint8)
        left = (1.0 - share) * left
    p["carry"] = left


def _learn_scale(p: NDArray[np.void], bucket: Ints, square: Floats) -> None:
    """The mean squared error, of all hours and of this hour of the day."""
    # The first day's errors are those of a forecast that knows no shape: they fade soon.
    n = np.where(p["hours"] < DAY, p["hours"], p["hours"] - DAY + 1.0)
    weight = 1.0 / (np.minimum(n, SCALE_HOURS) + 1.0)
    p["square"] += weight * (square - p["square"])
    at = np.arange(len(p))
    share = 1.0 / (np.minimum(p["day_visits"][at, bucket], SHAPE_WEEKS * 7) + 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(p["square"] > 0, square / p["square"], 1.0)
    old = p["day_square"][at, bucket]
    p["day_square"][at, bucket] = (old + share * (ratio - old)).astype(np.float32)


def _learn_extremes(p: NDArray[np.void], day: Ints, rows: Floats) -> None:
    """The day's largest error; when the day is over, what such a largest is like."""
    judged = np.isfinite(rows[:, SCALE]) & (p["hours"] >= 2 * DAY)
    over = (p["day"] != day) & (p["days"] >= 0) & (p["largest"] > 0)
    if over.any():
        _learn_day(p, over)
    largest = np.where(p["day"] != day, 0.0, p["largest"])
    p["largest"] = np.where(judged, np.maximum(largest, rows[:, LARGEST] / rows[:, SCALE]), largest)
    p["day"] = day


def _learn_day(p: NDArray[np.void], over: NDArray[np.bool_]) -> None:
    days = p["days"]
    # Where nothing is known yet, it is what the largest of n normals is: Gumbel's distribution,
    # at √(2 ln n), with π / √6 / √(2 ln n) as its deviation.
    place = np.sqrt(2.0 * np.log(np.maximum(p["rate"] * DAY, DAY)))
    extreme = np.where(days == 0, np.log(place), p["extreme"])
    spread = np.where(
        days == 0, GUMBEL_SD / place**2 / ABSOLUTE_TO_SIGMA, p["extreme_spread"]
    )
    off = np.log(np.maximum(p["largest"], place)) - extreme
    most = CLIP * ABSOLUTE_TO_SIGMA * spread
    clipped = np.clip(off, -most, most)
    weight = 1.0 / (np.minimum(days, EXTREME_DAYS) + 2.0)
    p["extreme"] = np.where(over, extreme + weight * clipped, p["extreme"])
    p["extreme_spread"] = np.where(
        over, spread + weight * (np.abs(clipped) - spread), p["extreme_spread"]
    )
    p["days"] = np.where(over, days + 1.0, days)


def _begin_anew(p: NDArray[np.void]) -> None:
    """Where a day's readings contradict the baseline, only the shape is kept, and little of it."""
    broken = p["contradicted"] > CONTRADICTED
    if not broken.any():
        return
    for name in ("hours", "readings", "trend", "carry", "carry_square", "carry_product",
                 "square", "contradicted", "days", "largest"):  # fmt: skip
        p[name] = np.where(broken, 0.0, p[name])
    for name in ("day_visits", "week_visits"):
        p[name] = np.where(broken[:, None], np.minimum(p[name], 1), p[name])
    p["day_square"] = np.where(broken[:, None], np.float32(1.0), p["day_square"])
