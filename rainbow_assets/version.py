"""Which code this is. Not here: which data it made (`ops/versions.py`)."""

import shutil
import subprocess
from importlib.metadata import version

from rainbow_assets.settings import PROJECT_DIR


def package_version() -> str:
    """The project's version, as `pyproject.toml` has it."""
    return version("rainbow-assets")


def code_version() -> str:
    """The git commit of a checkout, `-dirty` where files have changed since; elsewhere the project's version."""
    git = shutil.which("git")
    if git is None or not (PROJECT_DIR / ".git").exists():
        return package_version()
    describe = [git, "-C", str(PROJECT_DIR), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    done = subprocess.run(describe, capture_output=True, text=True, check=False)
    return done.stdout.strip() or package_version()
