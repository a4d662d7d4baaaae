"""ffmpeg: the program that encodes, decodes and copies videos, and the one way of starting it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from isaac_lerobot.errors import EncoderError, install_line

if sys.platform == "win32":
    APART: dict[str, Any] = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
else:
    APART: dict[str, Any] = {"start_new_session": True}
"""How a process is started so that Ctrl+C in the terminal is for the recorder, which ends its encoders in order."""


def find_ffmpeg() -> str:
    """Return the ffmpeg to run: ``IMAGEIO_FFMPEG_EXE`` where set, else the one that imageio-ffmpeg brings.

    Raises:
        EncoderError: There is none.
    """
    named = os.environ.get("IMAGEIO_FFMPEG_EXE")
    if named:
        found = shutil.which(named)
        if found is None:
            raise EncoderError(f"IMAGEIO_FFMPEG_EXE names {named}, which is not a program that can be run.")
        return found
    try:
        import imageio_ffmpeg

        executable = str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise EncoderError(
            f"There is no ffmpeg ({error}). Run: {install_line('imageio[ffmpeg]')}   or name one in IMAGEIO_FFMPEG_EXE."
        ) from error
    if not Path(executable).is_file():
        raise EncoderError(f"The ffmpeg of imageio-ffmpeg is gone from {executable}. Reinstall imageio[ffmpeg].")
    return executable


def command(*arguments: str) -> list[str]:
    """Return a command line of an ffmpeg that asks nothing, and says nothing but errors."""
    return [find_ffmpeg(), "-hide_banner", "-nostdin", "-loglevel", "error", "-y", *arguments]


def mp4_input(path: Path) -> list[str]:
    """Return the arguments by which an mp4 file is read, as nothing else than that and from nowhere else."""
    return ["-f", "mp4", "-protocol_whitelist", "file", "-i", f"file:{path}"]


def raw_input(height: int, width: int, fps: int) -> list[str]:
    """Return the arguments by which raw RGB pictures are read from standard input."""
    return [*("-f", "rawvideo", "-pix_fmt", "rgb24", "-video_size", f"{width}x{height}"),
            *("-framerate", str(fps), "-threads", "1", "-i", "pipe:0")]  # fmt: skip


def start_fed(arguments: list[str], complaints: IO[bytes], env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start an ffmpeg that reads pictures from standard input until that is closed, here and in every child of ours.

    Raises:
        EncoderError: There is no ffmpeg.
        OSError: It cannot be started.
    """
    with _starting:
        process = subprocess.Popen(
            command(*arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            bufsize=0,
            env=env,
            **APART,
        )
        assert process.stdin is not None
        _pipes.add(process.stdin)
    return process


_starting = threading.Lock()
_pipes: weakref.WeakSet[IO[bytes]] = weakref.WeakSet()


def _close_in_child() -> None:
    """Close what a forked child has of the pipes, or their ffmpeg would not see the end before the child has ended."""
    for pipe in list(_pipes):
        pipe.close()
    _starting.release()


if sys.platform != "win32":
    os.register_at_fork(before=_starting.acquire, after_in_parent=_starting.release, after_in_child=_close_in_child)


def run(arguments: list[str], content: bytes = b"", timeout_s: float | None = None) -> str:
    """Run ffmpeg to its end.

    Returns:
        What went wrong, in a line; empty where nothing did.

    Raises:
        EncoderError: There is no ffmpeg.
    """
    try:
        done = subprocess.run(
            command(*arguments), input=content, capture_output=True, timeout=timeout_s, check=False, **APART
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    return said(done.stderr) or f"it ended with code {done.returncode}"


def said(output: bytes | IO[bytes]) -> str:
    """Return the first lines of what ffmpeg wrote as its errors."""
    content = output if isinstance(output, bytes) else output.read()
    return "; ".join(content.decode(errors="replace").strip().splitlines()[:3]).rstrip(".")


def write_all(descriptor: int, content: memoryview) -> None:
    """Write bytes, all of them, into a pipe to an ffmpeg.

    Raises:
        OSError: It has ended.
    """
    while content:
        content = content[os.write(descriptor, content) :]
