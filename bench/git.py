"""Git as the user's shell has it, about a folder of ours."""

import os
import subprocess
from pathlib import Path

# A hook has these set for the repository that it belongs to, as `git rev-parse --local-env-vars`
# lists them. The settings of a user or a CI (GIT_CONFIG_COUNT, ...) are listed too, but stay.
OF_ANOTHER_REPOSITORY = {
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_IMPLICIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_PREFIX"),
    *("GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES"),
    *("GIT_QUARANTINE_PATH", "GIT_NAMESPACE", "GIT_SHALLOW_FILE", "GIT_GRAFT_FILE"),
    *("GIT_REPLACE_REF_BASE", "GIT_NO_REPLACE_OBJECTS", "GIT_INTERNAL_SUPER_PREFIX"),
}
TIMEOUT_S = 120.0


class GitError(Exception):
    """Git did not do it; the message is its own, on one line."""


def git(folder: Path, *arguments: str, timeout_s: float = TIMEOUT_S) -> str:
    """Run git on a folder, without hooks, and return what it says without the last line break.

    Raises:
        GitError: it failed.
    """
    # a `git status` that is killed as it refreshes the index would leave its lock behind
    options = ["--no-optional-locks", "-C", str(folder), "-c", "core.hooksPath=/dev/null"]
    try:
        done = subprocess.run(
            ["git", *options, *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="replace",  # a subject may be older than UTF-8
            timeout=timeout_s,
            check=True,
            env={k: v for k, v in os.environ.items() if k not in OF_ANOTHER_REPOSITORY},
        )
    except subprocess.CalledProcessError as error:
        raise GitError(" ".join(error.stderr.split()) or f"git {arguments[0]} failed") from None
    except FileNotFoundError:
        raise GitError("there is no git on the PATH") from None
    except (OSError, subprocess.SubprocessError) as error:
        raise GitError(f"git does not work here: {error}") from None
    return done.stdout.rstrip("\n")
