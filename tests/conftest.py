"""Settings of all tests: the IR is verified between any two passes; compiled code is kept in a folder of the run."""

import atexit
import os
import tempfile

_folder = tempfile.TemporaryDirectory(prefix="zygopy-tests-")
atexit.register(_folder.cleanup)
os.environ["ZYGOPY_CACHE_DIR"] = _folder.name
os.environ["ZYGOPY_VERIFY"] = "1"
if "PYTEST_XDIST_WORKER" in os.environ:  # one process for each core
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
