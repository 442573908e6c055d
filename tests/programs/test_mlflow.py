"""`engines/mlflow/`: the server becomes the process that serves, and is ready while it can record."""
import contextlib
import subprocess
import types
import unittest
from unittest import mock

import program


class Server(unittest.TestCase):
    def setUp(self):
        self.addCleanup(setattr, subprocess, "Popen", subprocess.Popen)

    def started(self, command):
        """What becomes of this command, which mlflow's own would start."""
        became = []

        def become(*arguments):
            became.append(arguments)
            raise SystemExit

        cli = program.stub("mlflow.cli", cli=lambda prog_name: subprocess.Popen(command, env={"A": "1"}).wait())
        modules = {"mlflow": program.stub("mlflow", cli=cli), "mlflow.cli": cli}
        with mock.patch("os.execve", side_effect=become), contextlib.suppress(SystemExit):
            program.load("mlflow/server.py", modules=modules)
        return became

    def test_the_server_takes_the_place_of_what_would_wait_for_it(self):
        command = ["/usr/bin/python3", "-m", "uvicorn", "mlflow.server.fastapi_app:app"]
        self.assertEqual(self.started(command), [("/usr/bin/python3", command, {"A": "1"})])

    def test_other_processes_are_started_as_ever(self):
        self.assertEqual(self.started(["true"]), [])


class Ready(unittest.TestCase):
    def said(self, status=200, mounted=True, free=100, error=None):
        """What the probe says; None where the server is ready."""
        connection = mock.Mock()
        connection.getresponse.return_value = types.SimpleNamespace(status=status)
        connection.request.side_effect = error
        volume = types.SimpleNamespace(f_bavail=free << 8, f_frsize=4096)
        with (
            mock.patch("http.client.HTTPConnection", return_value=connection),
            mock.patch("os.path.ismount", return_value=mounted),
            mock.patch("os.statvfs", return_value=volume),
        ):
            try:
                program.load("mlflow/ready.py")
            except SystemExit as left:
                return left.code
        return None

    def test_it_is_ready_when_it_answers_and_has_room(self):
        self.assertIsNone(self.said())
        self.assertIsNone(self.said(free=16))
        self.assertIsNone(self.said(mounted=False, free=0))

    def test_it_says_why_it_is_not_ready(self):
        self.assertIn("the server answers with 503", self.said(status=503))
        self.assertIn("the server does not answer: refused", self.said(error=OSError("refused")))
        self.assertIn("the volume is full, with 15 MiB left", self.said(free=15))
