"""Removing a folder that a stranger has filled.

It may be deeper than a path can be long, hold folders that may not be entered, and links that lead
outside. So nothing is reached by a path through it, no link is followed, and what lies deep is first moved
up to the top: the time that it takes grows with the number of entries and not with their depth.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path

_AS_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def open_folder(folder: str) -> int:
    """A descriptor of a folder, through which it can be emptied wherever it is moved to."""
    return os.open(folder, _AS_FOLDER)


def empty_folder(top: int) -> None:
    """Remove all that is in an open folder; what the system does not let go stays, without an error."""
    with suppress(OSError):
        os.fchmod(top, stat.S_IRWXU)
        _empty(top)


def remove_folder(folder: str) -> None:
    """Remove a folder and all that is in it; what the system does not let go stays, without an error."""
    with suppress(OSError):
        top = open_folder(folder)
        try:
            empty_folder(top)
        finally:
            os.close(top)
        Path(folder).rmdir()


def _empty(top: int) -> None:
    unique = os.urandom(8).hex()
    number = 0
    while names := _remove_files(top):
        for name in names:
            inner = _open_folder(name, top)
            try:
                for deeper in _remove_files(inner):
                    number += 1
                    # A folder can be moved only by somebody who may write to it.
                    os.close(_open_folder(deeper, inner))
                    os.rename(deeper, f"{unique}-{number}", src_dir_fd=inner, dst_dir_fd=top)
            finally:
                os.close(inner)
            os.rmdir(name, dir_fd=top)


def _open_folder(name: str, within: int) -> int:
    os.chmod(name, stat.S_IRWXU, dir_fd=within)
    return os.open(name, _AS_FOLDER, dir_fd=within)


def _remove_files(folder: int) -> list[str]:
    """Remove everything that is not a folder, and return the names of those that are."""
    folders = []
    with os.scandir(folder) as entries:
        names = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_folder in names:
        if is_folder:
            folders.append(name)
        else:
            os.unlink(name, dir_fd=folder)
    return folders
