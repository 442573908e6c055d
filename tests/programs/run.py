"""Runs the tests of the programs in `engines/`: `python3 tests/programs/run.py`.

Nothing but the standard library is needed: what an image brings (mlflow, feast, jupyter)
is put in its place by the tests. The last line has the form of `cargo test`'s, by which
`cargo xtask test` counts.
"""
import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).parent


def main():
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(HERE))
    tests = unittest.defaultTestLoader.discover(str(HERE), pattern="test_*.py")
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(tests)
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    skipped = len(result.skipped)
    passed = result.testsRun - failed - skipped
    good = failed == 0 and passed > 0
    print(f"test result: {'ok' if good else 'FAILED'}. {passed} passed; {failed} failed; {skipped} ignored")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
