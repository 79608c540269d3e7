"""The verbs of `rainbow`, thin: each reads its arguments, calls what does the work, and shows the result.

Here: the list of verbs, and how an error ends the program. A verb is a function in a module beside this one,
registered below; it imports what it needs inside itself, so that `rainbow --help` stays quick.
"""

# ruff: noqa: E402 - the door opens before all else
from rainbow_assets import environment

environment.enter_interpreter()

import errno
import os
import sys
import traceback
from typing import Annotated

import typer

from rainbow_assets.cli import alerts, batch, care, live, past, query, reconcile, shop, stack
from rainbow_assets.errors import RainbowError
from rainbow_assets.redact import redact

PRIVATE = 0o077  # the umask: what is written is the user's own
INTERRUPTED = 130  # 128 + SIGINT, as shells count
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

app = typer.Typer(
    name="rainbow",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

STACK = "The embedded stack"
app.command(rich_help_panel=STACK)(stack.up)
app.command(rich_help_panel=STACK)(stack.down)
app.command(rich_help_panel=STACK)(stack.status)
app.command(rich_help_panel=STACK)(stack.env)
app.command(rich_help_panel=STACK)(stack.doctor)
LAKEHOUSE = "The lakehouse"
app.command(rich_help_panel=LAKEHOUSE)(batch.demo)
app.command(rich_help_panel=LAKEHOUSE)(batch.run)
app.command(rich_help_panel=LAKEHOUSE)(query.sql)
app.command(rich_help_panel=LAKEHOUSE)(past.history)
app.command(rich_help_panel=LAKEHOUSE)(past.version)
app.command(rich_help_panel=LAKEHOUSE)(batch.ui)
LIVE = "Live"
app.command(rich_help_panel=LIVE)(live.api)
app.command(rich_help_panel=LIVE)(live.stream)
app.command(rich_help_panel=LIVE)(live.dashboard)
CARE = "Care"
app.command(rich_help_panel=CARE)(reconcile.reconcile)
app.command(rich_help_panel=CARE)(care.fsck)
app.command(rich_help_panel=CARE)(care.maintain)
app.command(rich_help_panel=CARE)(alerts.alerts)
SHOP = "The shop"
app.command(rich_help_panel=SHOP)(shop.seed)
app.command(rich_help_panel=SHOP)(shop.simulate)
app.command("load-olist", rich_help_panel=SHOP)(shop.load_olist)


def _version(wanted: bool) -> None:
    if wanted:
        from rainbow_assets.version import package_version

        typer.echo(f"rainbow {package_version()}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def rainbow(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,  # noqa: ARG001
    version: Annotated[  # noqa: ARG001
        bool,
        typer.Option(
            "--version", help="Show the version; `rainbow version` shows more.", callback=_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Rainbow: a shop's PostgreSQL, its lakehouse and its batch views, on this machine."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """The program: 0 when all is well, 1 on an error, 2 on a wrong argument, 130 on Ctrl-C."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1  # it counts before the verb and after it
    os.umask(PRIVATE)
    environment.enter()
    try:
        code = app(args=arguments, prog_name="rainbow", standalone_mode=False)
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:  # who read it, as `head` does, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except Exception as error:  # the last stop of every error
        if debug:
            sys.stderr.write(redact(traceback.format_exc()))
        message, code = _explain(error)
        typer.echo(redact(" ".join(message.split())), err=True)
    if code == INTERRUPTED:
        typer.echo("Interrupted.", err=True)
    sys.exit(code or 0)


def _explain(error: Exception) -> tuple[str, int]:
    """One line about an error, and the exit code."""
    if isinstance(error, RainbowError):
        return f"Error: {error}", 1
    if hasattr(error, "format_message"):  # typer's own: a wrong option or argument
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "rainbow"
        return f"Error: {error.format_message().rstrip('.')}. See `{path} --help`.", getattr(error, "exit_code", 2)
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        where = f" for {error.filename}" if error.filename else ""
        return f"Error: No room is left{where}: {error.strerror}. Free some, or set RAINBOW_HOME to a larger disk.", 1
    if isinstance(error, OSError) and error.filename:
        return f"Error: {error.filename}: {error.strerror}. Check its permissions and the free space.", 1
    return f"Error: {type(error).__name__}: {error}. `--debug` shows where; this is a fault of Rainbow.", 1
