"""Builds the documentation site: ``python -m tools.site [DIRECTORY]``, by default ``build/site``.

Needs ``pip install -e '.[docs]'``. The pages of ``docs/`` are taken as they are, but for their
links: what is no page of the site is linked in the repository. Beside them come README's neighbours
(changelog, benchmarks, contributing) and three references that are made of the sources: Python's
names out of docstrings, C's out of ``csrc/*.h``, and errors out of the table of codes, texts and
hints. Any warning is an error, and so is a link that leads nowhere.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tools import reference
from tools.header import ROOT

DOCS = ROOT / "docs"
#: Pages that stand elsewhere in the project.
OTHERS = {"changelog.md": ROOT / "CHANGELOG.md", "contributing.md": ROOT / "CONTRIBUTING.md",
          "bench.md": ROOT / "bench" / "README.md"}
MADE = {"reference/python.md": reference.python, "reference/c.md": reference.c,
        "reference/errors.md": reference.errors}
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)(#[^)\s]*)?\)")
REPOSITORY = re.search(r'(?m)^Repository = "(.*)"',  # type: ignore[index]
                       (ROOT / "pyproject.toml").read_text())[1]


def sources() -> dict[str, Path]:
    """The pages that are written by hand: name in the site, and file."""
    pages = {str(path.relative_to(DOCS)): path for path in sorted(DOCS.rglob("*.md"))}
    return pages | OTHERS


def link(target: str, page: str, path: Path, names: dict[Path, str]) -> str:
    """Where a link of a page leads in the site: to another page, a picture, or the repository."""
    if target in MADE or os.path.normpath(Path(page).parent / target) in MADE:
        return target
    file = (path.parent / target).resolve()
    if file.is_dir():
        file = next((file / name for name in ("index.md", "README.md")
                     if (file / name).resolve() in names), file)
    if file in names:
        return os.path.relpath(names[file], Path(page).parent)
    if not file.exists():
        return target  # Sphinx says that it leads nowhere
    if file.suffix in (".svg", ".png"):
        return os.path.relpath(f"_static/{file.name}", Path(page).parent)
    return f"{REPOSITORY}/blob/main/{file.relative_to(ROOT)}"


def text_of(page: str, path: Path, names: dict[Path, str]) -> str:
    """A page as Sphinx takes it."""
    text = path.read_text()
    text = re.sub(r"(?m)^```(table|wire|bytes|console)\b.*$", "```text", text)
    text = re.sub(r"(?m)^```python\n(?=>>>)", "```pycon\n", text)
    return LINK.sub(lambda m: f"]({link(m[1], page, path, names)}{m[2] or ''})", text)


def title_and_first(text: str) -> tuple[str, str]:
    """The title of a page and its first sentence."""
    text = re.sub(r"<!--.*?-->|```.*?```", "", text, flags=re.DOTALL)
    title = re.search(r"(?m)^# (.+)$", text)
    plain = [block for block in text.split("\n\n")
             if block.strip() and not re.match(r"\s*([#|*`(]|\d\.)", block)]
    first = re.split(r"(?<=\.)\s", " ".join((plain or [""])[0].split()) + " ")[0]
    first = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", first)
    return (title[1] if title else ""), first


def llms(pages: dict[str, str]) -> str:
    """llms.txt: what there is to read, a line a page, for programs that read."""
    lines = ["# tape", "", "> A queue that stores everything to disk, for Python and C, in the "
             "files of Chronicle Queue 5.", "",
             "Each page is there as Markdown, too, under `_sources/`.", ""]
    groups = {"Pages": "", "Guides": "guides/", "Reference": "reference/"}
    for group, prefix in groups.items():
        lines += [f"## {group}", ""]
        for name, text in pages.items():
            inside = name.startswith(tuple(p for p in groups.values() if p))
            if name.startswith(prefix) and (prefix or not inside):
                title, first = title_and_first(text)
                address = f"_sources/{name}.txt"
                lines.append(f"- [{title}]({address}): {first}".rstrip(": "))
        lines.append("")
    return "\n".join(lines)


def more(pages: dict[str, str]) -> str:
    """A list of the pages that no list names yet: whoever adds a page need not know of the site."""
    listed = {"index"}
    for name, text in pages.items():
        for block in re.findall(r"```\{toctree\}\n(.*?)```", text, re.DOTALL):
            listed |= {os.path.normpath(Path(name).parent / line)
                       for line in block.split() if not line.startswith(":")}
    missing = sorted(set(pages) - {f"{name}.md" for name in listed})
    names = "\n".join(name.removesuffix(".md") for name in missing)
    return f"\n```{{toctree}}\n:hidden:\n:caption: More\n\n{names}\n```\n" if missing else ""


def gather(target: Path) -> dict[str, str]:
    """Writes the sources of the site into a directory; the pages by name."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(DOCS / "_static", target / "_static")
    for picture in (ROOT / "bench" / "results").glob("*.svg"):
        shutil.copy(picture, target / "_static")
    shutil.copy(DOCS / "conf.py", target)
    files = sources()
    names = {path.resolve(): name for name, path in files.items()}
    pages = {name: text_of(name, path, names) for name, path in files.items()}
    pages |= {name: make() for name, make in MADE.items()}
    pages["index.md"] += more(pages)
    for name, text in pages.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_text(text)
    (target / "llms.txt").write_text(llms(pages))
    return pages


def build(directory: Path) -> int:
    """Gathers and builds; what Sphinx answers."""
    gather(directory / "source")
    return subprocess.run([sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html",
                           "-d", str(directory / "doctrees"), str(directory / "source"),
                           str(directory / "html")], check=False, cwd=ROOT).returncode


def broken(html: Path) -> list[str]:
    """Links of the built pages that lead to no page, or to no place in it."""
    pages = {path: path.read_text() for path in html.rglob("*.html")}
    places = {path: {*re.findall(r'(?:id|name)="([^"]+)"', text)} for path, text in pages.items()}
    found = []
    for path, text in pages.items():
        for target, place in set(re.findall(r'href="(?!\w+:|//)([^"#?]*)[^"#]*(?:#([^"]*))?"',
                                            text)):
            file = (path.parent / target).resolve() if target else path
            name = f"{path.relative_to(html)}: {target}#{place}"
            if not file.exists() or (place and file in places and place not in places[file]):
                found.append(name)
    return sorted(found)


if __name__ == "__main__":
    where = (Path(sys.argv[1]) if sys.argv[1:] else ROOT / "build" / "site").resolve()
    code = build(where)
    lost = broken(where / "html")
    for name in lost:
        print("leads nowhere:", name, file=sys.stderr)
    if code == 0 and not lost:
        print(where / "html" / "index.html")
    raise SystemExit(code or bool(lost))
