"""The options of plugins. A plugin declares them as a struct; everything that users see of them is derived from it.

A spec's ``options`` is a frozen :class:`msgspec.Struct` such as this one::

    class SlowOptions(msgspec.Struct, frozen=True):
        pause: Annotated[float, msgspec.Meta(ge=0, description="Seconds to rest after each batch.")] = 1.0

Each field is an option: ``bool``, ``int``, ``float``, ``str``, a ``Literal`` or an ``Enum`` of texts, or one of these
or None if None is the default. ``Meta`` gives the limits and the help text. Every option has a default, so a plugin can
be used without giving any. Options are shown in reports, recordings and command lines, so they must not hold secrets.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import inspect

from tui_importer.core.model.patterns import pattern
from tui_importer.core.model.plugin_values import PluginValue, PluginValues, value_text
from tui_importer.core.model.suggest import closest
from tui_importer.errors import ImporterError, PlanError

_INTEGER = pattern(r"[+-]?[0-9]{1,18}", re.ASCII)
_NUMBER = pattern(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", re.ASCII)
_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
#: The number of characters of a wrong value that its error shows.
_MAX_SHOWN = 60


class ValueKind(StrEnum):
    """The kind of an option's values."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    TEXT = "text"
    CHOICE = "choice"


class PluginOption(msgspec.Struct, frozen=True, eq=False):
    """An option of a plugin. ``choices`` are the texts of a choice, empty for all other kinds; ``default`` is None if
    the option has no value by default."""

    plugin: str
    name: str
    kind: ValueKind
    help: str
    default: PluginValue | None
    choices: tuple[str, ...]
    schema: Mapping[str, Any]
    _type: Any

    @property
    def key(self) -> str:
        """The option as users name it: ``PLUGIN.OPTION``."""
        return f"{self.plugin}.{self.name}"

    @property
    def metavar(self) -> str:
        """What stands for its value in help texts."""
        if self.kind is ValueKind.BOOLEAN:
            return "true|false"
        return "|".join(self.choices) if self.choices else self.kind.value.upper()

    @property
    def expected(self) -> str:
        """The values that it takes, in words."""
        if self.kind is ValueKind.CHOICE:
            return f"one of {', '.join(self.choices)}"
        return _WORDS[self.kind] + _limits(self.schema)

    @property
    def description(self) -> str:
        """Its help text, the values that it takes, and its default."""
        values = self.expected + ("" if self.default in (None, "") else f"; default: {value_text(self.default)}")
        return f"{self.help} ({values})." if self.help else f"{values[:1].upper()}{values[1:]}."

    def parse(self, text: str) -> PluginValue:
        """The value that a text stands for. Raises :class:`PlanError` naming the option and what it takes."""
        return self._plain(self._convert(_read(self.kind, text), text))

    def check(self, value: object) -> PluginValue:
        """The value, in the option's type. Raises :class:`PlanError` naming the option and what it takes."""
        return self._plain(self.convert(value))

    def convert(self, value: object) -> Any:
        """The value as the plugin's struct holds it. Raises as :meth:`check`."""
        return self._convert(value, value)

    def _plain(self, converted: Any) -> PluginValue:
        plain: PluginValue = msgspec.to_builtins(converted)
        return plain

    def _convert(self, value: object, given: object) -> Any:
        try:
            if isinstance(value, float) and not math.isfinite(value):
                raise OverflowError
            return msgspec.convert(value, self._type)
        except (msgspec.ValidationError, OverflowError) as error:
            close = closest(given, self.choices) if isinstance(given, str) else None
            hint = f": did you mean {close!r}?" if close else ""
            shown = repr(given)
            shown = shown if len(shown) <= _MAX_SHOWN else f"{shown[:_MAX_SHOWN]}..."
            raise PlanError(f"{self.key} must be {self.expected}, not {shown}{hint}") from error


class OptionSet(msgspec.Struct, frozen=True, eq=False):
    """The options of one plugin. ``names`` are its name and its aliases."""

    kind: str
    names: tuple[str, ...]
    options: tuple[PluginOption, ...]
    _struct: type[msgspec.Struct]

    @property
    def plugin(self) -> str:
        """The plugin's name."""
        return self.names[0]

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of each option, by its name."""
        return {option.name: option.schema for option in self.options}

    def find(self, name: str) -> PluginOption:
        """The option with that name, in which users may write - for _ as in all other options. Raises
        :class:`PlanError` with a similar name."""
        known = {option.name: option for option in self.options}
        name = name.replace("-", "_")
        if name not in known:
            close = closest(name, known)
            hint = f"did you mean {close!r}? " if close else ""
            raise PlanError(f"{self.kind} {self.plugin!r} has no option {name!r}: {hint}known are {', '.join(known)}")
        return known[name]

    def own(self, values: PluginValues) -> Mapping[str, PluginValue]:
        """Those of a plan's values that are for this plugin."""
        return values.get(self.plugin, {})

    def make(self, values: Mapping[str, PluginValue]) -> msgspec.Struct:
        """The plugin's struct with these values. Raises :class:`PlanError` if they are not valid."""
        converted = {(option := self.find(name)).name: option.convert(value) for name, value in values.items()}
        try:
            return self._struct(**converted)
        except ImporterError:
            raise
        except Exception as error:  # the plugin's own check may raise anything
            raise PlanError(f"the options of {self.kind} {self.plugin!r} are not valid: {error}") from error


class KnownOptions:
    """The options of all plugins."""

    def __init__(self) -> None:
        self._sets: dict[str, OptionSet] = {}

    def __iter__(self) -> Iterator[OptionSet]:
        return iter(dict.fromkeys(self._sets.values()))

    def add(self, options: OptionSet) -> None:
        """Add the options of a plugin."""
        self._sets.update(dict.fromkeys(options.names, options))

    def of(self, kind: str, name: str) -> OptionSet | None:
        """The options of a plugin; None if it has none."""
        found = self._sets.get(name)
        return found if found is not None and found.kind == kind else None

    def named(self, plugin: str) -> OptionSet:
        """The options of the plugin that users call so. Raises :class:`PlanError` if no such plugin has options."""
        if plugin in self._sets:
            return self._sets[plugin]
        names = [options.plugin for options in self]
        close = closest(plugin, self._sets)
        hint = f"did you mean {close!r}? " if close else ""
        known = f"those with options are {', '.join(names)}" if names else "no installed plugin has any"
        raise PlanError(f"no plugin called {plugin!r} has options: {hint}{known}")

    def read(self, texts: Iterable[tuple[str, str, str]]) -> dict[str, dict[str, PluginValue]]:
        """The values of ``(plugin, option, text)`` as a plan holds them.

        Raises :class:`PlanError` for an unknown plugin or option, a wrong value, and an option that is given twice.
        """
        values: dict[str, dict[str, PluginValue]] = {}
        for plugin, name, text in texts:
            options = self.named(plugin)
            option = options.find(name)
            own = values.setdefault(options.plugin, {})
            if option.name in own:
                raise PlanError(f"{option.key} takes one value and is given twice: leave the others out")
            own[option.name] = option.parse(text)
        return values

    def check(self, values: PluginValues) -> None:
        """Check all values of a plan, which has them under the names of plugins, not their aliases.

        Raises :class:`PlanError` for an unknown plugin or option, and wrong values.
        """
        for plugin in values:
            options = self.named(plugin)
            if plugin != options.plugin:
                raise PlanError(f"{plugin!r} is another name of {options.plugin!r}: give its options under that name")
            options.make(options.own(values))


def declared(kind: str, names: tuple[str, ...], struct: type[msgspec.Struct]) -> OptionSet:
    """The options that a plugin declares. Raises ``TypeError`` or ``ValueError`` with what is wrong with them."""
    given: object = struct
    if not (isinstance(given, type) and issubclass(given, msgspec.Struct) and given.__struct_config__.frozen):
        raise TypeError(f"the options of {kind} {names[0]!r} must be a frozen msgspec.Struct")
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    required = [each.name for each in info.fields if each.required]
    if required:
        raise ValueError(f"option {names[0]}.{required[0]} needs a default")
    defaults = struct()
    types = {each.name: each.type for each in msgspec.structs.fields(struct)}
    options = tuple(_option(names[0], each, types[each.name], getattr(defaults, each.name)) for each in info.fields)
    return OptionSet(kind, names, options, struct)


def _option(plugin: str, declared_field: inspect.Field, type_: Any, default: object) -> PluginOption:
    plain, optional, help_ = _unwrapped(declared_field.type)
    kind, schema = _schema(plain)
    name = f"{plugin}.{declared_field.name}"
    if kind is None:
        raise TypeError(
            f"option {name} has a type that options cannot have: use bool, int, float, str, a Literal or Enum of texts"
        )
    if optional and default is not None:
        raise ValueError(f"option {name} may be None, so None has to be its default")
    if help_:
        schema["description"] = help_
    if default is not None:
        schema["default"] = msgspec.to_builtins(default)
    option = PluginOption(
        plugin=plugin,
        name=declared_field.name,
        kind=kind,
        help=help_.rstrip("."),
        default=schema.get("default"),
        choices=tuple(schema.get("enum", ())),
        schema=schema,
        _type=type_,
    )
    if default is not None:
        option.check(schema["default"])
    return option


def _unwrapped(type_: inspect.Type) -> tuple[inspect.Type, bool, str]:
    """A field's type without ``Annotated`` and ``| None``, whether it may be None, and its help text."""
    optional, help_ = False, ""
    while True:
        if isinstance(type_, inspect.Metadata):
            help_ = (type_.extra_json_schema or {}).get("description", help_)
            type_ = type_.type
        elif isinstance(type_, inspect.UnionType) and len(others := _without_none(type_)) == 1:
            optional, [type_] = True, others
        else:
            return type_, optional, " ".join(help_.split())


def _without_none(union: inspect.UnionType) -> list[inspect.Type]:
    return [each for each in union.types if not isinstance(each, inspect.NoneType)]


def _schema(type_: inspect.Type) -> tuple[ValueKind | None, dict[str, Any]]:
    """The kind and the JSON schema of a type; None if options cannot have it."""
    match type_:
        case inspect.BoolType():
            return ValueKind.BOOLEAN, {"type": "boolean"}
        case inspect.IntType() | inspect.FloatType():
            kind = ValueKind.INTEGER if isinstance(type_, inspect.IntType) else ValueKind.NUMBER
            limits = {word: getattr(type_, name) for name, word in _LIMITS.items()}
            return kind, {"type": kind.value, **_given(limits)}
        case inspect.StrType(min_length=shortest, max_length=longest, pattern=pattern):
            lengths = {"minLength": shortest, "maxLength": longest, "pattern": pattern}
            return ValueKind.TEXT, {"type": "string", **_given(lengths)}
        case inspect.LiteralType(values=values) if all(isinstance(each, str) for each in values):
            return ValueKind.CHOICE, {"enum": list(values)}
        case inspect.EnumType(cls=enum) if all(isinstance(each.value, str) for each in enum):
            return ValueKind.CHOICE, {"enum": [each.value for each in enum]}
        case _:
            return None, {}


_LIMITS = {
    "gt": "exclusiveMinimum",
    "ge": "minimum",
    "lt": "exclusiveMaximum",
    "le": "maximum",
    "multiple_of": "multipleOf",
}
_WORDS = {
    ValueKind.BOOLEAN: "true or false",
    ValueKind.INTEGER: "a whole number",
    ValueKind.NUMBER: "a number",
    ValueKind.TEXT: "a text",
}
_LIMIT_WORDS = {
    "minimum": "from {}",
    "exclusiveMinimum": "above {}",
    "maximum": "up to {}",
    "exclusiveMaximum": "below {}",
    "multipleOf": "in steps of {}",
    "minLength": "of {} or more characters",
    "maxLength": "of {} or fewer characters",
    "pattern": "matching {}",
}


def _given(limits: Mapping[str, Any]) -> dict[str, Any]:
    return {word: value for word, value in limits.items() if value is not None}


def _limits(schema: Mapping[str, Any]) -> str:
    """The limits of a schema in words, with a space before them."""
    phrases = [phrase.format(schema[word]) for word, phrase in _LIMIT_WORDS.items() if word in schema]
    if "minimum" in schema and "maximum" in schema:
        phrases[:2] = [f"from {schema['minimum']} to {schema['maximum']}"]
    return f" {', '.join(phrases)}" if phrases else ""


def _read(kind: ValueKind, text: str) -> PluginValue:
    """The value that a text stands for; a text that stands for none stays a text, which the type check refuses."""
    if kind is ValueKind.BOOLEAN:
        return _BOOLEANS.get(text, text)
    if kind is ValueKind.INTEGER and _INTEGER.fullmatch(text):
        return int(text)
    if kind is ValueKind.NUMBER and _NUMBER.fullmatch(text):
        return float(text)
    return text
