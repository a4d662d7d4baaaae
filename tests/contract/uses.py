"""Finds out, by reading our source, which names of Isaac Sim, Isaac Lab and Kit it uses."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from host.kit_host import ROOT

SOURCE = ROOT / "source" / "isaac_lerobot"

_FOREIGN = re.compile(r"(isaaclab\w*|isaacsim|omni|carb|usdrt)(\.|$)")
_SETTING = re.compile(r"/(app|physics|isaaclab|persistent|exts|rtx|rtx-transient|renderer|omni|ngx)/[\w./-]+")
_MODULE_IN_TEXT = re.compile(r"((?:isaaclab\w*|isaacsim|omni|carb)(?:\.\w+)+)(?::(\w+))?")
_IMPORTED_BY_NAME = re.compile(r"(\w+) = importlib\.import_module\('((?:isaaclab\w*|isaacsim|omni|carb)[\w.]*)'\)")
_OURS = re.compile(r"/(persistent/)?exts/isaac\.lerobot\.recorder\b")
_DEMO_TASK = SOURCE / "app" / "demo_task"
"""A task and its robot, which are not tied to the recorder; every test runs it for real."""

Names = dict[tuple[str, str], set[str]]
"""Files of our source by module and name."""


def imported_names() -> Names:
    """Return what is imported from foreign modules, and the attributes that are taken from an imported module.

    ``from m import n`` gives ``("m", "n")``; ``import m`` with ``m.n`` somewhere gives the same; a module that is
    imported by its name in a text (``importlib.import_module("m")``, ``"m:n"``) gives ``("m", "")`` or ``("m", "n")``.
    """
    found: Names = defaultdict(set)
    for path, tree in _trees():
        modules = dict(_module_names(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and _FOREIGN.match(node.module):
                for alias in node.names:
                    if f"{node.module}.{alias.name}" not in modules.values():
                        found[node.module, alias.name].add(_short(path))
            elif isinstance(node, ast.Attribute) and (module := modules.get(ast.unparse(node.value))):
                if f"{module}.{node.attr}" not in modules.values() and not _is_prefix(f"{module}.{node.attr}", modules):
                    found[module, node.attr].add(_short(path))
            elif match := isinstance(node, ast.Constant) and _MODULE_IN_TEXT.fullmatch(str(node.value)):
                found[match[1], match[2] or ""].add(_short(path))
    return found


def private_names() -> dict[str, set[str]]:
    """Return the private attributes that are read from other objects and that our own source does not define."""
    own: set[str] = set()
    read: dict[str, set[str]] = defaultdict(set)
    for path, tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
                own.add(node.name)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                own.add(node.target.id)
            elif isinstance(node, ast.Attribute) and _is_private(node.attr):
                if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
                    own.add(node.attr)
                else:
                    read[node.attr].add(_short(path))
            elif isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in (
                "getattr",
                "hasattr",
                "setattr",
                "before",
            ):
                for argument in node.args[1:2]:
                    if isinstance(argument, ast.Constant) and _is_private(str(argument.value)):
                        read[str(argument.value)].add(_short(path))
    return {name: paths for name, paths in read.items() if name not in own}


def environment_names() -> dict[str, set[str]]:
    """Return the attributes that are read from an environment: ``env.x``, ``self._env.x``."""
    found: dict[str, set[str]] = defaultdict(set)
    for path, tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("env", "self._env", "self.env"):
                found[node.attr].add(_short(path))
    return found


def settings() -> dict[str, set[str]]:
    """Return the paths of Kit's settings that are read or written, but for our own."""
    found: dict[str, set[str]] = defaultdict(set)
    for path, text in _texts():
        if _SETTING.fullmatch(text) and not _OURS.match(text):
            found[text].add(_short(path))
    return found


def _trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        if not path.is_relative_to(_DEMO_TASK):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def _texts() -> Iterator[tuple[Path, str]]:
    for path, tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield path, node.value


def _module_names(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield what foreign modules are called in a file, and their full names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if _FOREIGN.match(alias.name):
                    yield alias.asname or alias.name, alias.name
                    if alias.asname is None and "." in alias.name:
                        yield alias.name.partition(".")[0], alias.name.partition(".")[0]
        elif match := _IMPORTED_BY_NAME.match(ast.unparse(node)) if isinstance(node, ast.Assign) else None:
            yield match[1], match[2]


def _is_prefix(name: str, modules: dict[str, str]) -> bool:
    return any(module.startswith(f"{name}.") for module in modules.values())


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _short(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()
