"""libtape as it is installed: files, symbols, packages for pkg-config and CMake, man pages."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.kit.installed import EXAMPLES, Installed, run
from tests.kit.sources import CSRC, ROOT
from tools import header, man

pytestmark = pytest.mark.slow

COMPILERS = ["gcc", "clang"]
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
FUNCTIONS = [name for h in header.all_headers() for item in h.items for name in item.names]


def needs(*tools: str) -> None:
    for tool in tools:
        if not shutil.which(tool):
            pytest.skip(f"needs {tool}")


def outcome(program: Path, *arguments: str | Path) -> str:
    return run(program, *arguments)


def test_what_is_installed_is_this(installed: Installed) -> None:
    """Headers, both libraries, packages, licence, man pages; no test, benchmark or example."""
    found = {str(path.relative_to(installed.prefix)) for path in installed.prefix.rglob("*")
             if not path.is_dir()}
    libraries = str(installed.libraries.relative_to(installed.prefix))
    version = installed.pkg_config("--modversion")[0]
    pages = {f"share/man/man3/{name}.3" for name in [*FUNCTIONS, "tape", "tape_fressian"]}
    assert found == pages | {
        "include/tape.h", "include/tape_fressian.h", "share/doc/tape/LICENSE",
        *(f"{libraries}/{name}" for name in (
            "libtape.a", "libtape.so", "libtape.so.0", f"libtape.so.{version}",
            "pkgconfig/tape.pc", "cmake/tape/tapeConfig.cmake",
            "cmake/tape/tapeConfigVersion.cmake", "cmake/tape/tapeTargets.cmake",
            "cmake/tape/tapeTargets-relwithdebinfo.cmake"))}


def symbols(*command: str | Path) -> set[str]:
    """Names that nm prints as defined for others."""
    found = run("nm", "--defined-only", *command)
    return set(re.findall(r"(?m)^\S+ [A-TV-Z] (\S+)$", found))


def test_the_shared_library_exports_the_symbols_of_the_list(installed: Installed) -> None:
    """Each with the version TAPE_0, and nothing beside them; it is found as libtape.so.0."""
    library = installed.libraries / "libtape.so.0"
    listed = (CSRC / "tape.symbols").read_text().split()
    assert symbols("-D", library) == {f"{name}@@TAPE_0" for name in listed} | {"TAPE_0"}
    assert "[libtape.so.0]" in run("readelf", "-d", library)


def test_the_static_library_defines_no_name_but_its_own(installed: Installed) -> None:
    """So that it can be linked beside anything."""
    defined = symbols("-g", installed.libraries / "libtape.a")
    assert set((CSRC / "tape.symbols").read_text().split()) <= defined
    assert [name for name in defined if not re.match(r"tape_", name)] == []


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("kind", ["shared", "static"])
def test_the_examples_are_built_by_pkg_config(installed: Installed, tmp_path: Path, kind: str,
                                              compiler: str) -> None:
    """By each compiler without a warning; with libtape.a they need no libtape at run time."""
    needs(compiler, "pkg-config", "make")
    installed.make(tmp_path, f"CC={compiler}", *(["STATIC=1"] if kind == "static" else []))
    assert ("libtape" in run("ldd", tmp_path / "writer")) == (kind == "shared")
    assert outcome(tmp_path / "fressian_writer", tmp_path / "q").count("\n") == 3


@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_examples_are_built_by_find_package(installed: Installed, tmp_path: Path,
                                                compiler: str) -> None:
    """All that examples/c/CMakeLists.txt names, which is every program there."""
    needs(compiler)
    run("cmake", "-S", EXAMPLES, "-B", tmp_path, f"-DCMAKE_PREFIX_PATH={installed.prefix}",
        f"-DCMAKE_C_COMPILER={compiler}", f"-DCMAKE_C_FLAGS={' '.join(STRICT)}")
    run("cmake", "--build", tmp_path, "-j2")
    built = {path.name for path in tmp_path.iterdir() if path.is_file() and path.suffix == ""}
    assert built - {"Makefile"} == {path.stem for path in EXAMPLES.glob("*.c")}
    assert outcome(tmp_path / "in_place", tmp_path / "q", "6") == "4 messages, 64 bytes\n"


def test_the_headers_are_found_where_they_were_told_to_be(tmp_path: Path) -> None:
    """And nowhere else: CMake refuses a target that names a folder which is not there."""
    needs("cmake")
    run("cmake", "-S", ROOT, "-B", tmp_path / "b", "-DTAPE_EXAMPLES=OFF", "-DTAPE_MAN=OFF",
        "-DCMAKE_INSTALL_INCLUDEDIR=headers")
    run("cmake", "--build", tmp_path / "b", "-j2")
    run("cmake", "--install", tmp_path / "b", "--prefix", tmp_path / "prefix")
    run("cmake", "-S", EXAMPLES, "-B", tmp_path / "e", f"-DCMAKE_PREFIX_PATH={tmp_path / 'prefix'}")


def test_an_older_minor_version_is_asked_for_in_vain(installed: Installed, tmp_path: Path) -> None:
    """Before 1.0 a minor version may break: find_package() says no to any other."""
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.16)\nproject(p C)\nfind_package(tape 0.0 REQUIRED)\n")
    asked = subprocess.run(["cmake", "-S", tmp_path, "-B", tmp_path / "b",
                            f"-DCMAKE_PREFIX_PATH={installed.prefix}"], capture_output=True)
    assert asked.returncode != 0 and b'version "0.0"' in asked.stderr


CONSUMER = """
cmake_minimum_required(VERSION 3.16)
project(consumer C)
add_subdirectory({root} tape)
add_executable(quickstart {root}/examples/c/quickstart.c)
add_executable(bench_floor {root}/examples/c/bulk_reader.c)
target_link_libraries(quickstart PRIVATE tape::tape_static)
target_link_libraries(bench_floor PRIVATE tape::tape)
"""


def test_add_subdirectory_brings_the_library_and_nothing_else(tmp_path: Path) -> None:
    """The names of programs remain free, nothing is installed, warnings are the parent's affair;
    and clang has none, for which this test makes them errors."""
    needs("clang", "cmake")
    (tmp_path / "CMakeLists.txt").write_text(CONSUMER.format(root=ROOT))
    build = tmp_path / "build"
    run("cmake", "-S", tmp_path, "-B", build, "-DCMAKE_C_COMPILER=clang",
        "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON")
    assert "-Werror" not in (build / "compile_commands.json").read_text()
    run("cmake", "-S", tmp_path, "-B", build, "-DCMAKE_C_FLAGS=-Werror")
    targets = run("cmake", "--build", build, "--target", "help")
    ours = set(re.findall(r"(?m)^\.\.\. (\w*tape\w*|uninstall|test)$", targets))
    assert ours == {"tape", "tape_static", "tape_objects"}
    run("cmake", "--build", build, "-j2")
    assert "found" in run(build / "quickstart", cwd=tmp_path)
    assert outcome(build / "bench_floor", tmp_path / "orders").startswith("1 messages, 14 bytes")


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", ["tape.h", "tape_fressian.h"])
def test_a_header_is_plain_c11(compiler: str, name: str, tmp_path: Path) -> None:
    """Alone, and without extensions."""
    needs(compiler)
    (tmp_path / "a.c").write_text(f'#include "{name}"\nint tape_answer(void);\n')
    run(compiler, "-std=c11", *STRICT, f"-I{CSRC}", "-fsyntax-only", tmp_path / "a.c")


CPLUSPLUS = """
#include <cstdio>
#include "tape.h"
#include "tape_fressian.h"
int main() {
    tape_fressian_writer_t w;
    char buffer[16];
    size_t size = 0;
    tape_fressian_write_to(&w, buffer, sizeof buffer);
    tape_fressian_put_int(&w, 42);
    int rc = tape_fressian_finish(&w, &size);
    std::printf("%s %d %zu\\n", tape_version(), rc, size);
}
"""


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_a_program_in_cplusplus_17_uses_both_headers(installed: Installed, compiler: str,
                                                     tmp_path: Path) -> None:
    """Without a warning, and its names are C's."""
    needs(compiler, "pkg-config")
    (tmp_path / "a.cpp").write_text(CPLUSPLUS)
    run(compiler, "-std=c++17", *STRICT, tmp_path / "a.cpp", "-o", tmp_path / "a",
        *installed.pkg_config("--cflags", "--libs"), f"-Wl,-rpath,{installed.libraries}")
    version = installed.pkg_config("--modversion")[0]
    assert outcome(tmp_path / "a") == f"{version} 0 1\n"


def test_uninstall_leaves_nothing(installed: Installed, tmp_path: Path) -> None:
    """Of what was installed; what others have put there stays."""
    prefix = tmp_path / "prefix"
    (prefix / "include").mkdir(parents=True)
    (prefix / "include" / "other.h").write_text("")
    before = (installed.build / "install_manifest.txt").read_text()
    run("cmake", "--install", installed.build, "--prefix", prefix)
    run("cmake", "--build", installed.build, "--target", "uninstall")
    (installed.build / "install_manifest.txt").write_text(before)
    assert [p for p in prefix.rglob("*") if not p.is_dir()] == [prefix / "include" / "other.h"]
    assert not list(prefix.rglob("tape"))


def test_every_call_has_a_man_page_that_names_it(tmp_path: Path) -> None:
    """One a call, or the one that it shares; each says what is needed to call it."""
    man.main(str(tmp_path))
    for name in FUNCTIONS:
        text = (tmp_path / f"{name}.3").read_text()
        if text.startswith(".so man3/"):
            text = (tmp_path / text.split("/")[1].strip()).read_text()
        title = text[text.index(".SH NAME"):text.index(".SH SYNOPSIS")]
        assert name in title and f"{name}(" in text and ".B #include <tape" in text, name
    assert len(FUNCTIONS) == len(set(FUNCTIONS)) > 60
    whole = (tmp_path / "tape.3").read_text()
    assert all(f"\\fB{name}\\fR(3)" in whole for name in FUNCTIONS if "fressian" not in name)
    assert all(f".B {code}" in whole for code in header.all_headers()[0].codes())


def test_the_man_pages_are_sound(tmp_path: Path) -> None:
    """By mandoc's own check, where it is there."""
    needs("mandoc")
    man.main(str(tmp_path))
    pages = sorted(path for path in tmp_path.glob("*.3") if not path.read_text().startswith(".so"))
    found = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *pages], text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False).stdout
    assert not [line for line in found.splitlines() if "missing date" not in line], found


def test_a_header_with_a_new_call_has_a_page_for_it(tmp_path: Path) -> None:
    """Whatever is added in the header's form is taken: comment, types, constants, calls."""
    (tmp_path / "new.h").write_text('''/* new.h - a new one.
 *
 * Overview.
 */
#ifndef TAPE_NEW_H
#define TAPE_NEW_H

/* ---- things ------ */

/* About things in general. */

/* Flags. */
#define TAPE_NEW 1 /* one, which
                    * goes on */
/* Does it: TAPE_EIO; see `x`.
 *
 *     example();
 */
TAPE_API int tape_new(const char *x,
                      int y);
TAPE_API int tape_newer(void);
#endif
''')
    new = header.read(tmp_path / "new.h")
    assert (new.title, new.overview) == ("a new one.", "Overview.")
    things, = [section for section in new.sections if section.title == "things"]
    assert things.text == ["About things in general."]
    flags, calls = things.items
    assert flags.others and calls.names == ["tape_new", "tape_newer"]
    text = man.page(calls, new, {"TAPE_EIO": "input"}, {})
    assert 'int tape_new(const char *x, int y);' in text and ".B TAPE_EIO\ninput" in text
    assert "example();" in text and "\\fIx\\fR" in text
