"""Commands that talk to a server say in one line what is wrong with what they were given."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.command_runs import Run, make_run
from tests.services import ALICE, make_message


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    return make_run(monkeypatch, capsys)


@contextmanager
def answering(body: bytes) -> Iterator[str]:
    """A server that is no market: it answers 200 and these bytes to whatever it is asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"{}", b"[]", b"5", b'{"eip712": 5}'])
def test_signing_for_what_is_no_market_is_one_line(tmp_path: Path, run: Run, body: bytes) -> None:
    (tmp_path / "order.json").write_text(
        json.dumps({"kind": "OptionIntent", "intent": make_message(ALICE, 1)})
    )
    (tmp_path / "key").write_text("01" * 32)
    with answering(body) as url:
        answer = run("sign", "order.json", "--key-file", "key", "--url", url)
    assert (answer.status, answer.out) == (1, "")
    assert answer.err.startswith(f"solvent: {url}: /v1/market is not that of a market")
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize("content", ["[" * 200_000, '{"a":' * 200_000, "{", "[]", "\udcff"])
def test_posting_a_file_that_holds_no_message_is_one_line(tmp_path: Path, run: Run, content: str) -> None:
    (tmp_path / "signed.json").write_text(content, errors="surrogateescape")
    answer = run("post", "signed.json", "--url", "http://127.0.0.1:1")
    assert (answer.status, answer.out) == (1, "")
    assert answer.err.startswith("solvent: signed.json: ")
    assert answer.err.count("\n") == 1
