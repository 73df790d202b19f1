"""New files that commands write: their owner alone may read them, and each has its name once it is whole."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast


@contextmanager
def new_file(file: Path) -> Iterator[IO[bytes]]:
    """Open a file for writing, compressed where its name ends in .gz; raises InputError where it cannot be written.

    An error or an interruption leaves what has this name as it was.
    """
    from bokit.errors import InputError

    unfinished = file.with_name(f".{file.name}.unfinished")
    try:
        with _create(unfinished, compressed=file.suffix == ".gz") as opened:
            yield opened
        unfinished.replace(file)
    except OSError as error:
        raise InputError(f"the file cannot be written: {error.strerror}", file=str(file)) from error
    finally:
        unfinished.unlink(missing_ok=True)


def _create(path: Path, *, compressed: bool) -> IO[bytes]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    raw = os.fdopen(descriptor, "wb")
    return cast("IO[bytes]", _Compressed(raw)) if compressed else raw


class _Compressed(gzip.GzipFile):
    """A compressed file that closes the one below it."""

    def __init__(self, raw: IO[bytes]) -> None:
        super().__init__(fileobj=raw, mode="wb", mtime=0)
        self._raw = raw

    def close(self) -> None:
        super().close()
        self._raw.close()
