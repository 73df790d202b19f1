"""An image that `sam local` runs functions in where AWS's own is out of reach: this machine's Python and AWS's runtime client.

What is copied is the interpreter with its standard library, the shared libraries that these name, and the libraries that
Lambda's runtime brings along. Nothing of ours is in it: what a function finds comes from its own folder and its layer.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUNTIME_CLIENT = ROOT / f".bokit/lambda/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
FROM_THE_RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "python-dateutil", "six", "urllib3")
"""What Lambda's Python has besides the standard library."""
PROGRAMS = tuple(Path("/bin") / name for name in ("sh", "mv", "chmod"))
"""What SAM runs when it puts layers, and its emulator of the runtime, over an image."""
ON_EVERY_LINUX = (
    "librt.so.1",
    "libdl.so.2",
    "libpthread.so.0",
    "libutil.so.1",
    "libresolv.so.2",
    "libgcc_s.so.1",
    "libstdc++.so.6",
)
"""What a wheel for any Linux may take to be there, besides libc itself."""
NOT_NEEDED = shutil.ignore_patterns(
    "site-packages", "dist-packages", "test", "tests", "idlelib", "ensurepip", "config-*", "__pycache__"
)
BOOTSTRAP = """#!/bin/sh
export PYTHONPATH=/opt/python:/var/runtime PYTHONDONTWRITEBYTECODE=1
exec /var/lang/bin/python -m awslambdaric "$_HANDLER"
"""


def make_root(folder: Path) -> Path:
    """Fill *folder* with the files of the image, and return it."""
    lang, runtime = folder / "var/lang", folder / "var/runtime"
    (lang / "bin").mkdir(parents=True)
    shutil.copy2(Path(getattr(sys, "_base_executable", sys.executable)).resolve(), lang / "bin/python")
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    shutil.copytree(sysconfig.get_path("stdlib"), lang / "lib" / name, ignore=NOT_NEEDED, symlinks=False)
    shutil.copytree(RUNTIME_CLIENT, runtime, ignore=shutil.ignore_patterns("pip*", "setuptools*", "_distutils*", "__pycache__"))
    for library in FROM_THE_RUNTIME:
        copy_distribution(library, runtime)
    for program in PROGRAMS:
        copy_file(program, folder)
    libraries = shared_libraries([*PROGRAMS, *folder.rglob("*.so*"), lang / "bin/python"])
    beside = next(path.parent for path in libraries if path.name == "libc.so.6")
    for file in sorted(libraries | {beside / name for name in ON_EVERY_LINUX if (beside / name).exists()}):
        copy_file(file, folder)
    (runtime / "bootstrap").write_text(BOOTSTRAP)
    (runtime / "bootstrap").chmod(0o755)
    (folder / "etc").mkdir(exist_ok=True)
    (folder / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (folder / "tmp").mkdir(mode=0o1777)
    return folder


def copy_distribution(name: str, target: Path) -> None:
    """Copy an installed library's files, as its own record lists them."""
    for file in metadata.files(name) or []:
        if ".." not in file.parts and "__pycache__" not in file.parts:
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file.locate(), target / file)


def copy_file(path: Path, root: Path) -> None:
    """Copy a file of this machine to the same place under *root*, whatever it is a link to."""
    target = root / path.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path.resolve(), target)


def shared_libraries(programs: list[Path]) -> set[Path]:
    """Return every shared library of this machine that *programs* are linked with, the loader included."""
    found: set[Path] = set()
    for program in programs:
        output = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False).stdout
        found |= {Path(p) for p in re.findall(r"(/\S+) \(0x", output)}
    return {path for path in found if path.exists()}
