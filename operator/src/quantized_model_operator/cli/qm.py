"""The command `qm`: finds a subcommand, imports only that, and turns its end into an exit code."""

import gc
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import MappingProxyType

import click

from quantized_model_operator.cli.exit_codes import ERROR, FITS

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        # name -> "module:function" of a click command
        "plan": "quantized_model_operator.cli.plan:plan",
        "lint": "quantized_model_operator.cli.lint:lint_command",
        "explain": "quantized_model_operator.cli.explain:explain",
    }
)


class LazyGroup(click.Group):
    """Subcommands whose modules are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which people need them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name; ``None`` when there is none."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)  # noqa: S101 - a mistake in the table above
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(
    None, "--version", message="%(version)s", package_name="quantized-model-operator"
)
def qm() -> None:
    """Plan, check and explain GPTQ models on Kubernetes."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit: 0 works, 1 could not be answered, 2 refused."""
    # A command ends before cycles matter; headers of 75,000 tensors are read a sixth faster.
    gc.disable()
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """The exit code; wrong use is an error, so that 2 says 'refused' and nothing else."""
    try:
        code = qm.main(args=arguments, prog_name="qm", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return ERROR
    except click.Abort:
        click.echo("Interrupted.", err=True)
        return ERROR
    return code if isinstance(code, int) else FITS
