from msgspec.structs import replace

from solvers.auction import Auction, Payoff
from solvers.codec import decode, encode
from tests.builders import CALL, CUT_US, HIGH, make_auction, make_mark, make_offer, make_order, make_reference

MARK = make_mark(CALL)


def full_auction() -> Auction:
    payoff = Payoff(underlying="BTC", expiry=1_782_460_800, knots=((0, 5), (10, -3)), slope=-1)
    return make_auction(
        orders=(
            make_order("legs", {CALL: 2, HIGH: -4}, -7, group="g"),
            make_order("target", {}, 9, payoff=payoff, delivery="claim"),
        ),
        offers=(make_offer("hub-book", CALL, "sell", 1, 2, firm_until_us=CUT_US),),
        marks=(MARK,),
        reference=(make_reference("hub", {CALL: 1, HIGH: -2}, units=2, price=-3),),
    )


def test_auction_file_survives_reading_and_writing_byte_for_byte() -> None:
    content = encode(full_auction())
    assert encode(decode(content, Auction)) == content


def test_marks_are_outside_the_content_hash_and_everything_else_is_inside() -> None:
    auction = full_auction()
    moved = replace(auction, marks=(replace(MARK, price=2.5),))
    assert moved.content_hash == auction.content_hash
    fields = set(Auction.__struct_fields__) - {"marks", "format"}
    changed = {
        "auction": "other",
        "cut_us": CUT_US + 1,
        "solve_us": 1,
        "hub": "east",
        "rules": replace(auction.rules, skew_us=1),
    } | dict.fromkeys(fields - {"auction", "cut_us", "solve_us", "hub", "rules"}, ())
    hashes = {replace(auction, **{name: value}).content_hash for name, value in changed.items()}
    assert len(hashes | {auction.content_hash}) == len(fields) + 1


def test_package_of_an_order_is_reduced_and_sorted() -> None:
    order = make_order("a", {HIGH: -4, CALL: 2}, 5)
    assert order.package == (((CALL, 1), (HIGH, -2)), 2)


def test_least_units_are_never_more_than_what_is_left() -> None:
    assert make_order("a", {CALL: 1}, 5, units=3, min_units=5).least_units == 3
    assert make_order("a", {CALL: 1}, 5, units=3, min_units=2).least_units == 2


def test_deals_are_prepared_when_the_window_ends() -> None:
    auction = make_auction()
    assert auction.prepare_us == auction.cut_us + auction.solve_us
