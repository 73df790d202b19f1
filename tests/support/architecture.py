"""The packages of the product, read from the code; run it as a module to print the table of docs/architecture.md."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "layers/shared/bokit"
MAY_IMPORT = "May import: "


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageNote:
    """One package: its dotted name below ``bokit``, its purpose, what it may import and what it does import."""

    name: str
    purpose: str
    may_import: tuple[str, ...]
    imports: frozenset[str]


@cache
def packages() -> list[PackageNote]:
    """Return every package of the product that has modules of its own."""
    folders = sorted(path.parent for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE)
    return [_read(folder) for folder in folders if any(p.name != "__init__.py" for p in folder.glob("*.py"))]


def _read(folder: Path) -> PackageNote:
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    lines = text.splitlines()
    allowed = text.partition(MAY_IMPORT)[2].split("\n\n")[0].replace("\n", " ")
    name = _name(folder)
    return PackageNote(
        name=name,
        purpose=lines[0] if lines else "",
        may_import=tuple(part for part in (p.strip(" .`") for p in allowed.split(",")) if part and part != "nothing"),
        imports=frozenset(package_of(module) for module in _imports(folder)) - {name, ""},
    )


def _name(folder: Path) -> str:
    return ".".join(folder.relative_to(PACKAGE).parts)


def _imports(folder: Path) -> Iterator[str]:
    """Yield every module of the product that a package's own modules import, at whatever place in the file."""
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "bokit":
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def package_of(module: str) -> str:
    """Return the package below ``bokit`` that a dotted name lies in; a module of the top level by its own name."""
    parts = module.split(".")[1:]
    while parts and not (PACKAGE.joinpath(*parts) / "__init__.py").exists():
        if PACKAGE.joinpath(*parts).with_suffix(".py").exists() and len(parts) == 1:
            return parts[0]
        parts = parts[:-1]
    return ".".join(parts)


def table() -> str:
    """Return the table of docs/architecture.md: package, purpose, what it may import."""
    rows = [f"| `{p.name}` | {p.purpose} | {', '.join(f'`{name}`' for name in p.may_import) or 'nothing'} |" for p in packages()]
    return "\n".join(["| package | purpose | may import |", "| --- | --- | --- |", *rows])


if __name__ == "__main__":
    print(table())
