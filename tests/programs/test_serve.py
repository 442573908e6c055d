"""`engines/deployment/serve.py`: requests are captured, and serving never waits for that."""
import asyncio
import datetime
import json
import pathlib
import tempfile
import unittest
from unittest import mock

import program


async def echo(scope, receive, send):
    """An application that answers with what it was asked, in two pieces."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": body[:2], "more_body": True})
    await send({"type": "http.response.body", "body": body[2:]})


async def fail(scope, receive, send):
    raise ValueError("a bug of the model")


class Serve(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        environment = {"MODEL_NAME": "fraud", "MODEL_VERSION": "7", "TERMINATION_LOG": str(self.folder / "said")}
        self.serve = program.load("deployment/serve.py", environment)

    def captured(self, app, pieces, path="/invocations", share=1):
        """What is kept of one request with this body, and what was answered."""
        writer = mock.Mock()
        scope = {"type": "http", "path": path, "headers": [(b"content-type", b"application/json")]}
        messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
        messages.append({"type": "http.request", "body": b"", "more_body": False})
        answered = []

        async def receive():
            return messages.pop(0)

        async def send(message):
            answered.append(message)

        try:
            asyncio.run(self.serve.Capture(app, share, writer)(scope, receive, send))
        except ValueError:
            pass
        return [call.args[0] for call in writer.add.call_args_list], answered

    def test_a_request_and_its_answer_are_kept_as_they_passed(self):
        records, answered = self.captured(echo, [b'{"a"', b": 1}"])
        self.assertEqual(b"".join(message.get("body", b"") for message in answered), b'{"a": 1}')
        (record,) = records
        self.assertEqual((record["request"], record["response"]), ('{"a": 1}', '{"a": 1}'))
        self.assertEqual((record["model"], record["version"], record["status"]), ("fraud", "7", 200))
        self.assertEqual((record["contentType"], record["truncated"]), ("application/json", False))

    def test_of_a_large_request_the_beginning_is_kept(self):
        (record,), answered = self.captured(echo, [b"x" * (1 << 20), b"y" * 10])
        self.assertEqual((len(record["request"]), record["truncated"]), (1 << 20, True))
        self.assertEqual(sum(len(message.get("body", b"")) for message in answered), (1 << 20) + 10)

    def test_a_failure_is_kept_and_passed_on(self):
        (record,), answered = self.captured(fail, [b"{}"])
        self.assertEqual((record["status"], answered), (0, []))

    def test_nothing_else_is_kept(self):
        self.assertEqual(self.captured(echo, [b"{}"], path="/ping")[0], [])
        self.assertEqual(self.captured(echo, [b"{}"], share=0)[0], [])

    def test_records_are_appended_to_a_file_of_the_hour(self):
        writer = self.serve.Writer(str(self.folder / "requests"), "pod-1")
        writer.start()
        for number in range(3):
            writer.add({"time": "2026-03-04T05:06:07.000+00:00", "number": number})
        writer.close()
        lines = (self.folder / "requests" / "2026-03-04T05-pod-1.jsonl").read_text(encoding="utf-8").splitlines()
        self.assertEqual([json.loads(line)["number"] for line in lines], [0, 1, 2])

    def test_files_older_than_the_days_go_and_nothing_else_does(self):
        today = datetime.date(2026, 3, 31)
        old = ["2026-02-28T23-pod-1.jsonl", "2025-12-31T00-pod-2.jsonl"]
        kept = ["2026-03-01T00-pod-1.jsonl", "2026-03-31T12-pod-2.jsonl", "notes.jsonl", "2026-02-28T23.txt", "2026-02-30-x.jsonl", "2026-13-01T00-x.jsonl"]
        for name in old + kept:
            (self.folder / name).write_text("{}\n")
        self.serve.expire(str(self.folder), 30, today)
        self.assertEqual(sorted(kept), sorted(path.name for path in self.folder.iterdir()))

    def test_captured_files_expire_while_requests_are_written(self):
        folder = self.folder / "requests"
        folder.mkdir()
        (folder / "2020-01-01T00-pod-9.jsonl").write_text("{}\n")
        writer = self.serve.Writer(str(folder), "pod-1", 30)
        writer.add({"time": "2999-01-01T10:20:30.000+00:00"})
        writer.start()
        writer.close()
        self.assertEqual(["2999-01-01T10-pod-1.jsonl"], [path.name for path in folder.iterdir()])

    def test_without_days_nothing_expires(self):
        (self.folder / "2020-01-01T00-pod-9.jsonl").write_text("{}\n")
        writer = self.serve.Writer(str(self.folder), "pod-1")
        writer.start()
        writer.close()
        self.assertEqual(1, len(list(self.folder.iterdir())))

    def test_what_cannot_be_written_in_time_is_left_out(self):
        writer = self.serve.Writer(str(self.folder), "pod-1")
        for number in range(1000):
            writer.add({"time": "2026-03-04T05:06:07.000+00:00", "number": number})
        self.assertEqual(writer.waiting.qsize(), 256)

    def test_a_full_volume_is_reported_once_and_serving_goes_on(self):
        (self.folder / "taken").write_text("a file where the folder should be", encoding="utf-8")
        writer = self.serve.Writer(str(self.folder / "taken"), "pod-1")
        with self.assertLogs("uvicorn.error") as log:
            writer.start()
            for _ in range(3):
                writer.add({"time": "2026-03-04T05:06:07.000+00:00"})
            writer.close()
        self.assertEqual(len(log.output), 1)

    def test_an_unloadable_model_is_reported_with_its_version(self):
        def init(_):
            raise ModuleNotFoundError("No module named 'xgboost'")

        server = program.stub("mlflow.pyfunc.scoring_server", init=init, load_model_with_mlflow_config=lambda _: None)
        pyfunc = program.stub("mlflow.pyfunc", scoring_server=server)
        modules = {"mlflow": program.stub("mlflow", pyfunc=pyfunc), "mlflow.pyfunc": pyfunc}
        modules = mock.patch.dict("sys.modules", modules)
        with modules, self.assertLogs(), mock.patch("sys.stderr"), self.assertRaises(SystemExit) as left:
            self.serve.load()
        said = (self.folder / "said").read_text(encoding="utf-8")
        self.assertEqual(left.exception.code, 1)
        self.assertIn("version 7 of model fraud cannot be loaded: ModuleNotFoundError: No module named 'xgboost'", said)
