"""A backup is one file of plain files, for its owner alone, and restore never loses a folder."""

import os
import stat
import tarfile
from pathlib import Path

import apsw
import pytest

import rynek.backup as module
from rynek.backup import BackupError, backup, restore
from rynek.base.folder import DataFolder, FolderError
from rynek.base.sqlite import Connection, connect


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def contents(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != "lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with configuration of two tenants."""
    made = DataFolder(tmp_path / "data")
    made.open()
    made.close()
    for tenant in ("krakow", "pardubice"):
        place = made.tenants / tenant
        (place / "feeds").mkdir(parents=True)
        (place / "city.toml").write_text(f'name = "{tenant}"\n')
        (place / "feeds" / "lockers.toml").write_text(f"# of {tenant}\n")
    return made.path


def test_files_of_one_inode_number_are_stored_each_as_itself(folder: Path, tmp_path: Path) -> None:
    """Hard links have one inode number as do, by chance, a temporary file and its successor."""
    first = folder / "tenants" / "krakow" / "reference.bin"
    first.write_bytes(os.urandom(100_000))
    os.link(first, folder / "tenants" / "pardubice" / "reference.bin")
    backup(folder, tmp_path / "b.tar")
    with tarfile.open(tmp_path / "b.tar") as tar:
        assert {member.type for member in tar} == {tarfile.REGTYPE}
    restore(tmp_path / "b.tar", tmp_path / "new")
    assert contents(tmp_path / "new") == contents(folder)


def test_databases_follow_each_other_in_the_same_place(folder: Path, tmp_path: Path) -> None:
    for number in range(12):
        place = folder / "tenants" / f"t{number:02}"
        place.mkdir()
        database = connect(place / "state.db")
        database.execute("CREATE TABLE change(seq INTEGER PRIMARY KEY AUTOINCREMENT, x TEXT)")
        database.execute("INSERT INTO change(x) VALUES(?)", (str(number),))
        database.close()
    backup(folder, tmp_path / "b.tar")
    restore(tmp_path / "b.tar", tmp_path / "new")
    for number in range(12):
        database = connect(tmp_path / "new" / "tenants" / f"t{number:02}" / "state.db")
        assert database.execute("SELECT x FROM change").fetchone() == (str(number),)
        database.close()


def test_links_are_followed(folder: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "a.pb").write_bytes(b"recorded")
    (kept / "round").symlink_to(kept)
    tenant = folder / "tenants" / "krakow"
    (tenant / "feeds" / "x.toml").symlink_to(kept / "a.pb")
    (tenant / "feeds" / "gone.toml").symlink_to(kept / "nothing")
    (tenant / "recordings").symlink_to(kept)
    backup(folder, tmp_path / "b.tar")
    restore(tmp_path / "b.tar", tmp_path / "new")
    new = tmp_path / "new" / "tenants" / "krakow"
    for name in ("feeds/x.toml", "recordings/a.pb"):
        assert (new / name).read_bytes() == b"recorded" and not (new / name).is_symlink()
    assert not (new / "recordings" / "round").exists()


def test_an_archive_that_is_not_as_written_gets_no_name(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = module._write

    def broken(data: Path, draft: Path, *more: object) -> object:
        told = write(data, draft, *more)  # type: ignore[arg-type]
        with tarfile.open(draft, "a") as tar:
            link = tarfile.TarInfo("tenants/krakow/state.db")
            link.type, link.linkname = tarfile.LNKTYPE, "format"
            tar.addfile(link)
        return told

    monkeypatch.setattr(module, "_write", broken)
    with pytest.raises(BackupError, match=r"state\.db"):
        backup(folder, tmp_path / "b.tar")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


def test_a_backup_is_for_its_owner_alone(folder: Path, tmp_path: Path) -> None:
    backup(folder, tmp_path / "b.tar")
    assert mode(tmp_path / "b.tar") == 0o600


@pytest.fixture
def archive(folder: Path, tmp_path: Path) -> Path:
    """A backup of `folder`."""
    backup(folder, tmp_path / "b.tar")
    return tmp_path / "b.tar"


def test_force_replaces_nothing_but_a_data_folder(archive: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "letter.txt").write_text("dear")
    with pytest.raises(BackupError, match="no data folder of rynek"):
        restore(archive, home, force=True)
    assert [path.name for path in home.iterdir()] == ["letter.txt"]
    with pytest.raises(BackupError, match="no folder"):
        restore(archive, home / "letter.txt", force=True)


def test_the_old_folder_comes_back_when_the_new_one_cannot_stand(
    archive: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "extra").write_text("kept")
    before, replace = contents(folder), Path.replace

    def refused(self: Path, target: Path) -> Path:
        if target == folder and (self / "format").exists() and not (self / "extra").exists():
            raise PermissionError(13, "Permission denied")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refused)
    with pytest.raises(BackupError, match="Permission denied"):
        restore(archive, folder, force=True)
    assert contents(folder) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.tar", "data"]


def test_a_mount_point_is_told(archive: Path) -> None:
    with pytest.raises(BackupError, match="mount point"):
        restore(archive, Path("/proc"), force=True)


def test_a_link_to_the_folder_stays_a_link(archive: Path, folder: Path, tmp_path: Path) -> None:
    (folder / "extra").write_text("gone soon")
    link = tmp_path / "link"
    link.symlink_to(folder)
    restore(archive, link, force=True)
    assert link.is_symlink()
    assert not (folder / "extra").exists() and (folder / "format").exists()


def test_a_folder_in_use_is_not_replaced(archive: Path, folder: Path) -> None:
    service = DataFolder(folder)
    service.open()
    with pytest.raises(FolderError, match="in use"):
        restore(archive, folder, force=True)
    service.close()


def test_only_the_owner_enters_a_new_folder(archive: Path, folder: Path, tmp_path: Path) -> None:
    assert mode(folder) == 0o700
    restore(archive, tmp_path / "new")
    assert mode(tmp_path / "new") == 0o700
    folder.chmod(0o750)
    again = DataFolder(folder)
    again.open()
    again.close()
    assert mode(folder) == 0o750


def test_databases_that_may_not_even_be_opened_are_saved_with_their_log(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full or read-only disk SQLite cannot make the file that it needs in order to read."""
    written = folder / "tenants" / "krakow" / "state.db"
    database = connect(written)
    database.execute("CREATE TABLE change(seq INTEGER PRIMARY KEY AUTOINCREMENT, x TEXT)")
    database.execute("INSERT INTO change(x) VALUES('in the log')")

    def connected(path: Path, *, read_only: bool = False) -> Connection:
        if path == written:
            raise apsw.CantOpenError("unable to open database file")
        return connect(path, read_only=read_only)

    monkeypatch.setattr("rynek.archive.connect", connected)
    backup(folder, tmp_path / "b.tar")
    restore(tmp_path / "b.tar", tmp_path / "new")
    found = connect(tmp_path / "new" / "tenants" / "krakow" / "state.db", read_only=True)
    assert found.execute("SELECT x FROM change").fetchall() == [("in the log",)]
    database.close()
    found.close()
    assert {path.name for path in tmp_path.iterdir()} == {"b.tar", "data", "new"}
