"""What data of other sizes would cost, and what is named as the first limit."""

import pytest

from dvelib.benchmarks.sizes import COUNTS, data_sizes, first_limits, measure_rates

RATES = {"bytes": 7e3, "decoded": 3e4, "counted": 1e5, "read": 1e3, "trained": 500}


def test_rates_are_measured():
    rates = measure_rates("cpu", 0.1, small=True)
    assert set(rates) == set(RATES) and all(value > 0 for value in rates.values())
    assert 1e3 < rates["bytes"] < 1e5 and rates["decoded"] == 3 * 40**2


def test_costs_grow_with_the_number_of_pictures():
    sizes = data_sizes(RATES)
    million = sizes.loc["a million"]
    assert million["stored GB"] == pytest.approx(7) and million["decoded GB"] == pytest.approx(30)
    assert million["training hours"] == pytest.approx(1e6 / 500 / 3600)
    assert million["network MB/s"] == pytest.approx(3.5)
    assert list(sizes["pictures"]) == list(COUNTS.values())


def test_the_first_limit_follows_from_memory_and_disk():
    small, million, large = first_limits(data_sizes(RATES), memory=8e9, disk=200e9)
    assert "fit in memory" in small and "0.1 hours an epoch" in small
    assert "memory is the first limit" in million and "512 MiB" in million
    assert "must be read over a network" in large and "55.6 hours an epoch" in large
    fits = first_limits(data_sizes(RATES), memory=8e9, disk=1e12)[2]
    assert "the shards (700 GB) do" in fits
