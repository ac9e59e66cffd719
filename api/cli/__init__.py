"""The command line `catraca`.

Every verb of the HTTP API is a verb here too, generated from the API's own document (`verbs`); beside them stand the
roles that a process can play (`roles`) and the upkeep of an installation (`upkeep`). Nothing heavy is imported before
a verb needs it, so that `catraca --help` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import click

from api.cli.groups import GROUPS

HAND_WRITTEN = {
    "up": ("api.cli.roles", "up", "Start everything in one process tree on one data directory"),
    "api": ("api.cli.roles", "api", "Start the HTTP API alone"),
    "radius": ("api.cli.roles", "radius", "Start the RADIUS processes alone; `test`: what they would answer"),
    "lab": ("api.cli.roles", "lab", "Play the story of a made-up provider, with simulated routers"),
    "migrate": ("api.cli.upkeep", "migrate", "Bring the database to this version's schema"),
    "secrets": ("api.cli.upkeep", "secrets", "The keys of secrets at rest"),
    "settings": ("api.cli.upkeep", "settings", "Show every effective setting"),
    "recompile": ("api.cli.upkeep", "recompile", "Write every RADIUS access record anew"),
    "verify-evidence": ("api.cli.evidence", "verify_evidence", "Check a signed export of connection records"),
    "version": ("api.cli.upkeep", "version", "Show the version"),
}


class Catraca(click.Group):
    """The verbs by hand, then the groups of the API; each is imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(dict.fromkeys([*HAND_WRITTEN, *GROUPS]))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in HAND_WRITTEN:
            module, name, _words = HAND_WRITTEN[cmd_name]
            command: click.Command = getattr(import_module(module), name)
            return command
        if cmd_name in GROUPS:
            from api.cli.verbs import VerbGroup

            return VerbGroup(cmd_name, GROUPS[cmd_name])
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Product"):
            formatter.write_dl([(name, words) for name, (_module, _name, words) in HAND_WRITTEN.items()])
        with formatter.section("Things (each with verbs: `catraca subscriber --help`)"):
            formatter.write_dl([(name, words) for name, words in GROUPS.items() if name not in HAND_WRITTEN])


@click.command(cls=Catraca, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--data-dir", metavar="DIR", help="The product's data directory; else CATRACA_DATA_DIR or catraca.toml.")
@click.pass_context
def catraca(ctx: click.Context, data_dir: str | None) -> None:
    """Network provisioning and RADIUS policy for internet providers."""
    ctx.obj = data_dir


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit code: 0 done, 1 refused, 2 wrong usage."""
    try:
        code = catraca.main(args=arguments, prog_name="catraca", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        return 1
    except BrokenPipeError:
        sys.stderr.close()
        return 1
