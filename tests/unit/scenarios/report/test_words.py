"""Numbers are written as people read them."""

import pytest

from fleetstorm.report import words


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (words.count(1234567), "1,234,567"),
        (words.counted(1, "shard"), "1 shard"),
        (words.counted(2, "shard"), "2 shards"),
        (words.rate(99_950.4), "99,950/s"),
        (words.ms(0.1234), "0.123 ms"),
        (words.ms(123.4), "123 ms"),
        (words.ms(12_345), "12.3 s"),
        (words.size(999), "999 B"),
        (words.size(1_500_000), "1.5 MB"),
        (words.size(306e9), "306 GB"),
        (words.seconds(59.94), "59.9 s"),
        (words.seconds(125), "2 min 5 s"),
        (words.seconds(7300), "2 h 2 min"),
        (words.share(0.3642), "36.4%"),
        (words.yes_no(True), "on"),
        (words.count(None), "—"),
        (words.value(None), "not measured"),
        (words.value(True), "true"),
        (words.value(0.0031), "0.0031"),
    ],
)
def test_words(written: str, expected: str) -> None:
    assert written == expected
