"""How the table of a matrix is printed."""

from fleetstorm.cli.matrix import _parts


def test_columns_that_do_not_fit_stand_in_a_further_part() -> None:
    assert _parts([3, 9, 10, 10, 10, 10], 2, 25) == [[2, 3], [4, 5]]


def test_a_column_wider_than_the_terminal_stands_alone() -> None:
    assert _parts([3, 40, 10], 1, 25) == [[1], [2]]


def test_all_columns_stand_side_by_side_where_there_is_room() -> None:
    assert _parts([3, 10, 10, 10], 1, 30) == [[1, 2, 3]]
