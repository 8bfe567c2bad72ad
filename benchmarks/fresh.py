"""A measurement in a process of its own."""

import json
import re
import subprocess
import sys


def record_of(module: str, *words: str, limit_s: float = 60.0) -> dict:
    """What `python -m module --child words` prints as JSON, or why there is nothing under "failure"."""
    command = [sys.executable, "-m", module, "--child", *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=limit_s)
    except subprocess.TimeoutExpired:
        return {"failure": f"more than {limit_s:g} s"}
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])
    raised = re.findall(r"^[\w.]+(?:Error|Exception|Interrupt)\b.*", done.stderr, re.MULTILINE)
    return {"failure": raised[-1] if raised else f"exit status {done.returncode}"}
