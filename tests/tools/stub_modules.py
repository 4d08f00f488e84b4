"""Stands in for packages that are not installed, so that a program's imports alone can run.

Every attribute of a stub is a class that accepts any use at import time: base class, decorator,
annotation, operand. Nothing that is computed with it means anything.
"""

from __future__ import annotations

import sys
from abc import ABCMeta
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

_BINARY = (
    "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and", "or",
    "rsub", "rmul", "rtruediv", "rfloordiv", "rand", "ror",
)  # fmt: skip
_UNARY = ("neg", "invert")
_VERSION = "99.0.0"


class StubType(ABCMeta):
    """The type of stubs: attributes are made on demand, operators give the stub back."""

    def __new__(  # noqa: D102 - as of type, keywords of class statements ignored
        cls, name: str, bases: tuple[type, ...], members: dict[str, Any], **_: object
    ) -> StubType:
        return super().__new__(cls, name, bases, members)

    def __init__(
        cls, name: str, bases: tuple[type, ...], members: dict[str, Any], **_: object
    ) -> None:
        super().__init__(name, bases, members)

    def __getattr__(cls, name: str) -> Any:  # noqa: ANN401 - a stub is anything
        """A stub of that name, or nothing for what Python itself looks up."""
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        made = StubType(name, (Stub,), {"__module__": cls.__module__})
        setattr(cls, name, made)
        return made

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - a stub is anything
        """What it decorates, or an instance."""
        is_stub = cls.__mro__[1] in {Stub, object}
        if is_stub and len(args) == 1 and not kwargs and callable(args[0]):
            return args[0]
        return type.__call__(cls)

    def __iter__(cls) -> Iterator[object]:
        """Nothing."""
        return iter(())

    def __len__(cls) -> int:
        """Nothing."""
        return 0

    def __bool__(cls) -> bool:
        """A stub says no."""
        return False

    def __getitem__(cls, key: object) -> StubType:
        """Itself, as a generic type in an annotation."""
        return cls

    def __contains__(cls, key: object) -> bool:
        """A stub holds nothing."""
        return False

    def __lt__(cls, other: object) -> bool:
        """A stub is never the smaller one: its version is high enough."""
        return False

    def __ge__(cls, other: object) -> bool:
        """A stub is never the smaller one."""
        return True

    def __radd__(cls, other: Any) -> Any:  # noqa: ANN401 - text stays text
        """The other operand."""
        return other


class Stub(metaclass=StubType):
    """An instance that takes any call and any attribute."""

    def __init_subclass__(cls, **_: object) -> None:
        """Takes the keywords of class statements."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> Mapping[str, str]:
        """Anything goes, for pydantic."""
        return {"type": "any"}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - a stub is anything
        """What it decorates, or another stub."""
        return args[0] if len(args) == 1 and not kwargs and callable(args[0]) else Stub()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a stub is anything
        """Another stub."""
        if name.startswith("__"):
            raise AttributeError(name)
        return Stub()

    def __iter__(self) -> Iterator[object]:
        """Nothing."""
        return iter(())

    def __len__(self) -> int:
        """Nothing."""
        return 0

    def __bool__(self) -> bool:
        """A stub says no."""
        return False

    def __enter__(self) -> Stub:  # noqa: PYI034 - typing.Self would say more than is true
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Lets errors pass."""

    def __getitem__(self, key: object) -> Stub:
        """Itself."""
        return self

    def __int__(self) -> int:
        """Zero."""
        return 0

    def __lt__(self, other: object) -> bool:
        """Never smaller."""
        return False

    def __ge__(self, other: object) -> bool:
        """Never smaller."""
        return True

    def __radd__(self, other: Any) -> Any:  # noqa: ANN401 - text stays text
        """The other operand."""
        return other


def _itself(self: object, *_: object) -> object:
    return self


for _kind in (StubType, Stub):
    for _operator in (*_BINARY, *_UNARY):
        setattr(_kind, f"__{_operator}__", _itself)


class StubModule(ModuleType):
    """A module that has everything."""

    fixed: Mapping[str, Callable[..., object]] = {}

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a stub is anything
        """A stub of that name."""
        if name == "__version__":
            return _VERSION
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        made = self.fixed.get(name) or StubType(name, (Stub,), {"__module__": self.__name__})
        setattr(self, name, made)
        return made


class StubFinder(MetaPathFinder, Loader):
    """Finds a stub for every package that is not in the list of real ones."""

    def __init__(
        self,
        real: Collection[str],
        stubbed: Sequence[str],
        fixed: Mapping[str, Callable[..., object]],
    ) -> None:
        self._real = frozenset(real) | sys.stdlib_module_names
        self._stubbed = tuple(stubbed)
        StubModule.fixed = fixed

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - the signature is importlib's
        target: ModuleType | None = None,  # noqa: ARG002 - as above
    ) -> ModuleSpec | None:
        """A stub's spec, or ``None`` for what really exists."""
        is_part = any(fullname == stub or fullname.startswith(f"{stub}.") for stub in self._stubbed)
        if fullname.partition(".")[0] in self._real and not is_part:
            return None
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """An empty module that has everything."""
        return StubModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run."""
