"""The command: run | crd | version; reads the environment, and imports what a command needs."""

import os
import sys
from collections.abc import Callable, Mapping

USAGE = """\
usage: python -m quantized_model_operator COMMAND

commands:
  run      reconcile QuantizedModels until SIGTERM; configured by the environment
  crd      print the CustomResourceDefinition
  version  print the version
"""

WRONG_USE = 2


def main(arguments: list[str], environment: Mapping[str, str]) -> int:
    """The exit code: 0, 1 after a failure, 2 for what the caller has to mend."""
    commands: Mapping[str, Callable[[Mapping[str, str]], int]] = {
        "run": _run,
        "crd": _crd,
        "version": _version,
    }
    if arguments in (["-h"], ["--help"], ["help"]):
        print(USAGE, end="")
        return 0
    if len(arguments) != 1 or arguments[0] not in commands:
        print(USAGE, end="", file=sys.stderr)
        return WRONG_USE
    return commands[arguments[0]](environment)


def _run(environment: Mapping[str, str]) -> int:
    from quantized_model_operator.shell.process import (  # noqa: PLC0415 - half a second
        run_process,
    )

    return run_process(environment)


def _crd(_: Mapping[str, str]) -> int:
    import json  # noqa: PLC0415 - only this command

    from quantized_model_operator.api.crd import crd_document  # noqa: PLC0415 - a fifth of a second

    print(json.dumps(crd_document(), indent=2))
    return 0


def _version(_: Mapping[str, str]) -> int:
    from importlib.metadata import version  # noqa: PLC0415 - only this command

    print(version("quantized-model-operator"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
