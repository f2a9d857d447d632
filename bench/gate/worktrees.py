"""Two commits of this repository as folders: detached worktrees, gone when the gate ends."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.errors import UsageError
from bench.git import GitError, git
from results.errors import NotComparable
from results.gate.verdict import Commit

PACKAGES = ("bench", "data_pipeline", "fmnist_models", "results")
WORKER = "bench/gate/worker.py"


def find_commits(base: str, head: str) -> tuple[Path, tuple[Commit, Commit]]:
    """Find the repository that the user stands in, and the two commits, fit to be measured.

    Raises:
        UsageError: this is no git checkout, a revision names nothing, or the head is what is
            checked out and the work tree differs from it.
        NotComparable: a commit is older than the gate.
    """
    try:
        repository = Path(git(Path.cwd(), "rev-parse", "--show-toplevel"))
    except GitError as error:
        raise UsageError(f"the gate compares commits: run it in a git checkout ({error})") from None
    commits = _find_commit(repository, base), _find_commit(repository, head)
    if commits[1].commit == _find_commit(repository, "HEAD").commit:
        _check_clean(repository)
    for side, commit in zip(("base", "head"), commits, strict=True):
        _check_harness(repository, commit, side)
    return repository, commits


@contextmanager
def checked_out(repository: Path, base: Commit, head: Commit) -> Iterator[dict[str, Path]]:
    """Check out folders `base` and `head`: paths of one length, as that shifts stack addresses.

    Raises:
        UsageError: git cannot make them.
    """
    with TemporaryDirectory(prefix="fmnist-gate-", ignore_cleanup_errors=True) as folder:
        trees = {"base": Path(folder) / "base", "head": Path(folder) / "head"}
        try:
            for tree, commit in zip(trees.values(), (base, head), strict=True):
                _add(repository, tree, commit)
            yield trees
        finally:
            for tree in trees.values():
                _remove(repository, tree)


def _add(repository: Path, tree: Path, commit: Commit) -> None:
    try:
        git(repository, "worktree", "add", "--detach", "--quiet", str(tree), commit.commit)
    except GitError as error:
        raise UsageError(f"no worktree of {commit.revision} can be made: {error}") from None


def _remove(repository: Path, tree: Path) -> None:
    """Remove a worktree, locked or half made too; what git leaves, the folder's end removes."""
    with suppress(GitError):
        git(repository, "worktree", "remove", "--force", "--force", str(tree))
    shutil.rmtree(tree, ignore_errors=True)
    with suppress(GitError):
        git(repository, "worktree", "prune")


def _find_commit(repository: Path, revision: str) -> Commit:
    """Find the commit that a revision names."""
    try:
        asked = ("--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        found = git(repository, "rev-parse", *asked)
        if found.startswith("^"):  # git reads ^REV as all commits but these
            raise GitError(found)
    except GitError:
        raise UsageError(
            f"unknown revision {revision!r}: name a commit, branch or tag that is here; in CI, "
            "check out with the whole history (fetch-depth: 0)"
        ) from None
    commit = found.splitlines()[0]
    subject = git(repository, "log", "-1", "--format=%s", commit)
    return Commit(revision, commit, subject)


def _check_clean(repository: Path) -> None:
    """Refuse changes of tracked files, and new files in a package."""
    changed = git(repository, "status", "--porcelain", "--untracked-files=no")
    new = git(repository, "status", "--porcelain", "--untracked-files=all", "--", *PACKAGES)
    files = [line[3:] for line in dict.fromkeys([*changed.splitlines(), *new.splitlines()])]
    if files:
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        raise UsageError(
            f"the work tree differs from its commit ({files[0]}{more}), and the gate measures "
            "commits: commit or stash, or name the commit with --head"
        )


def _check_harness(repository: Path, commit: Commit, side: str) -> None:
    """Refuse a commit that is older than the gate and has no worker to answer it."""
    try:
        git(repository, "cat-file", "-e", f"{commit.commit}:{WORKER}")
    except GitError:
        raise NotComparable(
            f"{side} {commit.revision} ({commit.commit[:9]}) has no {WORKER}, so nothing can be "
            "compared; name a later commit"
        ) from None
