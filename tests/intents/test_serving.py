"""A server in a thread: reachable over HTTP, moved from outside, and gone when it is left."""

from pathlib import Path

import httpx
import pytest

from intents.errors import DemoError, SettingsError
from intents.serving import LocalServer
from tests.services import make_settings
from tests.worlds import START_US


def test_a_local_server_answers_runs_rounds_and_ends(tmp_path: Path) -> None:
    with LocalServer(make_settings(tmp_path, port=0), simulated_start_us=START_US) as server:
        assert httpx.get(f"{server.url}/healthz").is_success
        summary = server.run_round()
        server.advance_to(summary.decided_us + 1_000_000)
        assert server.call(lambda service: service.now_us()) == summary.decided_us + 1_000_000
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{server.url}/healthz")


def test_what_fails_in_the_thread_is_raised_to_the_caller(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, port=0)
    with LocalServer(settings, simulated_start_us=START_US) as server:
        with pytest.raises(ValueError, match="cannot go back"):
            server.advance_to(START_US - 1)
        (tmp_path / "other").mkdir()
        taken = make_settings(tmp_path / "other", port=int(server.url.rsplit(":", 1)[1]))
        with (
            pytest.raises(SettingsError, match="cannot listen"),
            LocalServer(taken, simulated_start_us=START_US),
        ):
            pass


def test_a_server_that_does_not_run_takes_no_calls(tmp_path: Path) -> None:
    server = LocalServer(make_settings(tmp_path, port=0), simulated_start_us=START_US)
    with pytest.raises(DemoError):
        server.call(lambda service: service.now_us())
