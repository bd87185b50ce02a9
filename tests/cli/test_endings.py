"""How commands end: in one sentence and an exit code, whatever the machine does."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
import typer

from attnxai.cli import console as consoles
from attnxai.cli import endings
from attnxai.cli.endings import Stopped, command, ending, resumable
from attnxai.cli.main import app
from attnxai.errors import AttnxaiWarning, LeftOutWarning, OptionError
from attnxai.jobs import plugins
from tests.cli.program import attnxai, refused
from tests.jobs.limits import largest_file
from tests.registries import names_free


def process(*arguments, check, env=None, **options):
    """Run the program in a process of its own, and check that it ends without a traceback."""
    done = subprocess.run(
        [sys.executable, *arguments],
        check=False,
        stderr=subprocess.PIPE,
        timeout=120,
        env={**os.environ, "COLUMNS": "80", **(env or {})},
        **options,
    )
    error = done.stderr.decode("ascii" if env and "PYTHONIOENCODING" in env else "utf-8")
    assert done.returncode == check, error
    assert "Traceback" not in error
    assert "Exception ignored" not in error
    return done, error


def ended(error, *, quiet=False, verbose=False):
    """Exit code of a command that raises an error."""

    def fail() -> None:
        raise error

    with pytest.raises(SystemExit) as caught:
        command("Help.")(fail)(quiet=quiet, verbose=verbose)
    return caught.value.code


# --- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (OptionError("no [b]good[/b]"), 2, "Error: no [b]good[/b]\n"),
        (FileNotFoundError(2, "No such file", "a.csv"), 2, "Error: No such file: a.csv\n"),
        (
            OSError(errno.ENOSPC, "No space left"),
            2,
            "Error: standard output cannot be written to: No space left\n",
        ),
        (MemoryError(), 2, "Error: there is not enough memory for this\n"),
        (BrokenPipeError(), 141, ""),
        (KeyboardInterrupt(), 130, "Interrupted; no incomplete results were left.\n"),
        (Stopped(15), 143, "Interrupted; no incomplete results were left.\n"),
        (Stopped(1), 129, "Interrupted; no incomplete results were left.\n"),
    ],
)
def test_errors_are_one_sentence_and_an_exit_code(capsys, monkeypatch, error, code, said) -> None:
    # which would close the output of the tests
    monkeypatch.setattr(endings, "_abandon", lambda stream: None)
    for quiet in (False, True):
        assert ended(error, quiet=quiet) == code
        assert capsys.readouterr().err == said


def test_faults_of_the_program_have_a_traceback() -> None:
    with pytest.raises(ZeroDivisionError), ending():
        _ = 1 / 0


def test_verbose_shows_where_an_error_comes_from(capsys) -> None:
    assert ended(OptionError("no good"), verbose=True) == 2
    error = capsys.readouterr().err
    assert error.startswith("Traceback")
    assert "in fail" in error
    assert error.endswith("Error: no good\n")


def test_quiet_and_verbose_exclude_each_other(capsys) -> None:
    assert ended(ZeroDivisionError(), quiet=True, verbose=True) == 2
    assert (
        capsys.readouterr().err
        == "Error: --quiet and --verbose exclude each other; give one of them\n"
    )


def test_an_error_stream_that_is_full_leaves_the_exit_code(monkeypatch) -> None:
    class Full:
        encoding = "utf-8"

        def write(self, text):
            raise OSError(errno.ENOSPC, "No space left on device")

        flush = isatty = lambda self: False

    monkeypatch.setattr(sys, "stderr", Full())
    monkeypatch.setattr(endings, "stderr", consoles.SafeConsole(stderr=True))
    assert ended(OptionError("no good")) == 2


# --- interruptions ---------------------------------------------------------------------------------


def interrupt(number):
    """Send this process a signal, as ``kill`` does, and wait for it to arrive."""
    os.kill(os.getpid(), number)
    time.sleep(5)
    pytest.fail("the signal has not arrived")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("kept", ["", "m.pt [x]"])
def test_a_signal_ends_a_command_with_what_is_kept(
    capsys, interruptible, number, code, kept
) -> None:
    before = signal.getsignal(signal.SIGTERM)

    def work() -> None:
        with resumable(lambda: kept):
            interrupt(number)

    with pytest.raises(SystemExit) as caught:
        command("Help.")(work)()
    assert caught.value.code == code
    words = (
        f"run the same command again to resume: {kept}"
        if kept
        else ("no incomplete results were left")
    )
    assert capsys.readouterr().err == f"Interrupted; {words}.\n"
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ending():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


# arguments of commands that write, and what is computed when each is interrupted
WRITERS = {
    "compare": (
        ["--model", "d8.pt", "--annotations", "mine.csv"],
        "attnxai.alignment.source_facts.check_overlap",
    ),
    "plan": (["--effect", "1", "--sd-source", "1"], "attnxai.planning.plan.plan_power"),
    "validate": (["--quick", "--n-experiments", "10"], "attnxai.validation.plan.run_validation"),
    "models symmetry": (
        ["--model", "c1.pt", "--n-images", "2"],
        "attnxai.audit.equivariance.symmetry_errors",
    ),
    "models convert": (["--model", "c1.pt"], "attnxai.models.conversion.load_model"),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_command_that_writes_leaves_nothing_when_it_is_stopped(
    sample, monkeypatch, name
) -> None:
    arguments, computed = WRITERS[name]
    output = {"models symmetry": "out/t.csv", "models convert": "out/m.pt"}.get(name, "out/r")
    before = sorted(sample.rglob("*"))
    monkeypatch.setattr(computed, lambda *_, **__: interrupt(signal.SIGTERM))
    done = attnxai(*name.split(), *arguments, "-o", output, cwd=sample, check=143)
    assert "Interrupted; " in done.stderr
    kept = [path for path in sorted(sample.rglob("*")) if path not in before]
    # finished experiments are kept, and here there are none
    assert {path.name for path in kept} <= (
        {"out", "r", "blocks.jsonl"} if name == "validate" else set()
    )


@pytest.mark.parametrize("name", WRITERS)
def test_every_command_that_writes_ends_in_a_sentence_on_a_full_disk(
    sample, monkeypatch, name
) -> None:
    arguments, _ = WRITERS[name]
    output = {"models symmetry": "out/t.csv", "models convert": "out/m.pt"}.get(name, "out/r")
    before = sorted(sample.rglob("*"))
    if name == "compare":
        monkeypatch.setattr("attnxai.report.document._drawers", lambda *_: [])
        arguments = [
            *arguments,
            "--n-permutations",
            "19",
            "--n-bootstrap",
            "100",
            "--metric",
            "nss",
        ]
    with largest_file(60):
        done = attnxai(*name.split(), *arguments, "-o", output, cwd=sample)
    refused(done, "out/", "cannot be written: File too large")
    assert sorted(sample.rglob("*")) == before


# --- the output --------------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["models", "list"], ["plan", "-h"]]
)
def test_an_output_that_is_full_is_one_sentence(arguments) -> None:
    with open("/dev/full", "wb") as full:
        _, error = process("-m", "attnxai", *arguments, stdout=full, check=2)
    assert error == "Error: standard output cannot be written to: No space left on device\n"


@pytest.mark.parametrize(("arguments", "code"), [(["--version"], 1), (["models", "list"], 141)])
def test_an_output_that_nobody_reads_ends_quietly(arguments, code) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        _, error = process("-m", "attnxai", *arguments, stdout=write, check=code)
    finally:
        os.close(write)
    assert error == ""


def test_a_closed_output_is_no_fault() -> None:
    process("-m", "attnxai", "models", "list", preexec_fn=lambda: os.close(1), check=0)


@pytest.mark.parametrize(
    ("encoding", "expected"), [("ascii", "-> rho <= +/-"), ("cp1252", "-> rho <= ±")]
)
def test_a_terminal_that_is_not_unicode_shows_what_is_closest(encoding, expected) -> None:
    code = (
        "import typer; from attnxai.cli.endings import Application, add_command, command\n"
        "from attnxai.cli.console import console\n"
        "def show() -> None:\n"
        "    console.print('→ ρ ≤ ± é \\u4e2d')\n"
        "app = Application(rich_markup_mode=None); add_command(app, command('Help.')(show)); app()\n"
    )
    done, error = process(
        "-c", code, stdout=subprocess.PIPE, env={"PYTHONIOENCODING": encoding}, check=0
    )
    assert error == ""
    ending_ = {"ascii": "e", "cp1252": "é"}[encoding]
    assert done.stdout.decode(encoding) == f"{expected} {ending_} \\u4e2d\n"


def test_names_of_files_that_are_not_unicode_are_shown_and_recorded(tmp_path, monkeypatch) -> None:
    done = attnxai("models", "info", "--model", "no\udce9.pt", cwd=tmp_path)
    refused(done, "no")
    monkeypatch.setattr(sys, "argv", ["attnxai", "no\udce9.pt"])
    assert consoles.typed_command() == "attnxai 'no\\udce9.pt'"


@pytest.mark.parametrize(
    "variables",
    [
        {"LANG": "C", "LC_ALL": "C", "MPLBACKEND": "nonsense"},
        {"PYTHONIOENCODING": "cp1252"},
    ],
    ids=lambda variables: "-".join(variables),
)
def test_any_environment_will_do(tmp_path, variables) -> None:
    """Numbers, a figure and all the letters that the program has."""
    done, _ = process(
        *("-m", "attnxai", "plan", "--effect", "1", "--sd-source", "1", "-o", tmp_path / "plan"),
        *("--n-sources", "20", "--n-annotators", "1"),
        stdout=subprocess.PIPE,
        env=variables,
        check=0,
    )
    assert (tmp_path / "plan" / "plan.png").is_file()
    assert b"plan.png" in done.stdout


# --- help --------------------------------------------------------------------------------------------


def every_command():
    found = []

    def walk(one, names):
        found.append((names, one))
        for name, inner in getattr(one, "commands", {}).items():
            walk(inner, (*names, name))

    walk(typer.main.get_command(app), ())
    return found


COMMANDS = every_command()


@pytest.mark.parametrize("names", [names for names, _ in COMMANDS], ids=" ".join)
def test_help_is_whole_at_80_columns(names) -> None:
    text = attnxai(*names, "-h", check=0, width=80).stdout
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    (found,) = [one for known, one in COMMANDS if known == names]
    for parameter in found.params:
        # an argument is shown by what stands for it, an option by its names
        is_argument = parameter.param_type_name == "argument"
        shown = [parameter.metavar] if is_argument else parameter.opts + parameter.secondary_opts
        for name in shown:
            assert f" {name}" in text
    assert text == attnxai(*names, "--help", check=0, width=80).stdout


@pytest.mark.parametrize(("names", "found"), COMMANDS, ids=lambda value: str(value)[:40])
def test_every_command_has_the_common_options(names, found) -> None:
    if not hasattr(found, "commands"):
        options = {option for parameter in found.params for option in parameter.opts}
        assert {"-q", "--quiet", "-v", "--verbose"} <= options
        assert ("-o" in options) == ("--output" in options)
        assert not options & {
            "--jobs",
            "--n-resamples",
            "--folder",
            "--file",
            "--groups",
            "--nulls",
        }
        if "--device" in options:
            assert "--threads" in options


def test_help_does_not_come_from_docstrings() -> None:
    """Which are not there under ``python -OO``."""
    done, _ = process("-OO", "-m", "attnxai", "--help", stdout=subprocess.PIPE, check=0)
    text = done.stdout.decode()
    assert "Compare the maps of models" in text
    assert "Inspect, measure and convert model files" in text
    done, _ = process("-OO", "-m", "attnxai", "plan", "--help", stdout=subprocess.PIPE, check=0)
    assert done.stdout.decode().split() == attnxai("plan", "--help", check=0).stdout.split()


def test_shells_complete_commands_options_and_choices(tmp_path) -> None:
    code = "import sys; from attnxai.cli.main import app; app(prog_name='attnxai')"
    for words, expected in (
        ("attnxai comp", "compare"),
        ("attnxai compare --n-boot", "--n-bootstrap"),
        ("attnxai study --equal par", "parameters"),
    ):
        environment = {
            "_ATTNXAI_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
        }
        done, _ = process("-c", code, stdout=subprocess.PIPE, env=environment, check=0)
        assert done.stdout.decode().split() == [expected]


# --- how much is printed -----------------------------------------------------------------------------


PLAN = ["plan", "--effect", 1, "--sd-source", 1, "--n-sources", 20, "--n-annotators", 1]


def test_quiet_prints_where_the_results_are_and_verbose_what_takes_time(tmp_path) -> None:
    usual = attnxai(*PLAN, "-o", "usual", cwd=tmp_path, check=0)
    assert "power" in usual.stdout
    quiet = attnxai(*PLAN, "-o", "quiet", "-q", cwd=tmp_path, check=0)
    assert quiet.stdout.startswith("Plan: quiet/plan.csv (every design)")
    assert len(quiet.stdout.splitlines()) == 2
    assert quiet.stderr == ""
    # without a file the plan itself is the result
    assert attnxai(*PLAN, "-q", cwd=tmp_path, check=0).stdout.strip() in usual.stdout
    verbose = attnxai(*PLAN, "--verbose", cwd=tmp_path, check=0)
    assert re.search(r"^Simulating experiments: \d+\.\d s$", verbose.stderr, re.MULTILINE)


@pytest.mark.parametrize(
    ("category", "when_quiet"), [(AttnxaiWarning, ""), (LeftOutWarning, "Note: few sources\n")]
)
def test_of_notes_only_those_about_what_is_left_out_are_shown_when_quiet(
    capsys, category, when_quiet
) -> None:
    def warn() -> None:
        warnings.warn("few sources", category, stacklevel=1)

    for quiet, shown in ((False, "Note: few sources\n"), (True, when_quiet)):
        command("Help.")(warn)(quiet=quiet)
        assert capsys.readouterr().err == shown


def test_arguments_of_functions_are_named_as_options(capsys) -> None:
    def fail(*, fill_blank: bool = False, images: str = "", pad: bool = False) -> None:
        raise OptionError(
            "pass fill_blank=True to set images in fill_blank.fits, see fill_blank; images='a-b' or images=3; "
            "or pad=True, pad=Trueish, pad"
        )

    with pytest.raises(SystemExit):
        command("Help.")(fail)()
    text = "pass --fill-blank to set images in fill_blank.fits, see --fill-blank; --images a-b or --images 3; or --pad, --pad Trueish, pad"
    assert capsys.readouterr().err == f"Error: {text}\n"


@pytest.mark.parametrize(
    ("command_line", "said"),
    [
        ("compare --fwhm-arcsec inf", "--fwhm-arcsec is too large; give a number below 1e+18"),
        (f"compare --min-components {'9' * 400}", "--min-components is too large"),
        ("validate --seed 1000000000000000000", "--seed is too large"),
    ],
)
def test_numbers_that_no_command_can_use(tmp_path, command_line, said) -> None:
    words = [*command_line.split(), "--output", str(tmp_path / "out")]
    if words[0] == "compare":
        words += ["--model", "c1.pt", "--annotations", "expert.csv"]
    assert said in refused(attnxai(*words))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("output", ["/", "", "."])
def test_a_model_file_without_a_name(output) -> None:
    assert "should end in .pt" in refused(attnxai("train", "--output", output))


@pytest.mark.parametrize("option", ["--threads", "--n-permutations", "--n-bootstrap"])
def test_more_than_any_machine_computes(tmp_path, option) -> None:
    given = ["--model", "c1.pt", "--annotations", "expert.csv", "--output", tmp_path / "out"]
    assert option in refused(attnxai("compare", *given, option, "9" * 30))


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("validate", "--n-experiments"),
        ("study", "--n-seeds"),
        ("study", "--n-angles"),
        ("study", "--epochs"),
    ],
)
def test_counts_that_would_fill_the_memory(tmp_path, name, option) -> None:
    done = attnxai(name, "--output", tmp_path / "out", option, "999999999999999")
    assert option in refused(done)


def test_a_plugin_that_registers_nothing_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(plugins, "LOADED", [])
    forgotten = "def mine(maps, targets):\n    return 0\n"
    (tmp_path / "forgotten.py").write_text(forgotten)
    (tmp_path / "remembered.py").write_text(
        "from attnxai.annotations.readers.registry import register_reader\n"
        "register_reader('mine', recognises=lambda head: False)(lambda file: None)\n"
    )
    given = ("--plugin", "forgotten.py", "--plugin", "remembered.py", "--metric", "mine")
    with names_free("mine"):
        inputs = ("--model", "d8.pt", "--annotations", "expert.csv")
        done = attnxai("compare", *given, *inputs, cwd=tmp_path)
    assert "Note: Plug-in forgotten.py registers nothing; decorate what it should add" in done.words
    assert "remembered.py registers" not in done.words
    for name in ("forgotten", "remembered"):
        del sys.modules[name]
