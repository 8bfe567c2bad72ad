"""Compiled code on disk: files named by a digest of everything that their code depends on.

There is the code of programs, and that of our own library, which programs call. A file is a checksum and the data; it
is written whole or not at all, and one that cannot be written, read or trusted is as good as none. The folder is
`$ZYGOPY_CACHE_DIR`, else `zygopy` in the user's cache; an empty variable turns all of this off.
"""

import hashlib
import os
import random
import tempfile
from contextlib import suppress
from pathlib import Path

LIMIT = 512 << 20  # bytes, beyond which the files that were not used for longest go
_CHECKSUM = 16  # bytes


def folder() -> Path | None:
    """Where the files are; None if nothing is to be kept."""
    given = os.environ.get("ZYGOPY_CACHE_DIR")
    if given is not None:
        return Path(given) if given else None
    with suppress(RuntimeError):  # no home
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "zygopy"
    return None


def name(of_library: bool, *parts: str) -> str:
    """The name of a file, made of what its data depends on."""
    digest = hashlib.blake2b("\0".join(parts).encode(), digest_size=20).hexdigest()
    return f"{'library' if of_library else 'programs'}/{digest}"


def read(name: str) -> bytes | None:
    """The data of a file; None if there is no whole one."""
    place = folder()
    if place is None:
        return None
    path = place / name
    with suppress(OSError):
        content = path.read_bytes()
        data = content[_CHECKSUM:]
        if content[:_CHECKSUM] == _checksum(data):
            with suppress(OSError):
                os.utime(path)
            return data
        path.unlink()
    return None


def write(name: str, data: bytes) -> None:
    """Keep data, where that is possible."""
    place = folder()
    if place is None:
        return
    with suppress(OSError):
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".")
        try:
            with open(handle, "wb") as file:
                file.write(_checksum(data) + data)
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        if random.random() * LIMIT < 32 * len(data):  # looking at all files takes long where there are thousands
            _trim(LIMIT)


def _checksum(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_CHECKSUM).digest()


def _files() -> list[tuple[float, int, Path]]:
    """The time of use, size and path of each file."""
    found = []
    place = folder()
    if place is not None:
        for path in (*place.glob("programs/*"), *place.glob("library/*")):
            with suppress(OSError):
                known = path.stat()
                found.append((known.st_mtime, known.st_size, path))
    return found


def _trim(limit: int) -> None:
    """Remove the files that were not used for longest, until the rest is no more than half of a limit it is beyond."""
    files = sorted(_files())
    total = sum(size for _, size, _ in files)
    if total <= limit:
        return
    for _, size, path in files:
        if total <= limit // 2:
            return
        with suppress(OSError):
            path.unlink()
            total -= size


def size() -> tuple[int, int]:
    """How many files there are, and of how many bytes."""
    files = _files()
    return len(files), sum(size for _, size, _ in files)


def clear() -> int:
    """Remove all files; how many there were."""
    files = _files()
    for _, _, path in files:
        with suppress(OSError):
            path.unlink()
    return len(files)
