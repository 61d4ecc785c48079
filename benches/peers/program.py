"""A program that is compared: where it is, which version, and what to install if it is missing."""

import os
import shutil
import subprocess

APT_GET = ("apt-get", "install", "--yes", "--no-install-recommends")


class Failed(Exception):
    """A program that cannot be measured; why, for the table."""


class Program:
    # as `--only` names it, as the table does, and what to install if it is missing
    name = label = program = ""
    remedy = ()
    version_arguments = ("--version",)

    @classmethod
    def missing(cls):
        """The command that installs it, or nothing if it is there."""
        return () if cls.path() else cls.remedy

    @classmethod
    def path(cls):
        return shutil.which(cls.program)

    @classmethod
    def version(cls):
        """The first line of what it says of itself."""
        try:
            run = subprocess.run(
                [cls.path(), *cls.version_arguments], capture_output=True, text=True, timeout=20, env=cls.environment()
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"unknown: {error}"
        lines = (run.stdout + run.stderr).strip().splitlines()
        return lines[0].strip() if lines else "unknown"

    @classmethod
    def environment(cls):
        # QT: a program without a screen that asks for one
        return {**os.environ, "LC_ALL": "C.UTF-8", "QT_QPA_PLATFORM": "offscreen"}
