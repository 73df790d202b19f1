"""New files that commands write: their owner alone may read them, and each has its name once it is whole."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeVar, cast

Form = TypeVar("Form", bound=str)


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


def read_form(file: Path | None, forms: Mapping[str, Form]) -> Form:
    """Return the form that a file's name ends in, compressed or not; raises InputError where it says none.

    *forms* are by suffix.
    """
    from bokit.errors import InputError

    suffix = "" if file is None else Path(file.name.removesuffix(".gz")).suffix
    if suffix not in forms:
        choices = " or ".join(f"--format {form}" for form in dict.fromkeys(forms.values()))
        raise InputError(f"{choices} says in which form", field="--format")
    return forms[suffix]


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
