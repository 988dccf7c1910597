import msgspec

from chains.world_summary import summarise_world
from tests.worlds import CALL, START_US, default_levels, make_book, make_spec


def test_a_world_is_counted_whole() -> None:
    summary = summarise_world(make_spec())
    assert (summary.name, summary.start_us) == ("small", START_US)
    assert (summary.chains, summary.bridges, summary.series, summary.expiries) == (4, 6, 3, 2)
    assert summary.venues == {"order_book": 4}
    assert summary.offers == 4 * len(default_levels())
    assert summary.two_sided == 2
    assert summary.crossed == ()


def test_a_series_is_crossed_where_one_venue_buys_at_what_another_sells_for() -> None:
    cheap = make_book("east", [(CALL, "sell", 6_500_000, 1)])
    dear = make_book("hub", [(CALL, "buy", 6_500_000, 1)])
    assert summarise_world(msgspec.structs.replace(make_spec(), venues=(cheap, dear))).crossed == (CALL,)
    apart = make_book("hub", [(CALL, "buy", 6_499_999, 1)])
    assert summarise_world(msgspec.structs.replace(make_spec(), venues=(cheap, apart))).crossed == ()
