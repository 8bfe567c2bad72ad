"""Settings of all tests: the IR is verified between any two passes."""

import os

os.environ["ZYGOPY_VERIFY"] = "1"
