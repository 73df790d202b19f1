"""A build for another runtime or architecture, or without byte code, fails."""

from __future__ import annotations

import compileall
import os
import py_compile
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
TAG = sys.implementation.cache_tag
MAKEFILES = ("layers/shared/Makefile", "functions/Makefile")
MACHINES = {"x86_64": 62, "arm64": 183, "riscv": 243}


def a_build(folder: Path, machine: str = "arm64", tag: str = TAG) -> Path:
    """Write a package with a compiled library, and byte code as a zip leaves it."""
    package = folder / "package"
    package.mkdir()
    (package / "module.py").write_text("ANSWER = 42\n")
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + (3).to_bytes(2, "little") + MACHINES[machine].to_bytes(2, "little")
    (package / f"fast.{tag}-linux-gnu.so").write_bytes(head)
    compileall.compile_dir(package, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    return folder


def check(folder: Path, runtime: str = RUNTIME, architecture: str = "arm64") -> str:
    """Return what is wrong with a build, as the makefile and `make deploy` ask it."""
    script = str(ROOT / "layers/shared/check_build.py")
    command = [sys.executable, script, str(folder), runtime, architecture, "--byte-code"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == (done.stderr == "")
    return done.stderr


def test_a_right_build_passes(tmp_path):
    """Its libraries and its byte code are for what runs it."""
    assert check(a_build(tmp_path)) == ""


@pytest.mark.parametrize(
    ("machine", "tag", "runtime", "architecture", "fault"),
    [
        ("x86_64", TAG, RUNTIME, "arm64", "is for x86_64, and the functions run on arm64"),
        ("riscv", TAG, RUNTIME, "x86_64", "is for machine 243, and the functions run on x86_64"),
        ("arm64", "cpython-399", RUNTIME, "arm64", f"is for cpython-399, and the functions run on {RUNTIME}"),
        ("arm64", "abi3", "python3.99", "arm64", "package/module.py has no byte code of python3.99"),
        ("arm64", TAG, RUNTIME, "arm65", "Lambda does not have the architecture arm65"),
    ],
)
def test_a_wrong_build_is_refused(tmp_path, machine, tag, runtime, architecture, fault):
    """One line says which file is wrong, and what to do."""
    assert fault in check(a_build(tmp_path, machine, tag), runtime, architecture)


def test_byte_code_that_a_zip_would_undo_is_none(tmp_path):
    """Byte code that is checked by its source's timestamp is compiled again at each cold start."""
    compileall.compile_dir(a_build(tmp_path), quiet=2, force=True, invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP)

    assert "has no byte code" in check(tmp_path)


def test_a_library_of_another_python_without_its_source_is_refused(tmp_path):
    """Nothing could compile it again: it must be of the Python that made the others."""
    alone = a_build(tmp_path) / "library.pyc"
    made = (tmp_path / "package" / "__pycache__" / f"module.{TAG}.pyc").read_bytes()
    alone.write_bytes(made)
    assert check(tmp_path) == ""
    for other in (b"\x00\x00\r\n" + made[4:], made[:4] + bytes(4) + made[8:]):
        alone.write_bytes(other)

        assert f"library.pyc is not byte code of {RUNTIME}, and its source is not there" in check(tmp_path)


def test_both_makefiles_look_for_the_runtimes_python_alike():
    """`sam build` copies each folder and runs it there, so neither can include the other's lines."""
    names = ("BOKIT_PYTHON", "BOKIT_RUNTIME", "BOKIT_ARCHITECTURE", "MACHINE", "VERSION", "COMPILER")
    pattern = rf"^({'|'.join(names)}) \??:?= *((?:.*\\\n)*.*)"
    found = [dict(re.findall(pattern, (ROOT / path).read_text(), re.MULTILINE)) for path in MAKEFILES]

    assert set(found[0]) == set(names)
    assert found[0] == found[1]


def test_a_folder_without_modules_is_not_a_build(tmp_path):
    """It is what a build that never ran leaves."""
    assert "build it first" in check(tmp_path / "none")


def test_without_the_runtimes_own_python_the_layer_is_not_built(tmp_path):
    """Before anything is fetched; the line names the three ways out."""
    shutil.copy(ROOT / "layers/shared/Makefile", tmp_path)
    env = {"PATH": os.environ["PATH"], "ARTIFACTS_DIR": str(tmp_path / "built"), "BOKIT_PYTHON": sys.executable}
    command = ["make", "-s", "build-SharedLayer", "BOKIT_RUNTIME=python3.99"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert "bokit: no python3.99 here, so the layer would have no byte code: put it on the PATH" in done.stderr
    assert f"BOKIT_RUNTIME={RUNTIME}" in done.stderr
    assert not (tmp_path / "built").exists()
