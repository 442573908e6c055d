"""Serves the offline store. `feast serve_offline` would do, but as the first
process of a container it hears no signal, and its pod takes its whole grace to end."""
import signal

from feast import FeatureStore

signal.signal(signal.SIGTERM, signal.default_int_handler)
FeatureStore(repo_path="/repository").serve_offline("0.0.0.0", 8815)
