"""Repositories of two commits whose workers say what a test has them say, and no more."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import Finished, call, git
from tests.results.records_by_hand import make_record, make_values

WORKER = '''"""Answers a gate out of answers.json."""
import json, os, sys, time
from multiprocessing.connection import Connection
from pathlib import Path

answers = json.loads(Path("answers.json").read_text())
if answers.get("broken"):
    raise SystemExit("ImportError: no module named gone")
pipe = Connection(int(sys.argv[1]))

def say(kind, content):
    pipe.send_bytes(json.dumps({"kind": kind, "content": content}).encode())

number = 0
while True:
    try:
        asked = json.loads(pipe.recv_bytes())
    except EOFError:
        break
    question, content = asked["kind"], asked["content"]
    model = content.get("model")
    if model in answers.get("dies_over", []):
        sys.exit(f"{model} killed me")
    if model in answers.get("fails", []):
        say("failure", {"status": "crashed", "reason": f"RuntimeError: {model} is ill"})
    elif question == "resolve" and content["models"] == "nonsense":
        say("refusal", "unknown model 'nonsense'; choose from v0, v2")
    elif question == "introduce":
        say("answer", {"root": str(Path.cwd())} | answers["introduce"])
    elif question == "count":
        say("answer", {model: answers["counts"][model]})
    elif question == "turn":
        turns = answers["turns"][model]
        number += 1
        time.sleep(answers.get("sleep_s", 0.0))
        is_again = os.readlink("/proc/self/fd/1").endswith("again.log")
        slower = answers.get("again_is_slower", 1.0) if is_again else 1.0
        say("answer", slower * turns[number % len(turns)])
    elif question == "train":
        record = json.loads(json.dumps(answers["record"]))
        record["spec"] |= {"model": model, "seed": content["seed"]}
        record["record_id"] = f"{number:016x}"
        number += 1
        accuracy = answers["accuracy"][content["seed"] % len(answers["accuracy"])]
        record["measurements"]["test_accuracy"] = ["fraction", accuracy]
        say("answer", json.dumps(record))
    else:
        say("answer", answers[question])
'''
MODELS = ["v0", "v2"]
PLAN = "resident,contiguous,eager,threads:1"
COUNTS = {"parameters": 7850, "flops": 1000, "kept_bytes": 0, "peak_bytes": 5000}


RECORD = make_record(values=make_values(0.8, 4.0, 7850, 48 << 20))


def answers(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """What a worker says in which nothing is unusual, with some changes."""
    plain = {
        "introduce": {"protocol": 2},
        "list_models": MODELS,
        "resolve": {
            "plans": dict.fromkeys(MODELS, PLAN),
            "device": "cpu",
            "stack": "torch 2.14 on cpu",
            "environment": {"device": "a processor"},
            "settings": ["batch_size=32"],
            "all_models": MODELS,
        },
        "counts": {"v0": COUNTS, "v2": COUNTS},
        "count_epochs": {"epoch": {"images": 1000, "steps": 8}},
        "prepare": {"steps": 1, "step_s": 0.004},
        "drop": None,
        "turns": {"v0": [0.004], "v2": [0.004]},
        "accuracy": [0.8, 0.81, 0.79],
        "record": json.loads(RECORD.to_json_line()),
    }
    return plain | changes


def make_repository(
    folder: Path, base: dict[str, Any], head: dict[str, Any], *, has_worker: bool = True
) -> Path:
    """A repository whose branch `base` is one commit behind what is checked out."""
    git(folder.parent, "init", "-q", "-b", "main", str(folder))
    if has_worker:
        package = folder / "bench" / "gate"
        package.mkdir(parents=True)
        (folder / "bench" / "__init__.py").touch()
        (package / "__init__.py").touch()
        (package / "worker.py").write_text(WORKER, encoding="utf-8")
    for name, said in (("base", base), ("head", head)):
        (folder / "answers.json").write_text(json.dumps(said), encoding="utf-8")
        (folder / "README.md").write_text(name, encoding="utf-8")
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "-m", f"the {name}")
        git(folder, "branch", name)
    return folder


@dataclass
class Gate:
    """Calls `gate` in this process, and reads what it leaves in the folder `out`."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    capfd: pytest.CaptureFixture[str]
    data_root: Path

    @property
    def repository(self) -> Path:
        """Where `between` makes one."""
        return self.folder / "repository"

    def between(
        self, base: dict[str, Any], head: dict[str, Any], *options: str, held_to: str = "base"
    ) -> Finished:
        """Holds a head to a base whose workers say what is usual, but for these changes."""
        make_repository(self.repository, answers(**base), answers(**head))
        return self(*options, held_to=held_to)

    def __call__(self, *options: str, held_to: str = "base") -> Finished:
        """Holds what is checked out in the repository to another commit."""
        self.monkeypatch.chdir(self.repository)
        arguments = ("gate", "--base", held_to, "--out", str(self.folder / "out"), *options)
        return call(self.monkeypatch, self.capfd, self.data_root, *arguments)

    def verdict(self) -> dict[str, Any]:
        """What verdict.json holds."""
        found: dict[str, Any] = json.loads((self.folder / "out" / "verdict.json").read_bytes())
        return found

    def outcomes(self) -> dict[str, list[str]]:
        """Findings by outcome, as `check model`."""
        found: dict[str, list[str]] = {}
        for finding in self.verdict()["findings"]:
            name = f"{finding['check']} {finding['model']}"
            found.setdefault(finding["outcome"], []).append(name)
        return found
