"""`engines/external/probe.py`: a service of the site is reached, or it is said why not."""
import http.server
import json
import pathlib
import socket
import tempfile
import threading
import unittest

import program


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers with the code in the path."""

    def do_GET(self):
        self.send_response(int(self.path.strip("/") or 200))
        self.send_header("Location", "http://192.0.2.1/")
        self.end_headers()

    def log_message(self, *_):
        pass


class Probe(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = pathlib.Path(folder.name, "message")
        self.probe = program.load("external/probe.py", {"MESSAGE_FILE": str(self.file)})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.at = f"127.0.0.1:{server.server_port}"

    def free(self):
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            return f"127.0.0.1:{one.getsockname()[1]}"

    def said(self):
        return json.loads(self.file.read_text(encoding="utf-8"))["message"]

    def test_an_answer_is_enough(self):
        for code in (200, 204, 302, 401, 403, 404):
            with self.subTest(code):
                self.assertEqual(self.probe.main([f"http://{self.at}/{code}"]), 0)
        self.assertFalse(self.file.exists())

    def test_an_error_of_the_service_is_told(self):
        self.assertEqual(self.probe.main([f"http://{self.at}/503"]), 1)
        self.assertIn(f"http://{self.at} answers with 503", self.said())

    def test_a_service_that_is_not_there_is_told_with_the_remedy(self):
        for address in (f"http://{self.free()}", self.free(), f"postgresql://{self.free()}/x"):
            with self.subTest(address):
                self.assertEqual(self.probe.main([address]), 1)
                self.assertIn("parameters.egress", self.said())

    def test_a_port_that_accepts_is_enough(self):
        self.assertEqual(self.probe.main([self.at, f"grpc://{self.at}"]), 0)

    def test_every_address_is_tried(self):
        self.assertEqual(self.probe.main([f"http://{self.at}", self.free()]), 1)
        self.assertIn("accepts no connection", self.said())

    def test_what_has_no_port_is_left_to_its_client(self):
        self.assertEqual(self.probe.main(["s3://bucket/path"]), 0)

    def test_a_wrong_port_is_told(self):
        self.assertEqual(self.probe.main(["db.example.com:99999"]), 1)
        self.assertIn("no valid port", self.said())


if __name__ == "__main__":
    unittest.main()
