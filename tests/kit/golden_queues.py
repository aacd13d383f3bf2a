"""The golden queues: archives of sparse files in tests/golden, unpacked with their holes.

``tests/golden/MANIFEST`` says of each archive which program wrote it and what it holds.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from dataclasses import dataclass
from pathlib import Path

GOLDEN = Path(__file__).parents[1] / "golden"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Golden:
    """One line of the MANIFEST."""

    path: str
    sha256: str
    program: str
    what: str

    @property
    def name(self) -> str:
        """The archive's name without folder and ending."""
        return Path(self.path).name.removesuffix(".tar.gz")

    @property
    def folder(self) -> str:
        """java, tape, published or refuse."""
        return Path(self.path).parent.name


def manifest() -> list[Golden]:
    """All golden archives; lines of the MANIFEST are path, sha256, program, what."""
    lines = (GOLDEN / "MANIFEST").read_text().splitlines()
    return [Golden(*line.split("\t")) for line in lines if line and not line.startswith("#")]


def names(folder: str) -> list[str]:
    """Names of the archives in a folder."""
    return [golden.name for golden in manifest() if golden.folder == folder]


def archive(name: str) -> Path:
    """Path of the archive with this name."""
    for golden in manifest():
        if golden.name == name:
            return GOLDEN / golden.path
    raise LookupError(f"no golden queue {name}")


def digest(path: Path) -> str:
    """Sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def extract(name: str, dest: str | os.PathLike[str]) -> Path:
    """Unpacks a golden queue below ``dest`` and returns its directory.

    Chunks of zeros become holes, whether or not the archive keeps files sparse: a cycle file
    of 80 MiB takes some kilobytes on disk.
    """
    root = Path(dest)
    with tarfile.open(archive(name)) as tar:
        for member in tar:
            path = root / member.name
            if ".." in Path(member.name).parts or member.name.startswith("/"):
                raise ValueError(f"{member.name} leaves the directory")
            if member.isdir():
                path.mkdir(parents=True, exist_ok=True)
            elif member.isfile():
                path.parent.mkdir(parents=True, exist_ok=True)
                _copy_sparse(tar, member, path)
    return root / name


def _copy_sparse(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    source = tar.extractfile(member)
    assert source is not None
    zeros = bytes(_CHUNK)
    with open(path, "wb") as out:
        for chunk_at in range(0, member.size, _CHUNK):
            chunk = source.read(_CHUNK)
            if chunk == zeros[:len(chunk)]:
                continue
            for at in range(0, len(chunk), 4096):
                page = chunk[at:at + 4096]
                if page != zeros[:len(page)]:
                    out.seek(chunk_at + at)
                    out.write(page)
        out.truncate(member.size)
