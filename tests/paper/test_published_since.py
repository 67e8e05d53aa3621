"""Numbers published after DVE: each protocol keeps to itself."""

from dvelib.paper.published_since import PROTOCOLS, PUBLISHED_SINCE, numbers_of
from dvelib.tables.describer_views import published_since


def test_every_number_has_a_measure_of_its_protocol():
    names = {protocol.name: protocol for protocol in PROTOCOLS}
    for numbers in PUBLISHED_SINCE:
        assert len(numbers.numbers) == len(names[numbers.protocol].measures)
        assert numbers.reported_by
    assert sum(len(list(numbers_of(protocol))) for protocol in PROTOCOLS) == len(PUBLISHED_SINCE)


def test_no_column_holds_numbers_of_two_protocols():
    frame = published_since()
    measured = frame.drop(columns=["protocol", "regressor", "reported by"], level=0)
    for column in measured:
        assert frame.loc[frame[column].notna(), ("protocol", "")].nunique() == 1
    assert frame["regressor", ""].notna().sum() == 9
