"""Build the sdist, and from it the wheel, install both in a new environment and compare the sample there: ``make dist``.

Used as ``python release/distributions.py [FOLDER]``, by default with the folder ``dist``. Nothing of the checkout can be
imported where the wheel is tried. Ends with one sentence about what is wrong.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = "attnxai"
PACKAGED = (PACKAGE, "reference_annotations")  # the second lies in the first once installed
LARGEST_WHEEL_BYTES = 10_000_000
COMPARISON = ("compare", "--model", "d8.pt", "--annotations", "expert.csv", "--output", "report")


def run(*command: str | Path, folder: Path = ROOT) -> str:
    """What a command prints; a SystemExit has all of it if the command fails."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(  # noqa: S603
        [str(word) for word in command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\n{' '.join(map(str, command))} failed in {folder}")
    return done.stdout.strip()


def environment(folder: Path, *packages: str) -> Path:
    """Make a new environment with these packages, in their versions of constraints.txt; return its programs."""
    venv.create(folder, clear=True, with_pip=True)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    install(programs, *packages)
    return programs


def install(programs: Path, *arguments: str) -> None:
    """Install packages in an environment."""
    pip = (programs / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    run(*pip, "--constraint", ROOT / "constraints.txt", *arguments)


def committed() -> set[str]:
    """Files that git knows; what lies beside them in a checkout is in no distribution."""
    return set(run("git", "ls-files").splitlines())


def built(folder: Path, scratch: Path) -> tuple[Path, Path]:
    """Sdist and wheel of the committed files and of changes to them, as the only files of their kind in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob("*.whl"), *folder.glob("*.tar.gz")):
        old.unlink()
    programs = environment(scratch / "builder", "build")
    run(programs / "python", "-m", "build", "--outdir", folder, ROOT)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


def check_contents(sdist: Path, wheel: Path) -> None:
    """Both hold what is committed and nothing else, and the wheel is small."""
    files = committed()
    size = wheel.stat().st_size
    if size > LARGEST_WHEEL_BYTES:
        sys.exit(f"{wheel.name} has {size:,} bytes; at most {LARGEST_WHEEL_BYTES:,} are allowed")
    with zipfile.ZipFile(wheel) as opened:
        inside = {name for name in opened.namelist() if ".dist-info/" not in name}
    wanted = {
        file if file.startswith(f"{PACKAGE}/") else f"{PACKAGE}/{file}"
        for file in files
        if file.partition("/")[0] in PACKAGED
    }
    _refuse(wheel, inside, wanted)
    with tarfile.open(sdist) as opened_tar:
        members = {one.name.partition("/")[2] for one in opened_tar.getmembers() if one.isfile()}
    _refuse(sdist, members - {"PKG-INFO"}, files)


def _refuse(distribution: Path, inside: set[str], wanted: set[str]) -> None:
    for names, what in ((inside - wanted, "is not committed"), (wanted - inside, "is missing")):
        if names:
            some = ", ".join(sorted(names)[:5])
            sys.exit(f"{distribution.name}: {what}: {some}, {len(names)} in all")


def check_installed(sdist: Path, wheel: Path, scratch: Path) -> None:
    """Installed from each of both, attnxai states its version; installed from the wheel, it compares the sample."""
    programs = environment(scratch / "installed", str(wheel))
    program, version = programs / PACKAGE, wheel.name.split("-")[1]
    run(programs / "python", "-m", "pip", "check", folder=scratch)
    run(program, *COMPARISON, folder=scratch)
    summary = json.loads((scratch / "report" / "summary.json").read_text(encoding="utf-8"))
    if not (scratch / "report" / "index.html").stat().st_size or not summary:
        sys.exit(f"{wheel.name}: the comparison of the sample wrote no report")
    from_wheel = _hashes(programs)
    install(programs, "--force-reinstall", "--no-deps", str(sdist))
    if _hashes(programs) != from_wheel:
        sys.exit(f"{sdist.name} and {wheel.name} install different files")
    stated = run(program, "--version", folder=scratch)
    if stated != f"{PACKAGE} {version}":
        sys.exit(f"{sdist.name}: --version prints {stated!r}")


def _hashes(programs: Path) -> str:
    """Installed files with their hashes, as the record of the installation has them."""
    record = (
        "import importlib.metadata as m; "
        f"print(*sorted((f.as_posix(), f.hash.value) for f in m.files({PACKAGE!r}) "
        f"if f.hash and f.parts[0] == {PACKAGE!r}), sep='\\n')"
    )
    return run(programs / "python", "-c", record, folder=programs)


def main(folder: Path) -> None:
    """Build into a folder and check what was built."""
    with tempfile.TemporaryDirectory(prefix="attnxai-dist-") as name:
        scratch = Path(name)
        sdist, wheel = built(folder, scratch)
        check_contents(sdist, wheel)
        check_installed(sdist, wheel, scratch)
        shutil.rmtree(scratch / "installed")
    sizes = ", ".join(f"{one.name} ({one.stat().st_size / 1e6:.1f} MB)" for one in (sdist, wheel))
    sys.stdout.write(f"built, installed and tried: {sizes} in {folder}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "dist").resolve())
