"""The harness fails where a reader would, and leaves no process behind."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import rmtree

import pytest

from tests.attempts import attempts
from tests.docs.running import session
from tests.docs.running.commands import parse
from tests.docs.running.session import CommandFailed, Session
from tests.processes import ROOT, wait_until

Run = Callable[[str], None]


class StatusInPath(BaseHTTPRequestHandler):
    """Answers `/404` with 404, and so on."""

    def do_GET(self) -> None:
        self.send_response(int(self.path.strip("/")))
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"body\n")

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), StatusInPath)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "checkout").mkdir()
    return tmp_path


@pytest.fixture
def run(folder: Path, port: int) -> Run:
    """Run a page; the server of statuses listens on its port 8000."""

    def run(markdown: str) -> None:
        page = parse("page.md", markdown)
        for old in ("tmp", "tools", "steps"):
            rmtree(folder / old, ignore_errors=True)
        with Session(page, folder, folder / "checkout", {8000: port}) as session:
            session.run()

    return run


def sh(*lines: str, marker: str = "", language: str = "sh") -> str:
    above = f"<!-- {marker} -->\n" if marker else ""
    return "\n".join(["", f"{above}```{language}", *lines, "```", ""])


def ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def pid_in(path: Path) -> int:
    wait_until(lambda: path.exists() and path.read_text().endswith("\n"), seconds=10)
    return int(path.read_text())


def test_a_wrong_command_fails_and_the_failure_has_all_to_mend_it(run: Run) -> None:
    page = "# A page\n" + sh("true") + sh("echo before", "ls nothing-of-this-name", "echo after")
    with pytest.raises(CommandFailed) as failure:
        run(page)
    text = str(failure.value)
    assert text.startswith("page.md:8: exit code 2\n")
    assert "ls nothing-of-this-name\necho after" in text
    assert "before\n" in text.partition("--- output")[2]
    assert "cannot access" in text


@pytest.mark.parametrize("line", ["false | true", "echo $NOBODY_SET_THIS", "x=$(false)", "if"])
def test_a_mistake_that_bash_forgives_fails(run: Run, line: str) -> None:
    with pytest.raises(CommandFailed):
        run(sh(line))


def test_variables_exports_and_folder_carry_over_to_later_blocks(run: Run) -> None:
    run(
        sh("NAME=house", "export COLOUR=red", "mkdir -p /tmp/sub", "cd /tmp/sub")
        + sh('[ "$NAME $COLOUR" = "house red" ]', '[ "$PWD" = /tmp/sub ]')
        + sh("import os", "assert os.environ['COLOUR'] == 'red'", language="python")
    )


def test_a_python_block_that_raises_fails(run: Run) -> None:
    with pytest.raises(CommandFailed, match="ZeroDivisionError"):
        run(sh("1 / 0", language="python"))


def test_files_in_tmp_go_to_the_tests_folder(run: Run, folder: Path) -> None:
    run(sh("echo hello > /tmp/greeting.txt"))
    assert (folder / "tmp" / "greeting.txt").read_text() == "hello\n"


def test_a_marked_block_is_written_to_its_file(run: Run, folder: Path) -> None:
    run(
        sh("listen 9000;", marker="writes: /tmp/site.conf", language="nginx")
        + sh("curl -sS http://127.0.0.1:9000/ || grep -q listen /tmp/site.conf")
    )
    # 9000 stands in an address of the page, so a free port replaces it everywhere.
    assert (folder / "tmp" / "site.conf").read_text() != "listen 9000;\n"
    with pytest.raises(CommandFailed, match="outside"):
        run(sh("x", marker="writes: ../../x", language="ini"))


def test_a_part_of_a_file_is_not_run_but_its_file_exists(run: Run, folder: Path) -> None:
    page = sh("1 / 0", marker="part of: looks.py", language="python")
    with pytest.raises(CommandFailed, match=r"page\.md:4: no file looks\.py"):
        run(page)
    (folder / "checkout" / "looks.py").touch()
    run(page)


def test_an_unchanged_number_is_no_port(run: Run) -> None:
    run(sh('[ "8000 x 8001, max=9000" = "8000 x 8001, max=9000" ]', "curl -sS localhost:8000/200"))


@pytest.mark.parametrize("flags", ["-sS", "-sSf", "-sS -L", "-sS -o /tmp/body"])
def test_an_http_error_fails(run: Run, flags: str) -> None:
    run(sh(f"curl {flags} http://127.0.0.1:8000/200"))


@pytest.mark.parametrize("flags", ["-sS", "-sSf", "-sS -L", "-sS -o /tmp/body", "-sSv"])
@pytest.mark.parametrize("status", [404, 500])
def test_an_answer_of_400_or_more_fails(run: Run, flags: str, status: int) -> None:
    with pytest.raises(CommandFailed, match="exit code 22"):
        run(sh(f"curl {flags} http://localhost:8000/{status} | cat"))


def test_a_refused_block_has_to_get_its_status_last(run: Run) -> None:
    refused = "refused: 422"
    run(sh("curl -sS http://127.0.0.1:8000/422", marker=refused) + sh("true"))
    run(sh("curl -sS http://127.0.0.1:8000/20{0,1}", "curl -sS localhost:8000/422", marker=refused))
    for last, message in (("200", "got 200, not 422"), ("404", "exit code 22")):
        with pytest.raises(CommandFailed, match=message):
            run(sh(f"curl -sS http://127.0.0.1:8000/{last}", marker=refused))
    with pytest.raises(CommandFailed, match="no request"):
        run(sh("true", marker=refused))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('echo \'{"code": "gone", "id": 1}\'', ""),
        ('echo \'{"code": "gone"}\'', ""),
        ('echo \'{"code": "conflict", "id": 2}\'', "not the one of line 8"),
        ('echo \'{"code": "gone", "id": 2, "more": 3}\'', "not the one of line 8"),
        ("echo gone", "does not end with JSON"),
    ],
)
def test_an_answer_has_to_be_the_one_of_the_page_except_for_a_member(
    run: Run, line: str, message: str
) -> None:
    page = sh(line) + sh('{"code": "gone", "id": 2}', marker="answer except: id", language="json")
    with pytest.raises(CommandFailed, match=message) if message else nullcontext():
        run(page)


def test_a_status_is_refused_in_its_block_alone(run: Run) -> None:
    page = sh("curl -sS http://127.0.0.1:8000/422", marker="refused: 422")
    with pytest.raises(CommandFailed, match=r"page.md:8: exit code 22"):
        run(page + sh("curl -sS http://127.0.0.1:8000/422"))


SERVER = "from http.server import *", "import sys", "port = int(sys.argv[1])", ""
SERVE = "HTTPServer(('127.0.0.1', port), SimpleHTTPRequestHandler).serve_forever()"


def test_a_block_that_keeps_running_is_awaited_and_ended(run: Run, folder: Path) -> None:
    run(
        sh(*SERVER, SERVE, marker="writes: /tmp/server.py", language="python")
        + sh(
            "echo $BASHPID > /tmp/pid",
            "python3 /tmp/server.py 9000",
            marker="keeps running: http://127.0.0.1:9000/",
        )
        + sh("curl -sS http://127.0.0.1:9000/")
    )
    assert ended(pid_in(folder / "tmp" / "pid"))


def test_a_server_that_ends_by_itself_fails_its_page(run: Run) -> None:
    with pytest.raises(CommandFailed, match="ended by itself, exit code 7"):
        run(sh("exit 7", marker="keeps running: http://127.0.0.1:9000/"))
    handle_once = SERVE.replace("serve_forever", "handle_request")
    with pytest.raises(CommandFailed, match="ended by itself, exit code 0"):
        run(
            sh(*SERVER, handle_once, marker="writes: /tmp/server.py", language="python")
            + sh("python3 /tmp/server.py 9000", marker="keeps running: http://127.0.0.1:9000/")
            + sh("wait")
        )


@pytest.mark.parametrize("before", ["", "nohup ", "setsid ", "cd /tmp; env -i setsid "])
def test_processes_in_the_background_end_with_the_page(run: Run, folder: Path, before: str) -> None:
    begins = "until test -s /tmp/pid; do sleep 0.05; done"
    run(sh(f"{before}sh -c 'echo $$ > /tmp/pid; exec sleep 600' &", begins))
    wait_until(lambda: ended(pid_in(folder / "tmp" / "pid")), seconds=10)


def test_a_hanging_block_fails_in_time(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "BLOCK_SECONDS", 0.5)
    for attempt in attempts():
        with pytest.raises(CommandFailed, match="not done in time"):
            run(sh("sh -c 'echo $$ > /tmp/pid; exec sleep 600'"))
        with attempt:  # on a busy machine, the time may end before it has begun
            assert ended(pid_in(folder / "tmp" / "pid"))


def test_a_block_has_more_time_on_a_machine_that_has_other_work(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "BLOCK_SECONDS", 0.5)
    monkeypatch.setattr("os.getloadavg", lambda: (1000.0, 1000.0, 1000.0))
    for attempt in attempts(CommandFailed):
        with attempt:
            run(sh("sleep 0.7"))
    monkeypatch.setattr("os.getloadavg", lambda: (0.0, 0.0, 0.0))
    with pytest.raises(CommandFailed, match="not done in time"):
        run(sh("sleep 0.7"))


def test_processes_end_when_the_tests_are_killed(folder: Path) -> None:
    """Bash reads the end of its input then, and ends all that it has started."""
    page = sh("sh -c 'echo $$ > /tmp/pid; exec sleep 600' &") + sh("echo > /tmp/done; sleep 1")
    program = "\n".join(
        [
            "from pathlib import Path",
            "from tests.docs.running.commands import parse",
            "from tests.docs.running.session import Session",
            f"folder = Path({str(folder)!r})",
            f"with Session(parse('page.md', {page!r}), folder, folder / 'checkout') as session:",
            "    session.run()",
        ]
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT) as process:
        pid = pid_in(folder / "tmp" / "pid")
        wait_until((folder / "tmp" / "done").exists, seconds=10)
        process.kill()
    try:
        wait_until(lambda: ended(pid), seconds=10)
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
