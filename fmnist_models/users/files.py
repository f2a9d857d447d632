"""Import a user's model file as a program of the user's would, beside everything that is ours.

Its folder goes on the search path, before what is installed and after Python's own modules; of a
file in a package (`__init__.py` beside it, or relative imports in it) the folder that holds the
package. The working directory comes last. Each file has modules of its own: two files whose
neighbours are called alike get their own ones, in one process too.
"""

import ast
import builtins
import hashlib
import importlib
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

OURS = frozenset({"bench", "data_pipeline", "fmnist_models", "results"})  # our packages
KEPT = {"torch", "torchvision", "numpy"}  # no net means another one by these
OUR_FOLDER = Path(__file__).resolve().parents[2]
INSTALLED = {"site-packages", "dist-packages"}
PYTHON = Path(sysconfig.get_path("stdlib")).resolve()
_python_import = builtins.__import__


@dataclass(eq=False)
class UserFile:
    """A model file in this process, and the modules that came with it."""

    place: Path  # resolved
    text: bytes
    roots: tuple[Path, ...]  # folders that it imports from; the first holds its package, if any
    packages: tuple[str, ...]  # that it lies in, outermost first
    module: ModuleType | None = None  # its own, once it is imported
    before: frozenset[str] = field(default_factory=lambda: frozenset(sys.modules))
    stowed: dict[str, ModuleType] = field(default_factory=dict)  # while another file is active
    hidden: set[str] = field(default_factory=set)  # packages of the process called like its own
    namesakes: dict[str, ModuleType] = field(default_factory=dict)  # its own that are called so
    path_before: list[str] = field(default_factory=list)
    path: list[str] = field(default_factory=list)  # with what the user's code has added

    def neighbours(self) -> list[Path]:
        """Return the user's files that it has imported so far, sorted; itself left out."""
        modules = (self.stowed or self._loaded()) | self.namesakes
        files = {file for one in modules.values() if (file := _file_of(one)) and file.is_file()}
        return sorted(file for file in files if file != self.place)

    def enter(self) -> None:
        """Give the process the search path and the modules of this file."""
        self.path_before = list(sys.path)
        near, *far = [str(root) for root in self.roots]
        installed = (k for k, place in enumerate(sys.path) if INSTALLED & set(Path(place).parts))
        sys.path.insert(next(installed, len(sys.path)), near)
        sys.path += far
        sys.path[:] = self.path or sys.path
        sys.modules.update(self.stowed)
        self.stowed = {}
        importlib.invalidate_caches()  # of folders that were listed before a file was written
        loaded = {name.partition(".")[0] for name in self.before}
        others = (loaded | OURS) - KEPT - set(sys.stdlib_module_names)
        self.hidden = {name for name in others if self._has_namesake(name)}
        if self.hidden:
            builtins.__import__ = self._import

    def leave(self) -> None:
        """Take them away again."""
        self.stowed = self._loaded()
        for name in self.stowed:
            del sys.modules[name]
        self.path, sys.path[:] = list(sys.path), self.path_before
        builtins.__import__ = _python_import

    def _loaded(self) -> dict[str, ModuleType]:
        new = [(name, sys.modules[name]) for name in set(sys.modules) - self.before]
        return {name: module for name, module in new if self._owns(_file_of(module))}

    def _owns(self, file: Path | None) -> bool:
        added = set(sys.path if self.path_before else ()) - set(self.path_before)
        places = [*self.roots, *map(Path, added)]
        if file is None or not any(file.is_relative_to(place) for place in places):
            return False
        is_ours = any(file.is_relative_to(OUR_FOLDER / name) for name in OURS)
        return not (is_ours or INSTALLED & set(file.parts) or file.is_relative_to(PYTHON))

    def _has_namesake(self, name: str) -> bool:
        """Tell whether something beside the file is called like a package of the process."""
        places = [root / name for root in self.roots if root != OUR_FOLDER]
        return any(
            (place / "__init__.py").is_file()
            or place.with_name(f"{name}.py").is_file()
            or (name in OURS and place.is_dir())
            for place in places
        )

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """Import as Python does; what the user's code calls `results` is not our package.

        Nor is any other that we have loaded what the code means by a name of something beside it.
        """
        given = globals or {}
        top = ((given.get("__package__") or "") if level else name).partition(".")[0]
        if top not in self.hidden or not self._owns(Path(given.get("__file__") or "/")):
            return _python_import(name, globals, locals, fromlist or (), level)
        with self._theirs_for_ours(top):
            return _python_import(name, globals, locals, fromlist or (), level)

    @contextmanager
    def _theirs_for_ours(self, top: str) -> Iterator[None]:
        if self._owns(_file_of(sys.modules.get(top))):  # it is importing itself
            yield
            return
        ours, path = _take(top), list(sys.path)
        sys.modules.update(self.namesakes)
        sys.path[:0] = [str(root) for root in self.roots]
        try:
            yield
        finally:
            sys.path[:] = path
            self.namesakes |= _take(top)
            sys.modules.update(ours)


@dataclass
class UserFiles:
    """The model files of this process, of which one is active: its modules are importable."""

    known: dict[Path, UserFile] = field(default_factory=dict)
    active: UserFile | None = None

    def load(self, path: Path) -> ModuleType:
        """Import a file, once for as long as its text stays the same, and make it active.

        Whatever the file raises comes through, and leaves no module behind.
        """
        place = path.resolve()
        text, known = place.read_bytes(), self.known.get(place)
        if known is not None and known.text == text:
            self._activate(known)
            assert known.module is not None
            return known.module
        self._activate(None)
        root, packages = _package_of(place, text)
        roots = tuple(dict.fromkeys([root, place.parent, Path.cwd().resolve()]))
        self._activate(loaded := UserFile(place, text, roots, packages))
        try:
            loaded.module = _import_file(loaded)
        except BaseException:
            self._activate(None)
            raise
        self.known[place] = loaded
        return loaded.module

    def neighbours(self, path: Path) -> list[Path]:
        """Return the user's files that a loaded file has imported so far; resolved, sorted."""
        known = self.known.get(path.resolve())
        return known.neighbours() if known else []

    def _activate(self, file: UserFile | None) -> None:
        if self.active is not file and self.active is not None:
            self.active.leave()
        if file is not None and self.active is not file:
            file.enter()
        self.active = file


USER_FILES = UserFiles()


def _package_of(place: Path, text: bytes) -> tuple[Path, tuple[str, ...]]:
    """Return the folder that holds the outermost package of a file, and the package's names."""
    names: list[str] = []
    folder, depth = place.parent, _relative_level(text)
    while folder.name and (len(names) < depth or (folder / "__init__.py").is_file()):
        names.insert(0, folder.name)
        folder = folder.parent
    return folder, tuple(names)


def _relative_level(text: bytes) -> int:
    """Return how many dots the relative imports of a text have at most."""
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError, RecursionError):  # what is wrong is said when it is run
        return 0
    return max((node.level for node in nodes if isinstance(node, ast.ImportFrom)), default=0)


def _import_file(file: UserFile) -> ModuleType:
    digest = hashlib.sha256(bytes(file.place)).hexdigest()[:12]
    name = alias = f"fmnist_user_{file.place.stem}_{digest}"
    if file.packages:
        top = file.packages[0]
        if top in OURS or top in sys.stdlib_module_names or top in sys.modules:
            top = alias  # the name is taken, and relative imports do without it
        _execute(top, file.roots[0] / file.packages[0], is_package=True)
        parent = ".".join([top, *file.packages[1:]])
        importlib.import_module(parent)
        name = f"{parent}.{file.place.stem.replace('.', '_')}"
        if name in sys.modules:  # its package has imported it
            return sys.modules[name]
    return _execute(name, file.place)


def _execute(name: str, place: Path, *, is_package: bool = False) -> ModuleType:
    """Make a module of a file, or of a folder with or without `__init__.py`."""
    source = place / "__init__.py" if is_package else place
    folders = [str(place)] if is_package else None
    if source.is_file():
        spec = spec_from_file_location(name, source, submodule_search_locations=folders)
    else:
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = folders
    assert spec is not None, "the suffix is .py"
    module = sys.modules[name] = module_from_spec(spec)
    if spec.loader is not None:
        spec.loader.exec_module(module)
    return module


def _take(top: str) -> dict[str, ModuleType]:
    """Take a package and its modules out of the process."""
    names = [name for name in sys.modules if name == top or name.startswith(f"{top}.")]
    return {name: sys.modules.pop(name) for name in names}


def _file_of(module: object) -> Path | None:
    """Return where a module's text lies; of a package without a file some place in its folder."""
    known = getattr(module, "__dict__", {})
    if isinstance(known.get("__file__"), str):
        return Path(known["__file__"])
    try:
        places = list(known.get("__path__") or ())
    except Exception:  # a module that is none
        return None
    return Path(places[0]) if places and isinstance(places[0], str) else None
