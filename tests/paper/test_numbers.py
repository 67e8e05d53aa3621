import numpy as np
import pytest

from dvelib import StudyError
from dvelib.paper.numbers import published_numbers, published_tables


def test_all_seventeen_tables_are_there():
    tables = published_tables()
    assert len(tables) == 17
    assert all(table["heading"] and table["rows"] for table in tables.values())


@pytest.mark.parametrize("table", published_tables())
def test_experiments_are_distinct_and_have_numbers(table):
    numbers = published_numbers(table)
    assert len(numbers) == len(published_tables()[table]["rows"])
    for values in numbers.values():
        assert values and all(value > 0 for value in values.values())


@pytest.mark.parametrize("table", published_tables())
def test_printed_numbers_are_the_exact_ones_rounded(table):
    for row in published_tables()[table]["rows"]:
        # A mean over runs stands together with its deviation.
        exact = [row["exact"][name] for name in row["readme"] if name in row["exact"]]
        assert list(row["readme"].values()) == pytest.approx(np.ravel(exact).tolist(), abs=0.0051)


def test_exchange_halves_the_error_across_identities():
    numbers = published_numbers("A1_dve_matching")
    assert numbers["celeba-smallnet-64d"]["different-identity"] == 5.68
    assert numbers["celeba-smallnet-64d-dve"]["different-identity"] == 2.77


def test_an_unknown_table_is_answered_with_the_known_ones():
    with pytest.raises(StudyError, match="no published table 'A9': choose among T1_.*, L1_"):
        published_numbers("A9")
