"""What of a stack differs from its sources: each part has a hash of its own.

    libraries      locks, makefiles, and for which machine: only `sam build` makes that again
    template       template.yaml
    SharedLayer    our own package in it
    …Function      a function's folder; of `public` the page's sources, too

What is deployed is noted in state/deployed, beside the hash of the template that CloudFormation had then. A local cloud that was
killed may come back as it was before its last deployment; then its template is another one, and the note is not believed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from local.place import Place

LAYER = "SharedLayer"
LIBRARIES = "libraries"
TEMPLATE = "template"
_LOCKS = (
    "layers/shared/Makefile",
    "layers/shared/check_build.py",
    "layers/shared/standins",
    "functions/Makefile",
    "samconfig.toml",
)
_LOCK_NAMES = ("layers/shared/requirements*.txt", "functions/*/requirements.txt")
_OWN = ("layers/shared/bokit",)
_PAGE = ("package-lock.json", "build.mjs", "client/src", "page/package.json", "page/src", "page/static", "page/texts")
_WRITTEN = frozenset({"__pycache__", "api.ts"})
"""What a build writes among its sources."""

Parts = Mapping[str, str]


def read_template(place: Place) -> dict[str, Any]:
    """Return template.yaml, short forms written out."""
    found: dict[str, Any] = yaml_parse((place.root / "template.yaml").read_text(encoding="utf-8"))
    return found


def list_built(template: Mapping[str, Any]) -> list[str]:
    """Return the resources that are built: the layer and the functions."""
    return [name for name, resource in template["Resources"].items() if "BuildMethod" in resource.get("Metadata", {})]


@cache
def _built_by(text: str) -> tuple[str, ...]:
    """Return the resources of a template that are built; it takes a third of a second to read one."""
    return tuple(list_built(yaml_parse(text)))


def hash_parts(place: Place) -> dict[str, str]:
    """Return the hash of each part's sources."""
    root = place.root
    locks = [*(root / name for name in _LOCKS), *(file for pattern in _LOCK_NAMES for file in root.glob(pattern))]
    found = {
        LIBRARIES: _hash(root, locks, f"{place.runtime} {place.architecture}"),
        TEMPLATE: _hash(root, [root / "template.yaml"]),
    }
    for name in _built_by((root / "template.yaml").read_text(encoding="utf-8")):
        found[name] = _hash(root, [root / path for path in _sources_of(name)])
    return found


def folder_of(function: str) -> str:
    """Return the folder of a function, by its name in the template.

    >>> folder_of("SyncBatchFunction")
    'functions/sync_batch'
    """
    words = re.findall(r"[A-Z][a-z]*", function.removesuffix("Function"))
    return f"functions/{'_'.join(words).lower()}"


def _sources_of(name: str) -> tuple[str, ...]:
    if name == LAYER:
        return _OWN
    page = [f"web/{path}" for path in _PAGE] if name == "PublicFunction" else []
    return (folder_of(name), *page)


def _hash(root: Path, paths: list[Path], besides: str = "") -> str:
    digest = hashlib.sha256(besides.encode())
    files = [file for path in paths for file in [path, *path.rglob("*")] if file.is_file() and not _WRITTEN & set(file.parts)]
    for file in sorted(set(files)):
        digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def list_changes(wanted: Parts, deployed: Parts) -> list[str]:
    """Return the parts that differ, in the order of *wanted*.

    >>> list_changes({"template": "1", "SharedLayer": "2"}, {"template": "1", "SharedLayer": "1", "GoneFunction": "1"})
    ['SharedLayer']
    """
    return [name for name, found in wanted.items() if deployed.get(name) != found]


def load_deployed(place: Place, body: str) -> Parts:
    """Return the parts as they were when *body*, CloudFormation's template, was deployed; nothing if that is not known."""
    try:
        noted = json.loads(_note(place).read_text(encoding="utf-8"))
        return dict(noted["parts"]) if noted["template"] == _digest(body) else {}
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def note_deployed(place: Place, body: str, parts: Parts) -> None:
    """Note what was deployed with *body*."""
    _note(place).parent.mkdir(parents=True, exist_ok=True)
    _note(place).write_text(json.dumps({"template": _digest(body), "parts": dict(parts)}), encoding="utf-8")


def was_deployed(place: Place) -> bool:
    """Return whether a deployment of this cloud ever came to its end; a former release noted it elsewhere."""
    return _note(place).exists() or (place.home / "run/deployed").exists()


def _note(place: Place) -> Path:
    return place.home / "state/deployed"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
