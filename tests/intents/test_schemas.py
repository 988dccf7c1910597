"""The models of signed messages follow the EIP-712 type table."""

import msgspec
import pytest
from pydantic import BaseModel, ValidationError

from intents.schemas import SentCancelBelow, SentCancelIntents, SentOptionIntent, SignedOptionIntent
from intents.typed_data import TYPES
from tests.services import ALICE, make_message


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (SignedOptionIntent, "OptionIntent"),
        (SentOptionIntent, "OptionIntent"),
        (SentCancelIntents, "CancelIntents"),
        (SentCancelBelow, "CancelBelow"),
    ],
)
def test_a_model_has_the_members_of_its_type(model: type[BaseModel], name: str) -> None:
    assert tuple(model.model_fields) == tuple(member.name for member in TYPES[name])


def test_what_is_sent_may_write_integers_as_text_and_what_is_answered_does_not() -> None:
    text = make_message(ALICE, 1, limit="-8000000")
    assert SentOptionIntent.model_validate_json(msgspec.json.encode(text))
    for limit in ("1.5", "0x10", "", "1e3", 1.5):
        with pytest.raises(ValidationError):
            SentOptionIntent.model_validate_json(msgspec.json.encode(text | {"limit": limit}))
