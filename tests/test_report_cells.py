"""How a table's values are written for people."""

import pandas as pd

from flexibert.report.cells import DASH, cells_of


def test_numbers_of_one_column_have_equally_many_decimals():
    table = pd.DataFrame(
        {
            "cola": [77.6, 51.0, None],
            "parameters": [666496.0, 1e9, 5.0],
            "learning_rate": [0.001, 2.345678e-4, 0.5],
            "score": [70.0, 3.14159, 1.0],
            "jobs": [1234, 5, 6],
        }
    )
    rows = [[cell.text for cell in row] for row in cells_of(table)["rows"]]
    assert rows[0] == ["77.6", "666,496", "0.001", "70.00", "1,234"]
    assert rows[1] == ["51.0", "1,000,000,000", "0.000235", "3.14", "5"]
    assert rows[2] == [DASH, "5", "0.5", "1.00", "6"]


def test_a_small_cost_is_told_from_none():
    rows = cells_of(pd.DataFrame({"core_hours": [1.5, 0.0004, 0.0]}))["rows"]
    assert [row[0].text for row in rows] == ["1.500", "<0.001", "0.000"]


def test_words_and_heads():
    table = pd.DataFrame(
        {"flops_per_token": [1.0], "homogeneous": [True], "asked_for": ["diversity"], "source": [None]}
    )
    cells = cells_of(table)
    assert cells["heads"] == [
        ("FLOPs a token", True),
        ("homogeneous", False),
        ("asked for by", False),
        ("source", False),
    ]
    assert [(cell.text, cell.number) for cell in cells["rows"][0][:3]] == [
        ("1", True),
        ("yes", False),
        ("diversity", False),
    ]
    assert cells["rows"][0][3].text == DASH


def test_a_table_without_rows_has_none():
    assert cells_of(pd.DataFrame(columns=["a", "b"]))["rows"] == []
    assert cells_of(pd.DataFrame())["rows"] == []
