from hypothesis import given
from hypothesis import strategies as st

from chains.agenda import Agenda, Priority

entries = st.lists(st.tuples(st.integers(0, 20), st.sampled_from(Priority)), max_size=40)


@given(entries)
def test_entries_come_by_time_then_priority_then_order_of_entry(given_: list[tuple[int, Priority]]) -> None:
    agenda: Agenda[int] = Agenda()
    for number, (at_us, priority) in enumerate(given_):
        agenda.enter(at_us, priority, number)
    expected = sorted((at_us, priority, number) for number, (at_us, priority) in enumerate(given_))
    taken = []
    while (due := agenda.pop_due(20)) is not None:
        taken.append((due.at_us, due.priority, due.entry))
    assert taken == expected
    assert agenda.next_us() is None


def test_nothing_is_taken_before_it_is_due() -> None:
    agenda: Agenda[str] = Agenda()
    agenda.enter(10, Priority.FLOW, "flow")
    assert agenda.pop_due(9) is None
    assert agenda.next_us() == 10
    due = agenda.pop_due(10)
    assert due is not None
    assert due.entry == "flow"
