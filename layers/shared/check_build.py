"""Check what a build made: ``python check_build.py FOLDER RUNTIME ARCHITECTURE [--byte-code]``.

Compiled libraries must be for the runtime's Python and the architecture's machine, and with ``--byte-code`` each module must have
byte code of that Python which outlives a zip; of a library that may be all there is of it. Exits 1 with one line that says what
is wrong and how to fix it. The makefile of the layer runs it on what it built, and ``make deploy`` once more on what goes into
the stack.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

MACHINES = {"arm64": 183, "x86_64": 62}
"""ELF's numbers of the machines."""
NAMES = {number: name for name, number in MACHINES.items()}
UNCHECKED_HASH = 0b01
"""The flag of byte code that is valid whatever its source's timestamp is."""


def find_fault(folder: Path, runtime: str, architecture: str, *, byte_code: bool) -> str | None:
    """Return what is wrong with a build and its fix; None: nothing. *runtime* is Lambda's name, as in ``python3.13``."""
    if architecture not in MACHINES:
        return f"Lambda does not have the architecture {architecture}: choose one of {', '.join(MACHINES)}"
    if not any(folder.rglob("*.py")):
        return f"{folder} has no modules: build it first, with `make deploy` or `sam build`"
    faults = [*_wrong_libraries(folder, runtime, architecture), *(_without_byte_code(folder, runtime) if byte_code else ())]
    return faults[0] if faults else None


def _wrong_libraries(folder: Path, runtime: str, architecture: str) -> Iterator[str]:
    tag = "cpython-" + runtime.removeprefix("python").replace(".", "")
    fix = f"build again with BOKIT_RUNTIME={runtime} BOKIT_ARCHITECTURE={architecture}, as `make deploy` does"
    for library in sorted(folder.rglob("*.so*")):
        machine = _machine_of(library)
        if machine is not None and machine != MACHINES[architecture]:
            name = NAMES.get(machine, f"machine {machine}")
            yield f"{library.relative_to(folder)} is for {name}, and the functions run on {architecture}: {fix}"
        found = re.search(r"\.(cpython-\d+)-", library.name)
        if found and found[1] != tag:
            yield f"{library.relative_to(folder)} is for {found[1]}, and the functions run on {runtime}: {fix}"


def _machine_of(library: Path) -> int | None:
    """Return the machine that a compiled library is for; None for what is none."""
    with library.open("rb") as file:
        head = file.read(20)
    return int.from_bytes(head[18:20], "little") if head[:4] == b"\x7fELF" else None


def _without_byte_code(folder: Path, runtime: str) -> Iterator[str]:
    tag = "cpython-" + runtime.removeprefix("python").replace(".", "")
    fix = f"put {runtime} on the PATH or its path in BOKIT_PYTHON, and build again"
    versions = set()
    for module in sorted(folder.rglob("*.py")):
        compiled = module.parent / "__pycache__" / f"{module.stem}.{tag}.pyc"
        version, is_kept = _head_of(compiled) if compiled.exists() else (b"", False)
        versions.add(version)
        if not is_kept:
            yield f"{module.relative_to(folder)} has no byte code of {runtime}, so each cold start would compile it: {fix}"
    for module in sorted(path for path in folder.rglob("*.pyc") if path.parent.name != "__pycache__"):
        version, is_kept = _head_of(module)
        if version not in versions or not is_kept:
            yield f"{module.relative_to(folder)} is not byte code of {runtime}, and its source is not there: {fix}"


def _head_of(compiled: Path) -> tuple[bytes, bool]:
    """Return the number of the Python that made byte code, and whether the byte code outlives a zip."""
    head = compiled.read_bytes()[:8]
    return head[:4], int.from_bytes(head[4:], "little") == UNCHECKED_HASH


def main(arguments: list[str]) -> int:
    """Print what is wrong, and return 1; 0: nothing is."""
    folder, runtime, architecture, *flags = arguments
    fault = find_fault(Path(folder), runtime, architecture, byte_code="--byte-code" in flags)
    if fault:
        sys.stderr.write(f"bokit: {fault}\n")
    return 1 if fault else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
