"""Prepares this checkout for running for real: licence, system packages, environments, extension folder.

Run it through ``tests/host/setup``, which finds a Python 3.12. Each step first looks whether it was done already, so
that a second run returns at once. Standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ROOT / "tests" / "host" / "locks"
SIM = ROOT / ".venv"
LEROBOT = ROOT / ".venv-lerobot"
ISAAC_SIM = ROOT / ".isaacsim"
OLDEST = ROOT / ".venv-oldest"
HOST = ROOT / ".host"
EXTENSION = ROOT / ".kit" / "exts" / "isaac.lerobot.recorder"

UV_VERSION = "0.13.9"
EXTENSION_PARTS = ("extension.toml", "CHANGELOG.md", "config", "data", "docs", "source/README.md")

LICENCE = """\
The tests and the demo run NVIDIA's Omniverse Kit and Isaac Sim packages, which are under NVIDIA's licence:
    NVIDIA Omniverse License Agreement
    https://docs.omniverse.nvidia.com/platform/latest/common/NVIDIA_Omniverse_License_Agreement.html
Nothing was downloaded. When you have read and accept it, say so and run the command again:
    export OMNI_KIT_ACCEPT_EULA=YES
"""


class SetupError(Exception):
    """Something that only the person at the machine can change; its text says what."""


def main() -> int:
    """Prepare everything and return the exit code."""
    try:
        require_licence()
        system_packages()
        environment(SIM, "sim.lock", "Kit kernel, omni.ui, Isaac Lab and the product", "8 GB")
        environment(LEROBOT, "lerobot.lock", "the real LeRobot reader", "1 GB")
        isaac_sim()
        environment(OLDEST, "oldest.lock", "the oldest packages that the product allows", "0.4 GB")
        product()
        cuda_stub()
        extension_folder()
    except SetupError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


def require_licence() -> None:
    """Stop unless NVIDIA's licence was accepted, as Kit itself understands it."""
    accepted = os.environ.get("OMNI_KIT_ACCEPT_EULA", "")
    if not accepted:
        for file in SIM.glob("lib/python3.*/site-packages/isaacsim/kit/EULA_ACCEPTED"):
            accepted = file.read_text(encoding="utf-8").strip()
    if accepted.lower() not in ("y", "yes", "1"):
        raise SetupError(LICENCE)


def system_packages() -> None:
    """Install the few system packages that are missing, where this user may."""
    missing = list(_missing_packages())
    if not missing:
        return
    command = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    privilege = _privilege()
    if privilege is None or shutil.which("apt-get") is None:
        raise SetupError(
            f"System packages are missing (names as in Debian and Ubuntu): {' '.join(missing)}\n"
            f"Install them, then run the command again:\n    sudo {' '.join(command)}"
        )
    say(f"Installing system packages: {' '.join(missing)}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run([*privilege, "apt-get", "update", "-q"], "apt-get update", env=quiet, required=False)
    run([*privilege, *command], "apt-get install", env=quiet)


def environment(folder: Path, lock: str, what: str, size: str) -> None:
    """Bring a virtual environment to exactly what its lock says."""
    wanted = _digest(LOCKS / lock)
    stamp = folder / ".locked"
    if _read(stamp) == wanted:
        return
    say(f"Installing {what} into {folder.name} (about {size} on disk, minutes on a first run) …")
    started = time.monotonic()
    uv = find_uv()
    if not (folder / "bin" / "python").exists():
        run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], "creating the environment")
    sync = [uv, "pip", "sync", "--python", str(folder / "bin" / "python"), str(LOCKS / lock)]
    run(sync, f"installing {lock}")
    stamp.write_text(wanted, encoding="utf-8")
    say(f"{folder.name} is ready after {time.monotonic() - started:.0f} s.")


def isaac_sim() -> None:
    """Lay Isaac Sim's Python extensions out in a folder of their own.

    Without their dependencies: some contradict what Isaac Lab needs, and most belong to extensions that no package
    index has.
    """
    wanted = _digest(LOCKS / "isaacsim.lock")
    stamp = ISAAC_SIM / ".locked"
    if _read(stamp) == wanted:
        return
    say(f"Getting Isaac Sim's own extensions into {ISAAC_SIM.name} (21 MB to download, 90 MB on disk) …")
    shutil.rmtree(ISAAC_SIM, ignore_errors=True)
    install = [find_uv(), "pip", "install", "--quiet", "--no-deps", "--python", str(SIM / "bin" / "python")]
    run([*install, "--target", str(ISAAC_SIM), "--requirements", str(LOCKS / "isaacsim.lock")], "getting Isaac Sim")
    stamp.write_text(wanted, encoding="utf-8")


def product() -> None:
    """Install this checkout itself, editable, so that ``isaac-lerobot`` is a command of ``.venv``."""
    wanted = _digest(ROOT / "pyproject.toml") + _read(SIM / ".locked")
    stamp = SIM / ".product"
    if _read(stamp) == wanted and (SIM / "bin" / "isaac-lerobot").exists():
        return
    say("Installing isaac-lerobot from this checkout …")
    install = [find_uv(), "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    run([*install, "--python", str(SIM / "bin" / "python"), "--editable", str(ROOT)], "installing the checkout")
    stamp.write_text(wanted, encoding="utf-8")


def cuda_stub() -> None:
    """Build a stand-in for libcuda where there is no NVIDIA driver: ovui does not load without one."""
    stub = HOST / "lib" / "libcuda.so.1"
    if _loads("libcuda.so.1"):
        stub.unlink(missing_ok=True)
        return
    source = Path(__file__).with_name("libcuda_stub.c")
    if stub.exists() and stub.stat().st_mtime >= source.stat().st_mtime:
        return
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        raise SetupError(
            "A C compiler is needed on a machine without an NVIDIA driver: sudo apt-get install gcc libc6-dev"
        )
    stub.parent.mkdir(parents=True, exist_ok=True)
    build = [compiler, "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", str(stub), str(source)]
    run(build, "building the libcuda stand-in")


def extension_folder() -> None:
    """Lay out the extension under its id, as an installation has it: Kit takes the id from the folder's name.

    Links to the parts rather than one to the checkout: Kit walks an extension's folder, and the checkout also holds
    the environments and this very link. As in a wheel, the package is not among them: two ways to one module would
    leave halves of a package behind when Kit disables the extension, as it forgets what it imported from there.
    """
    source = EXTENSION / "source"
    if source.is_symlink():  # of an earlier checkout
        source.unlink()
    for name in EXTENSION_PARTS:
        link = EXTENSION / name
        if not link.is_symlink():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.relpath(ROOT / name, link.parent))


def find_uv() -> str:
    """Return a uv: the one on PATH, else one in this checkout's ``.uv``, installed there when needed."""
    on_path = shutil.which("uv")
    if on_path:
        return on_path
    folder = ROOT / ".uv"
    uv = folder / "bin" / "uv"
    if not uv.exists():
        say("Getting uv, the package installer, into .uv …")
        if subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=False).returncode:
            raise SetupError(
                f"{sys.executable} cannot create virtual environments. On Debian and Ubuntu: "
                "sudo apt-get install python3.12-venv   (or put uv on PATH)"
            )
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        run([*pip, f"uv=={UV_VERSION}"], "installing uv")
    return str(uv)


def run(command: list[str], what: str, env: dict[str, str] | None = None, required: bool = True) -> None:
    """Run a command, showing its output."""
    code = subprocess.run(command, cwd=ROOT, env=env, check=False).returncode
    if code and required:
        raise SetupError(f"{what} failed (exit code {code}); its own message is above. Command: {' '.join(command)}")


def say(text: str) -> None:
    """Print a line of progress."""
    print(f"[setup] {text}", flush=True)


def _missing_packages() -> Iterable[str]:
    if not _loads("libvulkan.so.1"):
        yield "libvulkan1"
    drivers = [Path("/usr/share/vulkan/icd.d"), Path("/etc/vulkan/icd.d"), Path("/usr/local/share/vulkan/icd.d")]
    if not any(True for folder in drivers for _ in folder.glob("lvp_icd*.json")):
        yield "mesa-vulkan-drivers"
    if not _loads("libcuda.so.1") and not any(map(shutil.which, ("cc", "gcc", "clang"))):
        yield from ("gcc", "libc6-dev")


def _privilege() -> list[str] | None:
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and not subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode:
        return ["sudo", "-n"]
    return None


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else ""


if __name__ == "__main__":
    sys.exit(main())
