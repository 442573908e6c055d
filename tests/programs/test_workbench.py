"""`engines/jupyterlab/workbench.py`: one person's server, its token and its end."""
import contextlib
import http.client
import http.server
import io
import json
import os
import pathlib
import stat
import tempfile
import threading
import unittest
from unittest import mock

import program


class Notebook(http.server.BaseHTTPRequestHandler):
    """As much of a Jupyter server as the watch asks for."""

    protocol_version = "HTTP/1.0"

    def do_GET(self):
        state = self.server.state
        guarded = self.path != "/api"
        if guarded and state["guarded"] and self.headers.get("Authorization") != "token t":
            return self.answer(403, {})
        if self.path.startswith("/api/kernels"):
            return self.answer(200, [{"execution_state": state["kernel"]}])
        return self.answer(state["status"], {"last_activity": state["last"]})

    def answer(self, status, content):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_):
        pass


class Workbench(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Notebook)
        self.state = {"guarded": True, "kernel": "idle", "last": "2026-03-04T05:06:07Z", "status": 200}
        server.state = self.state
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.port = server.server_address[1]

    def workbench(self, idle="60", arguments=(), **environment):
        defaults = {
            "HOME": str(self.home),
            "STRATA_PORT": str(self.port),
            "STRATA_IDLE_MINUTES": idle,
            "STRATA_TERMINATION_LOG": str(self.home / "said"),
            "TMPDIR": str(self.home),
        }
        with mock.patch.object(tempfile, "tempdir", str(self.home)), mock.patch("builtins.print"):
            return program.load("jupyterlab/workbench.py", {**defaults, **environment}, arguments=arguments)

    def probed(self, **environment):
        with self.assertRaises(SystemExit) as left:
            self.workbench(arguments=["probe"], **environment)
        return left.exception.code

    def test_the_probe_tells_whether_the_server_answers(self):
        self.assertEqual(self.probed(), 0)
        self.state["status"] = 500
        self.assertEqual(self.probed(), 1)
        self.assertEqual(self.probed(STRATA_PORT="1"), 1)

    def test_the_token_is_its_owners_alone_and_new_each_time(self):
        workbench = self.workbench()
        first = workbench.write_token()
        file = self.home / ".strata" / "token"
        self.assertEqual(file.read_text(encoding="utf-8"), first)
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(file.parent.stat().st_mode), 0o700)
        file.chmod(0o644)
        second = workbench.write_token()
        self.assertNotEqual(first, second)
        self.assertEqual((file.read_text(encoding="utf-8"), stat.S_IMODE(file.stat().st_mode)), (second, 0o600))

    def test_a_token_is_written_through_no_link(self):
        workbench = self.workbench()
        (self.home / ".strata").mkdir()
        (self.home / ".strata" / "token").symlink_to(self.home / "elsewhere")
        with mock.patch("sys.stderr"), self.assertRaises(SystemExit):
            workbench.write_token()
        self.assertFalse((self.home / "elsewhere").exists())
        self.assertIn("is a link: remove it", (self.home / "said").read_text(encoding="utf-8"))

    def test_a_full_home_is_reported(self):
        workbench = self.workbench()
        full = OSError(28, os.strerror(28))
        with mock.patch("os.pwrite", side_effect=full), mock.patch("sys.stderr"), self.assertRaises(SystemExit):
            workbench.write_token()
        said = (self.home / "said").read_text(encoding="utf-8")
        self.assertIn("the home volume is full: raise spec.storage", said)

    def test_the_log_says_where_to_open_the_server(self):
        workbench = self.workbench()
        output = io.StringIO()
        with contextlib.redirect_stderr(output):
            self.assertEqual(workbench.url(), 1)
        self.assertIn("there is no token yet", output.getvalue())
        token, output = workbench.write_token(), io.StringIO()
        with contextlib.redirect_stdout(output):
            self.assertEqual(workbench.url(), 0)
        self.assertEqual(output.getvalue(), f"http://127.0.0.1:{self.port}/lab?token={token}\n")

    def watch(self, workbench):
        """A watch whose clock the test moves."""
        self.now = 0.0
        clock = mock.patch.object(workbench.time, "monotonic", side_effect=lambda: self.now)
        clock.start()
        self.addCleanup(clock.stop)
        return workbench.Watch("t")

    def test_a_server_is_idle_when_nobody_worked_for_so_long(self):
        watch = self.watch(self.workbench(idle="60"))
        self.assertIsNone(watch.verdict())
        self.now = 3599
        self.assertIsNone(watch.verdict())
        self.state["last"] = "2026-03-04T06:00:00Z"
        self.assertIsNone(watch.verdict())
        self.now = 3600 + 3598
        self.assertIsNone(watch.verdict())
        self.now = 3600 + 3600
        self.assertEqual(watch.verdict(), "idle")

    def test_a_busy_kernel_counts_as_work(self):
        watch = self.watch(self.workbench(idle="60"))
        self.state["kernel"] = "busy"
        self.assertIsNone(watch.verdict())
        self.now = 4000
        self.assertIsNone(watch.verdict())
        self.state["kernel"] = "idle"
        self.now = 7599
        self.assertIsNone(watch.verdict())
        self.now = 7601
        self.assertEqual(watch.verdict(), "idle")

    def test_a_server_without_a_bound_is_never_idle(self):
        watch = self.watch(self.workbench(idle="0"))
        self.assertIsNone(watch.verdict())
        self.now = 1e9
        self.assertIsNone(watch.verdict())

    def test_a_server_that_does_not_answer_is_not_idle(self):
        watch = self.watch(self.workbench(idle="60"))
        self.assertIsNone(watch.verdict())
        self.now = 1e9
        self.state["status"] = 500
        self.assertIsNone(watch.verdict())

    def test_a_server_that_answers_without_its_token_is_open(self):
        self.state["guarded"] = False
        self.assertEqual(self.watch(self.workbench()).verdict(), "open")

    def main(self, workbench, *ends):
        """Runs it while its servers end like this; the code, and which were bare."""
        bare = []

        def keep(_, **how):
            bare.append(how["bare"])
            return ends[len(bare) - 1]

        with (
            mock.patch.object(workbench, "keep", side_effect=keep),
            mock.patch("os.chdir"),
            mock.patch("sys.stderr"),
        ):
            return workbench.main(), bare

    def test_an_idle_end_leaves_a_mark_and_the_next_start_rests(self):
        workbench = self.workbench()
        self.assertEqual(self.main(workbench, ("idle", 0)), (0, [False]))
        self.assertEqual(json.loads((self.home / "said").read_text(encoding="utf-8")), {"ended": "idle"})
        self.assertEqual(self.main(workbench), (0, []))

    def test_a_home_that_breaks_the_server_is_left_out(self):
        workbench = self.workbench()
        self.assertEqual(self.main(workbench, ("early", 1), ("ended", 0)), (0, [False, True]))

    def test_an_end_has_the_code_of_the_server(self):
        workbench = self.workbench()
        self.assertEqual(self.main(workbench, ("ended", 3))[0], 3)
        self.assertEqual(self.main(workbench, ("signal", -15))[0], 143)

    def test_a_server_that_stays_open_is_refused(self):
        workbench = self.workbench()
        with self.assertRaises(SystemExit):
            self.main(workbench, ("open", 0), ("open", 0))
        self.assertIn("answers without its token", (self.home / "said").read_text(encoding="utf-8"))

    def test_what_must_hold_is_held_whatever_the_home_says(self):
        workbench = self.workbench()
        self.assertEqual((workbench.HELD["ip"], workbench.HELD["port"]), ("127.0.0.1", self.port))
        self.assertFalse(workbench.HELD["allow_unauthenticated_access"] or workbench.HELD["allow_origin"])
        self.assertLessEqual(set(workbench.CERTAIN), set(workbench.HELD))

    def test_processes_that_ended_are_buried_and_the_servers_code_is_kept(self):
        workbench = self.workbench()
        ends = [(7, 256), (5, 0), (0, 0)]
        with mock.patch("os.waitpid", side_effect=ends):
            self.assertEqual(workbench.ended(7), 1)
        with mock.patch("os.waitpid", side_effect=[(5, 0), ChildProcessError]):
            self.assertIsNone(workbench.ended(7))

    def test_the_program_asks_only_its_own_machine(self):
        workbench = self.workbench()
        with mock.patch.object(http.client, "HTTPConnection") as connection:
            connection.return_value.getresponse.return_value.status = 200
            workbench.ask("/api")
        self.assertEqual(connection.call_args.args, ("127.0.0.1", self.port))
