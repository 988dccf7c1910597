"""A folder is removed whatever it holds, and nothing that it points at."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from solvers.folders import empty_folder, open_folder, remove_folder


@pytest.mark.parametrize(("name", "depth"), [("x", 1), ("a-folder-of-some-name", 300)])
def test_no_depth_and_no_mode_protects_what_is_in_it(tmp_path: Path, name: str, depth: int) -> None:
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    for each in (folder, outside):
        each.mkdir()
    (outside / "file").write_text("stays")
    (folder / "link").symlink_to(outside)
    (folder / "dangling").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")
    making = f"import os\nfor _ in range({depth}):\n    os.mkdir({name!r})\n    os.chdir({name!r})\n"
    subprocess.run([sys.executable, "-c", making + "os.symlink('/', 'root')"], check=True, cwd=folder)
    (folder / "closed" / "inner").mkdir(parents=True)
    (folder / "closed" / "inner" / "file").write_text("goes")
    for closed in ("closed/inner", "closed"):
        (folder / closed).chmod(0)
    remove_folder(str(folder))
    assert not folder.exists()
    assert (outside / "file").read_text() == "stays"


def test_a_folder_that_is_moved_and_closed_is_emptied_where_it_is(tmp_path: Path) -> None:
    folder, moved, rival = tmp_path / "folder", tmp_path / "moved", tmp_path / "rival"
    for each in (folder, rival):
        (each / "inner").mkdir(parents=True)
        (each / "inner" / "file").write_text("x")
    top = open_folder(str(folder))
    try:
        folder.rename(moved)
        rival.rename(folder)
        moved.chmod(0)
        empty_folder(top)
    finally:
        os.close(top)
    assert [*moved.iterdir()] == []
    assert (folder / "inner" / "file").exists()


def test_what_is_no_folder_or_cannot_be_removed_is_left_alone(tmp_path: Path) -> None:
    remove_folder(str(tmp_path / "nowhere"))
    (tmp_path / "file").write_text("stays")
    (tmp_path / "link").symlink_to(tmp_path)
    remove_folder(str(tmp_path / "file"))
    remove_folder(str(tmp_path / "link"))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "link"]
