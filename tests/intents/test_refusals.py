"""The codes are a closed, documented list, and a refusal is small whatever was sent."""

import json
from typing import Any

import msgspec
import pytest

from intents.refusals import Code, Refused, refuse


def test_every_code_says_in_one_line_what_it_means() -> None:
    for code in Code:
        assert code.meaning
        assert "\n" not in code.meaning
        assert len(code.meaning) < 100
        assert str(code) == code.value == code.name.lower()
    assert len({code.meaning for code in Code}) == len(Code)


def test_a_refusal_defaults_to_the_meaning_of_its_code() -> None:
    assert refuse(Code.EXPIRED, "validUntil", 5) == Refused(
        code=Code.EXPIRED, field="validUntil", value=5, message=Code.EXPIRED.meaning
    )


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -3,
        2**53,
        -(2**300),
        1.5,
        "x" * 10**5,
        [[1]] * 10**4,
        {"a": {}},
        b"\xff" * 10**4,
        10**4_000,
    ],
)
def test_what_a_refusal_shows_is_small_json(value: Any) -> None:
    sent = msgspec.json.encode(refuse(Code.MALFORMED, "field", value))
    assert len(sent) < 500
    assert json.loads(sent)["code"] == "malformed"


@pytest.mark.parametrize("value", [None, True, False, 0, -(2**53) + 1, 2**53 - 1, "text"])
def test_small_values_are_shown_as_they_are(value: Any) -> None:
    shown = refuse(Code.MALFORMED, "field", value).value
    assert shown == value
    assert type(shown) is type(value)
