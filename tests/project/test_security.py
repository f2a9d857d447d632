"""What the product's source may not do: unpickle, evaluate text, hand strings to a shell.

The only code of a user's that is run is the file of a model that the command line names.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("bench", "data_pipeline", "fmnist_models", "results", ".ci")
FILES = [path for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))]
UNPICKLERS = {"pickle", "cPickle", "dill", "joblib", "marshal", "shelve"}
FORBIDDEN_CALLS = {
    *("eval", "exec", "compile", "__import__"),
    *("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"),
    *("tempfile.mktemp", "shutil.unpack_archive", "yaml.load"),
}
# whoever runs code that is named at run time, and what that may be
IMPORTERS = {
    "data_pipeline/__init__.py": "its own modules, when a name of theirs is asked for",
    "fmnist_models/users/files.py": "the file of a model that the command line names",
    "fmnist_models/registry.py": "its own modules, by the catalogue",
    "results/__init__.py": "its own modules, when a name of theirs is asked for",
}
SHELL = "import subprocess; subprocess.run('ls', shell=True)"


def faults(source: str) -> Iterator[str]:
    """What a source does that it may not."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names]
            yield from (f"imports {name}" for name in names if name in UNPICKLERS)
        if isinstance(node, ast.Call):
            yield from faults_of_call(node)


def faults_of_call(call: ast.Call) -> Iterator[str]:
    name = ast.unparse(call.func)
    options = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    if name in FORBIDDEN_CALLS:
        yield f"calls {name}"
    if "shell" in options:
        yield f"{name} with a shell"
    if name == "torch.load" and options.get("weights_only") != "True":
        yield "torch.load without weights_only=True"
    if options.get("allow_pickle", "False") != "False":
        yield f"{name} with pickles"
    if name.endswith(("extractall", ".extract")):
        yield f"{name}: members of an archive may lie outside of its folder"
    if name in {"subprocess.run", "subprocess.Popen"} and isinstance(call.args[0], ast.Constant):
        yield f"{name} of one string"


def test_no_source_does_what_bad_input_could_use() -> None:
    found = {path: list(faults(path.read_text(encoding="utf-8"))) for path in FILES}
    assert {path: what for path, what in found.items() if what} == {}


def test_the_check_sees_what_it_looks_for() -> None:
    sources = (
        "import pickle",
        "from pickle import loads",
        "eval(text)",
        "import os; os.system('ls')",
        SHELL,
        "import subprocess; subprocess.run('ls')",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "archive.extractall(folder)",
    )
    assert [source for source in sources if not list(faults(source))] == []


def test_only_these_modules_import_by_name() -> None:
    names = {"import_module", "exec_module", "spec_from_file_location", "run_path", "run_module"}
    importers = set()
    for path in FILES:
        calls = [n for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Call)]
        if any(ast.unparse(call.func).rpartition(".")[2] in names for call in calls):
            importers.add(str(path.relative_to(ROOT)))
    assert importers == set(IMPORTERS)
