"""Settings: where a value comes from, and what is refused."""

from dataclasses import fields

import pytest

from intents.errors import SettingsError
from intents.settings import SETTINGS, Settings, load_settings, parse_rules
from solvers.auction import Rules


def test_without_flags_and_variables_every_setting_has_its_default() -> None:
    assert load_settings({}, {}) == Settings()
    assert load_settings({"port": None}, {"PATH": "/bin", "SOLVENTS": "x"}) == Settings()


def test_a_flag_wins_over_the_environment_which_wins_over_the_default() -> None:
    environment = {"SOLVENT_PORT": "9001", "SOLVENT_SEED": "7"}
    settings = load_settings({"port": 9002}, environment)
    assert (settings.port, settings.seed, settings.host) == (9002, 7, "127.0.0.1")


def test_text_is_read_by_the_kind_of_the_setting() -> None:
    environment = {
        "SOLVENT_SOLVERS": "greedy, mine.py:Mine,",
        "SOLVENT_RULES": "fee_per_lot=0,lock_margin=5/3",
        "SOLVENT_DATABASE": "sqlite:////var/market.db",
    }
    settings = load_settings({}, environment)
    assert settings.solvers == ("greedy", "mine.py:Mine")
    assert settings.rules == Rules(fee_per_lot=0, lock_margin=(5, 3))
    assert settings.database == "sqlite:////var/market.db"
    assert load_settings({}, {"SOLVENT_SOLVERS": ""}).solvers == ()


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"SOLVENT_PROT": "1"}, "SOLVENT_PROT"),
        ({"SOLVENT_PORT": "http"}, "SOLVENT_PORT"),
        ({"SOLVENT_PORT": "70000"}, "70000"),
        ({"SOLVENT_SEED": "-1"}, "seed"),
        ({"SOLVENT_ROUND_US": "1000", "SOLVENT_SOLVE_US": "2000"}, "solve_us"),
        ({"SOLVENT_FAUCET_MAX": str(2**53)}, "faucet_max"),
        ({"SOLVENT_BOND": "-1"}, "bond: -1"),
        ({"SOLVENT_ABORT_FEE": str(10**13 + 1)}, "abort_fee"),
        ({"SOLVENT_RULES": "reward_share_bps=10000"}, "reward_share_bps"),
        ({"SOLVENT_VERIFYING_CONTRACT": "0x12"}, "0x12"),
        ({"SOLVENT_DATABASE": ""}, "database"),
        ({"SOLVENT_SOLVERS": "greedy,greedy"}, "greedy"),
        ({"SOLVENT_RULES": "fee=1"}, "'fee'"),
        ({"SOLVENT_RULES": "fee_per_lot=half"}, "half"),
        ({"SOLVENT_RULES": "orders_max=0"}, "orders_max"),
        ({"SOLVENT_RULES": "lock_margin=3"}, "lock_margin"),
    ],
)
def test_what_has_no_sense_is_refused_and_named(environment: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load_settings({}, environment)


def test_an_unknown_flag_is_refused() -> None:
    with pytest.raises(SettingsError, match="colour"):
        load_settings({"colour": "red"}, {})


def test_no_rules_named_leaves_them_all_at_their_defaults() -> None:
    assert parse_rules("") == Rules()


def test_every_setting_is_documented_and_can_be_given_by_its_variable() -> None:
    assert [setting.name for setting in SETTINGS] == [each.name for each in fields(Settings)]
    for setting in SETTINGS:
        assert setting.doc
        assert setting.flag.startswith("--")
        assert load_settings({}, {setting.variable: setting.default}) == Settings()
