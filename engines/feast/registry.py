"""Serves the registry, and lets the volume follow it.

Whoever applies features from outside changes the registry alone: the tables of
an online store on the volume would be missing, and so would files under
/data/offline, where a team without an object store keeps what features are
made of. Whatever of that the registry names and the volume lacks is made,
empty; nothing is ever taken away.
"""
import logging
import os
import signal
import sys
import threading
import time

import pyarrow
import pyarrow.parquet
from feast import FeatureStore
from feast.types import from_feast_to_pyarrow_type

FILES = "/data/offline/"
logging.basicConfig()
log = logging.getLogger("registry")
log.setLevel(logging.INFO)
store = FeatureStore(repo_path="/repository")


def make_file(view):
    """The file of a view's source, with the columns of the view and no row."""
    source = view.batch_source
    path = os.path.normpath(getattr(source, "path", None) or "")
    if not path.startswith(FILES) or not os.path.isdir("/data") or os.path.exists(path):
        return
    columns = [(field.name, from_feast_to_pyarrow_type(field.dtype)) for field in view.entity_columns + view.features]
    times = filter(None, (source.timestamp_field, source.created_timestamp_column))
    columns += [(name, pyarrow.timestamp("us", tz="UTC")) for name in times]
    os.makedirs(os.path.dirname(path), exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.schema(columns).empty_table(), path)
    log.info("made %s, which %s reads", path, view.name)


def follow():
    known = {}
    while True:
        time.sleep(2)
        try:
            for project in store.registry.list_projects(allow_cache=False):
                views = store.registry.list_all_feature_views(project.name, allow_cache=False)
                views = [view for view in views if hasattr(view, "online")]
                names = sorted((view.name, str(view.last_updated_timestamp)) for view in views)
                if names != known.get(project.name):
                    store._get_provider().update_infra(
                        project=project.name,
                        tables_to_delete=[],
                        tables_to_keep=views,
                        entities_to_delete=[],
                        entities_to_keep=[],
                        partial=True,
                    )
                    for view in views:
                        make_file(view)
                    known[project.name] = names
                    log.info("the volume follows %s: %s", project.name, [name for name, _ in names])
        except Exception:
            log.exception("the volume could not follow the registry")


# The first process of a container gets no signal that it does not ask for.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
threading.Thread(target=follow, daemon=True).start()
store.serve_registry(port=6570)
