"""Looks names up in the real sources of Isaac Sim, Isaac Lab and Kit, by reading them; nothing of them is executed."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from host.prepare import ISAAC_SIM, SIM

_ISAAC_SIM = ISAAC_SIM / "isaacsim" / "exts"
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_NAMED = (ast.ClassDef, *_FUNCTIONS)


class MissingError(LookupError):
    """A name is not in the real sources."""


@dataclass(frozen=True)
class Definition:
    """Where a name is defined: the module, and the statement, None where the name is a module itself."""

    module: str
    node: ast.AST | None


def is_available(module: str) -> bool:
    """Return whether there is a source of this module here."""
    return _file(module) is not None


def where(module: str) -> str:
    """Return the source of a module as a path within its package."""
    path = _file(module)
    if path is None:
        raise MissingError(f"there is no source of {module}")
    for root in _roots(module):
        if path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    return path.name


def find(module: str, name: str) -> Definition:
    """Return where ``name`` (``"Class"``, ``"Class.method"``, ``"function"``) of a module is defined.

    Raises:
        MissingError: It is not there; says which part of it is not.
    """
    first, *rest = name.split(".")
    found = _in_module(module, first, frozenset())
    if found is None:
        raise MissingError(f"{module} has no {first}")
    for part in rest:
        member = _in_module(found.module, part, frozenset()) if found.node is None else _in_class(found, part)
        if member is None:
            raise MissingError(f"{module}:{name} has no {part}")
        found = member
    return found


def accepts(definition: Definition, parameters: list[str]) -> str:
    """Return what speaks against calling a function with these parameters; empty if nothing does."""
    node = definition.node
    if isinstance(node, ast.ClassDef):
        init = _in_class(definition, "__init__")
        if init is None:
            return ""  # a configuration class, whose fields are rows of their own
        node = init.node
    if not isinstance(node, _FUNCTIONS):
        return "it is no function"
    known = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
    if known and known[0] in ("self", "cls"):
        known = known[1:]
    only_by_name = [argument.arg for argument in node.args.kwonlyargs]
    defaults = node.args.defaults
    required = known[: len(known) - len(defaults)]
    required += [name for name, value in zip(only_by_name, node.args.kw_defaults, strict=True) if value is None]
    unknown = [name for name in parameters if name not in known + only_by_name]
    if unknown and node.args.kwarg is None:
        return f"it takes {', '.join(known + only_by_name) or 'nothing'}, not {', '.join(unknown)}"
    # Carbonite's stubs call parameters arg0, arg1, …
    wanting = [name for name in required if name not in parameters and not name.startswith("arg")]
    return f"it needs {', '.join(wanting)}" if wanting else ""


def mentions(source: str, name: str) -> bool:
    """Return whether a source has a name or a literal.

    Args:
        source: A module, an experience (``"isaacsim.exp.full.kit"``), the configuration of one of Isaac Sim's
            extensions (``"isaacsim.gui.menu/config/extension.toml"``), or a header of Kit's kernel
            (``"omni/usd/UsdContext.h"``).
        name: As Python has it; in a header it is looked for as C++ has it.
    """
    if source.endswith(".kit"):
        return name in settings_of(source) or f'"{name}" =' in _experience(source)
    if source.endswith(".toml"):
        return f'"{name}" =' in (_ISAAC_SIM / source).read_text(encoding="utf-8")
    if source.endswith(".h"):
        return not _in_cpp(name).isdisjoint(_words_of_header(source))
    path = _file(source)
    if path is None:
        raise MissingError(f"there is no source of {source}")
    return name in _words(path)


@cache
def settings_of(experience: str) -> Mapping[str, Any]:
    """Return the settings of an experience file by path (``"/app/fastShutdown"``)."""
    return dict(_flat(_settings_tables(_experience(experience))))


# ---- files ----------------------------------------------------------------------------------------------------------


def _site_packages() -> Path:
    return next(SIM.glob("lib/python3.*/site-packages"))


@cache
def _roots(module: str) -> tuple[Path, ...]:
    kernel = _site_packages() / "isaacsim" / "kit" / "kernel" / "py"
    if module.startswith("isaacsim."):
        return tuple(sorted(_ISAAC_SIM.iterdir()))
    if module.partition(".")[0] in ("carb", "omni"):
        loop = _ISAAC_SIM / "omni.kit.loop-isaac"
        return kernel, _site_packages(), loop
    return (_site_packages(),)


@cache
def _file(module: str) -> Path | None:
    """Return the stub of a module, else its source."""
    relative = Path(*module.split("."))
    for root in _roots(module):
        for candidate in (
            root / relative / "__init__.pyi",
            root / relative / "__init__.py",
            root / relative.with_suffix(".pyi"),
            root / relative.with_suffix(".py"),
        ):
            if candidate.exists():
                return candidate
    if "." not in module and module not in ("isaacsim", "omni") and (spec := find_spec(module)) and spec.origin:
        return Path(spec.origin)  # of the standard library
    return None


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _words(path: Path) -> frozenset[str]:
    """Return the names that a source defines, imports or reads, and its string literals."""
    words = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Attribute):
            words.add(node.attr)
        elif isinstance(node, ast.Name):
            words.add(node.id)
        elif isinstance(node, _NAMED):
            words.add(node.name)
        elif isinstance(node, ast.alias):
            words.update(node.name.split("."))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            words.add(node.value)
    return frozenset(words)


def _experience(name: str) -> str:
    for folder in (_site_packages() / "isaacsim" / "apps", _site_packages() / "isaaclab" / "apps"):
        if (path := folder / name).exists():
            return path.read_text(encoding="utf-8")
    raise MissingError(f"there is no experience {name}")


@cache
def _words_of_header(header: str) -> frozenset[str]:
    path = _site_packages() / "isaacsim" / "kit" / "dev" / "include" / header
    if not path.exists():
        raise MissingError(f"Kit's kernel has no header {header}")
    text = path.read_text(encoding="utf-8")
    return frozenset(re.findall(r"\w+", text)) | frozenset(re.findall(r'"([^"\n]*)"', text))


def _in_cpp(name: str) -> set[str]:
    """Return what Kit's Python names are called in its headers: ``getStage``, ``eClosing``, ``kGlobalEventPlay``."""
    if not name.isidentifier():
        return {name}
    pascal = "".join(part.capitalize() for part in name.split("_")) if "_" in name or name.isupper() else name
    return {pascal, pascal[0].lower() + pascal[1:], f"e{pascal}", f"k{pascal}"}


# ---- names ----------------------------------------------------------------------------------------------------------


def _in_module(module: str, name: str, seen: frozenset[str]) -> Definition | None:
    path = _file(module)
    if path is None or module in seen:
        return None
    seen |= {module}
    starred = []
    for node in _statements(_tree(path).body):
        if isinstance(node, _NAMED) and node.name == name:
            return Definition(module, node)
        if name in _assigned(node):
            return Definition(module, node)
        if isinstance(node, ast.ImportFrom):
            origin = _absolute(module, path, node)
            for alias in node.names:
                if alias.name == "*":
                    starred.append(origin)
                elif (alias.asname or alias.name) == name:
                    return _in_module(origin, alias.name, seen) or _as_module(f"{origin}.{alias.name}")
    for origin in starred:
        if found := _in_module(origin, name, seen):
            return found
    if path.suffix == ".pyi" and (source := path.with_suffix(".py")).exists():
        for node in _statements(_tree(source).body):
            if name in _assigned(node) or (isinstance(node, _NAMED) and node.name == name):
                return Definition(module, node)
    return _as_module(f"{module}.{name}")


def _as_module(module: str) -> Definition | None:
    return Definition(module, None) if is_available(module) else None


def _in_class(owner: Definition, name: str, depth: int = 0) -> Definition | None:
    if not isinstance(owner.node, ast.ClassDef) or depth > 12:
        return None
    for node in _statements(owner.node.body):
        if isinstance(node, _NAMED) and node.name == name:
            return Definition(owner.module, node)
        if name in _assigned(node):
            return Definition(owner.module, node)
    for node in ast.walk(owner.node):
        if any(_is_own_attribute(target, name) for target in _targets(node)):
            return Definition(owner.module, node)
    for base in owner.node.bases:
        try:
            definition = find(owner.module, ast.unparse(base.value if isinstance(base, ast.Subscript) else base))
        except MissingError:
            continue
        if found := _in_class(definition, name, depth + 1):
            return found
    return None


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield statements, those below an ``if`` or a ``try`` too."""
    for node in body:
        yield node
        if isinstance(node, ast.If):
            yield from _statements([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            yield from _statements([*node.body, *(child for handler in node.handlers for child in handler.body)])


def _targets(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.AnnAssign | ast.AugAssign):
        return [node.target]
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [part for target in targets for part in (target.elts if isinstance(target, ast.Tuple) else [target])]


def _assigned(node: ast.AST) -> set[str]:
    return {target.id for target in _targets(node) if isinstance(target, ast.Name)}


def _is_own_attribute(target: ast.expr, name: str) -> bool:
    return (
        isinstance(target, ast.Attribute)
        and target.attr == name
        and isinstance(target.value, ast.Name)
        and target.value.id in ("self", "cls")
    )


def _absolute(module: str, path: Path, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = module.split(".")
    if path.stem != "__init__":
        package = package[:-1]
    package = package[: len(package) - (node.level - 1)]
    return ".".join([*package, *([node.module] if node.module else [])])


# ---- experience files -----------------------------------------------------------------------------------------------


def _settings_tables(text: str) -> dict[str, Any]:
    """Parse an experience file; Kit allows to open a table twice, TOML does not."""
    settings: dict[str, Any] = {}
    for part in ("\n" + text).split("\n["):
        header, _, body = part.partition("]\n")
        if header.startswith("settings"):
            _merge(settings, tomllib.loads(f"[{header}]\n{_first_of_each_key(body)}").get("settings", {}))
    return settings


def _first_of_each_key(body: str) -> str:
    """Leave out a key that is there a second time."""
    lines, seen = [], set()
    for line in body.splitlines():
        key = line.partition("=")[0].strip()
        if "=" in line and not line.startswith((" ", "\t")):
            if key in seen:
                continue
            seen.add(key)
        lines.append(line)
    return "\n".join(lines)


def _merge(into: dict[str, Any], values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _flat(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}/{key}")
        else:
            yield f"{path}/{key}", value
