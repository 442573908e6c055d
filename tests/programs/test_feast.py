"""`engines/feast/`: the volume follows the registry, and is ready while it can be written."""
import pathlib
import signal
import tempfile
import threading
import time
import types
import unittest
from unittest import mock

import program


def field(name, dtype="Int64"):
    return types.SimpleNamespace(name=name, dtype=dtype)


def view(name, path, updated=1):
    source = types.SimpleNamespace(path=path, timestamp_field="event_timestamp", created_timestamp_column=None)
    return types.SimpleNamespace(
        name=name, online=True, last_updated_timestamp=updated, batch_source=source,
        entity_columns=[field("customer")], features=[field("amount", "Float64")],
    )


class Registry(unittest.TestCase):
    def setUp(self):
        self.addCleanup(signal.signal, signal.SIGTERM, signal.getsignal(signal.SIGTERM))
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.written, self.store = {}, mock.Mock()
        parquet = program.stub("pyarrow.parquet", write_table=lambda table, path: self.written.update({path: table}))
        pyarrow = program.stub(
            "pyarrow",
            parquet=parquet,
            timestamp=lambda unit, tz: f"{unit} {tz}",
            schema=lambda columns: types.SimpleNamespace(empty_table=lambda: columns),
        )
        types_of_feast = program.stub("feast.types", from_feast_to_pyarrow_type=lambda dtype: f"arrow {dtype}")
        modules = {
            "pyarrow": pyarrow,
            "pyarrow.parquet": parquet,
            "feast": program.stub("feast", FeatureStore=lambda repo_path: self.store, types=types_of_feast),
            "feast.types": types_of_feast,
        }
        with mock.patch.object(threading, "Thread") as thread:
            self.registry = program.load("feast/registry.py", modules=modules)
        self.follow = thread.call_args.kwargs["target"]
        self.registry.FILES = str(self.folder) + "/"
        self.registry.log.disabled = True

    def followed(self, rounds):
        """Lets the volume follow for so many rounds."""
        sleep = mock.patch.object(time, "sleep", side_effect=[None] * rounds + [SystemExit])
        with sleep, self.assertRaises(SystemExit):
            self.follow()

    def test_it_serves_the_registry(self):
        self.store.serve_registry.assert_called_once_with(port=6570)

    def test_a_missing_file_is_made_with_the_columns_of_its_view(self):
        path = str(self.folder / "payments.parquet")
        with mock.patch("os.path.isdir", return_value=True):
            self.registry.make_file(view("payments", path))
        columns = [("customer", "arrow Int64"), ("amount", "arrow Float64"), ("event_timestamp", "us UTC")]
        self.assertEqual(self.written, {path: columns})

    def test_no_file_is_made_elsewhere_or_a_second_time(self):
        (self.folder / "there.parquet").write_text("rows", encoding="utf-8")
        with mock.patch("os.path.isdir", return_value=True):
            for path in ("s3://bucket/x", f"{self.folder}/../x", str(self.folder / "there.parquet"), None):
                self.registry.make_file(view("payments", path))
        self.assertEqual(self.written, {})

    def test_tables_are_made_once_for_each_change_of_the_registry(self):
        self.store.registry.list_projects.return_value = [types.SimpleNamespace(name="fraud")]
        now = [view("payments", "s3://bucket/x", updated) for updated in (1, 1, 1, 2, 2)]
        self.store.registry.list_all_feature_views.side_effect = [[one] for one in now]
        update = self.store._get_provider().update_infra
        self.followed(5)
        self.assertEqual(update.call_count, 2)
        self.assertEqual(update.call_args.kwargs["tables_to_delete"], [])

    def test_a_failure_does_not_end_it(self):
        self.store.registry.list_projects.side_effect = [OSError("locked"), []]
        self.followed(2)
        self.assertEqual(self.store.registry.list_projects.call_count, 2)


class Offline(unittest.TestCase):
    def test_it_hears_the_signal_and_serves(self):
        self.addCleanup(signal.signal, signal.SIGTERM, signal.getsignal(signal.SIGTERM))
        store = mock.Mock()
        program.load("feast/offline.py", modules={"feast": program.stub("feast", FeatureStore=store)})
        store.return_value.serve_offline.assert_called_once_with("0.0.0.0", 8815)
        self.assertIs(signal.getsignal(signal.SIGTERM), signal.default_int_handler)


class Ready(unittest.TestCase):
    def said(self, mounted=True, free=100, error=None):
        """What the probe says; None where the registry is ready."""
        volume = types.SimpleNamespace(f_bavail=free << 8, f_frsize=4096)
        with (
            mock.patch("socket.create_connection", side_effect=error),
            mock.patch("os.path.ismount", return_value=mounted),
            mock.patch("os.statvfs", return_value=volume),
        ):
            try:
                program.load("feast/ready.py")
            except SystemExit as left:
                return left.code
        return None

    def test_it_is_ready_when_it_answers_and_has_room(self):
        self.assertIsNone(self.said())
        self.assertIsNone(self.said(mounted=False, free=0))

    def test_it_says_why_it_is_not_ready(self):
        self.assertIn("the registry does not answer: refused", self.said(error=OSError("refused")))
        self.assertIn("the volume is full, with 15 MiB left", self.said(free=15))
