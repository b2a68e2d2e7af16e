"""Safe by default: who is answered, what is stored how, and what is never said."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.server.conftest import SLOW, Served, numbered

if TYPE_CHECKING:
    from tests.conftest import Database

pytestmark = pytest.mark.once

TOKEN = "0123456789abcdef-canary"
PASSWORD = "s3cr3t-canary"


def refused(tmp_path: Path, *options: str, **environment: str) -> str:
    """What the program says when it does not serve."""
    ended = subprocess.run(
        [sys.executable, "-m", "tui_importer", "serve", *(() if "--port" in options else ("--port", "0")), *options],
        cwd=tmp_path,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stdout == ""
    [line] = ended.stderr.splitlines()
    return line


@pytest.mark.once
def test_public_address_requires_a_token(tmp_path: Path) -> None:
    assert "a token is required" in refused(tmp_path, "--host", "0.0.0.0")
    assert "a token is required" in refused(tmp_path, "--allow-host", "imports.example")
    assert "16 or more" in refused(tmp_path, TUI_IMPORTER_SERVER_TOKEN="short")
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "token").chmod(0o644)
    assert "chmod 600" in refused(tmp_path, "--token-file", "token")
    assert "cannot read the token" in refused(tmp_path, "--token-file", "nowhere")


@pytest.mark.once
def test_invalid_server_configuration_is_refused_in_one_line(tmp_path: Path, shared: Served) -> None:
    port = shared.url.rpartition(":")[2]
    assert f"cannot listen on 127.0.0.1 port {port}" in refused(tmp_path, "--port", port)
    uploads = shared.state / "tui-importer" / "uploads"
    assert "another server is at work" in refused(tmp_path, "--uploads", str(uploads))
    (tmp_path / "open").mkdir(mode=0o755)
    assert "private folder" in refused(tmp_path, "--uploads", "open")
    assert "--table" in refused(tmp_path, "--schema", "infer")
    assert "unknown strategy" in refused(tmp_path, "--strategy", "magic")
    assert "not the client's to choose" in refused(tmp_path, "--table", "{sheet}")


def test_missing_server_extra_is_reported_with_the_install_command(tmp_path: Path) -> None:
    (tmp_path / "starlette.py").write_text("raise ModuleNotFoundError('no starlette', name='starlette')")
    line = refused(tmp_path, PYTHONPATH=str(tmp_path))
    assert line.endswith("serving needs starlette, which is not installed: pip install 'tui-importer[server]'")


def test_runs_are_hidden_without_the_token(serve: Callable[..., Served]) -> None:
    served = serve("--db", "t.db", "--table", "t", token=TOKEN)
    id_ = served.begin(numbered(5))
    served.ended(id_)
    for headers in ({}, {"Authorization": "Bearer wrong-token-000000"}, {"Authorization": f"Basic {TOKEN}"}):
        for method, path in (
            ("GET", "/runs"),
            ("GET", f"/runs/{id_}"),
            ("GET", f"/runs/{id_}/events"),
            ("GET", f"/runs/{id_}/rejects"),
            ("GET", "/metrics"),
            ("POST", "/upload"),
            ("POST", "/runs"),
            ("POST", f"/runs/{id_}/cancel"),
            ("DELETE", f"/runs/{id_}"),
            ("GET", "/nothing"),
        ):
            answer = httpx.request(method, served.url + path, headers=headers)
            assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    for path in ("/", "/page.js", "/page.css", "/health", "/openapi.json"):
        assert httpx.get(served.url + path).status_code == 200


def test_foreign_hosts_and_origins_are_refused(shared: Served) -> None:
    port = shared.url.rpartition(":")[2]
    for host, status in (("localhost", 200), (f"127.0.0.1:{port}", 200), ("[::1]:80", 200), ("evil.example", 403)):
        assert shared.client.get("/runs", headers={"Host": host}).status_code == status
    assert shared.client.get("/health", headers={"Host": "evil.example"}).status_code == 403
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://localhost:{port}"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        answer = shared.post("/runs", numbered(1), headers=headers)
        assert answer.status_code == 403
        assert "another site" in answer.json()["error"]
    ours = {"Origin": shared.url, "Sec-Fetch-Site": "same-origin"}
    assert shared.post("/runs?dry_run=true", numbered(1), headers=ours).status_code == 202


def test_every_response_has_security_headers(shared: Served) -> None:
    for path in ("/", "/health", "/nothing", "/runs?x=1"):
        headers = shared.client.get(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Server" not in headers
        assert not [name for name in headers if name.lower().startswith("access-control")]


def test_too_large_file_is_refused_before_and_during_the_upload(serve: Callable[..., Served]) -> None:
    served = serve("--db", "t.db", "--table", "t", "--max-upload", "0.05")
    large = numbered(10_000)
    assert served.post("/upload", large).status_code == 413

    def pieces() -> object:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
        for start in range(0, len(large), 10_000):
            yield large[start : start + 10_000]
        yield b"\r\n--x--\r\n"

    answer = served.client.post(
        "/runs",
        content=pieces(),  # type: ignore[arg-type]
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    assert answer.status_code == 413
    assert "52,428 bytes" in answer.json()["error"]
    assert served.uploads == []
    padding = b"--x\r\nX-Padding: " + b"y" * 3_000 + b"\r\n" * 1 + b"X: y\r\n" * 3_000
    answer = served.client.post("/runs", content=padding, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert answer.status_code == 400
    assert served.uploads == []


def test_too_slow_upload_is_aborted(serve: Callable[..., Served]) -> None:
    served = serve("--db", "t.db", "--table", "t", "--idle-timeout", "0.3")
    with served.half_an_upload() as connection:
        answer = b""
        while not answer.endswith(b"}"):
            answer += connection.recv(10_000)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"too slowly" in answer
    assert served.uploads == []


def test_idle_connection_is_closed(serve: Callable[..., Served]) -> None:
    served = serve("--db", "t.db", "--table", "t", "--idle-timeout", "0.5")
    port = int(served.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=60) as silent:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as slow:
            slow.sendall(b"GET /health HTTP/1.1\r\nHost: loc")
            assert slow.recv(1_000) == b""
        assert silent.recv(1_000) == b""
    # One on which something goes on is not.
    with served.client.stream("GET", f"/runs/{served.begin(numbered(20), **SLOW)}/events") as answer:
        assert answer.read().decode().count("event: end\n") == 1


def test_database_error_does_not_reveal_the_address(serve: Callable[..., Served], tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "t.db").write_bytes(b"no database at all, " * 100)
    served = serve("--db", "t.db", "--table", "t")
    answer = served.post("/upload", numbered(3))
    assert answer.status_code >= 500
    said = answer.text + served.client.get(f"/runs/{answer.json()['id']}").text
    said += served.client.get(f"/runs/{answer.json()['id']}/events").text
    assert str(tmp_path) not in said
    assert served.client.get("/health").status_code == 503


def test_client_file_names_are_shown_but_never_opened(shared: Served) -> None:
    for given, shown in (
        ("../../../etc/passwd.csv", "passwd.csv"),
        ("C:\\Users\\me\\b\u202egnp.csv", "b\\u202egnp.csv"),
        ("x" * 300 + ".csv", "x" * 100 + "…" + "x" * 15 + ".csv"),
        ("<img src=x onerror=alert(1)>.CSV", "<img src=x onerror=alert(1)>.CSV"),
        (".csv.csv", ".csv.csv"),
    ):
        answer = shared.post("/runs?dry_run=true", numbered(2), given)
        assert answer.status_code == 202, answer.text
        run = shared.ended(answer.json()["id"])
        assert (run["file"], run["outcome"]) == (shown, "complete")
    assert not [path for path in shared.state.rglob("*") if "passwd" in path.name or "gnp" in path.name]


def test_uploads_are_readable_only_by_their_owner(serve: Callable[..., Served]) -> None:
    old = os.umask(0)
    try:
        served = serve("--db", "t.db", "--table", "t", anew=True)
    finally:
        os.umask(old)
    served.at_work(served.begin(numbered(60), **SLOW))
    uploads = served.state / "tui-importer" / "uploads"
    found = {path: stat.S_IMODE(path.stat().st_mode) for path in [uploads, *uploads.rglob("*")]}
    assert {mode for path, mode in found.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in found.items() if path.is_file()} == {0o600}


@pytest.mark.once
def test_no_secret_is_logged_or_stored(serve: Callable[..., Served], postgres: Database) -> None:
    url = postgres.url.replace("postgres@", f"postgres:{PASSWORD}@")
    served = serve("--table", "t", token=TOKEN, environment={"TUI_IMPORTER_DB": url})
    said = []
    id_ = served.begin(numbered(120, bad=2), **SLOW)
    served.at_work(id_)
    [engine] = served.engines()
    assert TOKEN not in str(engine.environ())
    for process in (engine, served.process):
        assert PASSWORD not in Path(f"/proc/{process.pid}/cmdline").read_text()
        assert TOKEN not in Path(f"/proc/{process.pid}/cmdline").read_text()
    served.ended(id_)
    said.append(served.post("/upload", b"a,b\n1,2\n").text)  # columns that the table does not have
    of_run = ("", "/events?rejects=true", "/rejects", "/rejects?format=xlsx")
    said += [served.client.get(f"/runs/{id_}{path}").text for path in of_run]
    said += [served.client.get(path).text for path in ("/runs", "/health", "/metrics", "/openapi.json", "/")]
    assert str(served.state) not in "".join(said)
    assert "postgresql://" not in "".join(said)
    kept = [path.read_bytes() for path in served.state.rglob("*") if path.is_file()]
    assert len(kept) > 5
    for text in (*said, served.log.read_text(), *(data.decode("latin-1") for data in kept)):
        assert PASSWORD not in text
        assert TOKEN not in text
