"""Forms over a plan: fields as texts, and the plan that they make."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

import msgspec

from tui_importer.core.model.plan import ExtraColumns, Plan, checked
from tui_importer.core.model.write_mode import OnConflict, WriteKind
from tui_importer.errors import PlanError

#: What the fields of a form hold, by their names.
Values = Mapping[str, str]


class FormField(msgspec.Struct, frozen=True):
    """A field: a text, or one of its ``choices``, each a value and what a user sees of it. ``help`` says what may be
    typed; ``empty`` is shown in a text field that holds nothing."""

    name: str
    label: str
    value: str
    choices: Sequence[tuple[str, str]] = ()
    help: str = ""
    empty: str = "none"


class Form(msgspec.Struct, frozen=True):
    """Fields, and the plan that they make: ``apply`` raises :class:`PlanError` for values that are not valid, and
    ``effect`` says in a line or two what they will do."""

    title: str
    fields: Sequence[FormField]
    apply: Callable[[Values], Plan]
    effect: Callable[[Plan], str] = lambda plan: ""


def mode_form(plan: Plan, mode: str) -> Form:
    """The write mode of a plan, of which ``mode`` is chosen now: its kind, its key, and rows whose key is there."""
    target = plan.target

    def apply(values: Values) -> Plan:
        return _changed(
            plan,
            "target",
            mode=values["mode"],
            key=_names(values["key"]),
            on_conflict=values["conflict"] or None,
            update=_names(values["update"]),
        )

    kinds = [(kind.value, kind.value) for kind in WriteKind]
    conflicts = [("", "default"), *((each.value, each.value) for each in OnConflict)]
    return Form(
        "write mode",
        [
            FormField("mode", "mode", mode, kinds),
            FormField("key", "key", _listed(target.key), help="the columns that identify a row, with commas"),
            FormField("conflict", "key is there", target.on_conflict or "", conflicts),
            FormField(
                "update", "update", _listed(target.update), empty="all but the key", help="update these columns only"
            ),
        ],
        apply,
        _effect_of_mode,
    )


def options_form(plan: Plan, mode: str) -> Form:
    """What else becomes of columns and table: renamed and further columns, scripts, and a dry run."""
    options = plan.options

    def apply(values: Values) -> Plan:
        return _changed(
            plan,
            "options",
            rename=_pairs(values["rename"], "rename"),
            set=_pairs(values["set"], "set"),
            extra_columns=values["extra"],
            lineage=values["lineage"] == _YES,
            create_schema=values["schema"] == _YES,
            comment=values["comment"].strip() or None,
            before=values["before"].strip() or None,
            after=values["after"].strip() or None,
            dry_run=values["dry"] == _YES,
        )

    extra = [(word, word) for word in get_args(ExtraColumns)]
    return Form(
        "columns and more",
        [
            FormField("rename", "rename", _joined(options.rename), help="like Name=customer 'Unit price=price'"),
            FormField("set", "set", _joined(options.set), help="like batch=7 origin={file}, also {sheet} {row} {run}"),
            FormField("extra", "extra columns", options.extra_columns, extra),
            FormField("lineage", "lineage", _word(yes=options.lineage), _CHOICES),
            FormField("schema", "create schema", _word(yes=options.create_schema), _CHOICES),
            FormField("comment", "comment", options.comment or ""),
            FormField("before", "SQL before", options.before or "", help="a file, executed before the first row"),
            FormField("after", "SQL after", options.after or "", help="a file, executed after the last row"),
            FormField("dry", "dry run", _word(yes=options.dry_run), _CHOICES),
        ],
        apply,
    )


_YES, _NO = "yes", "no"
_CHOICES = ((_NO, _NO), (_YES, _YES))


def _word(*, yes: bool) -> str:
    return _YES if yes else _NO


def _effect_of_mode(plan: Plan) -> str:
    mode = plan.target.write_mode
    effect = f"{mode.kind.summary}; others see {mode.kind.seen_meanwhile}"
    return f"{effect}; if its key is there, {mode.on_conflict.summary}" if mode.key else effect


def _changed(plan: Plan, part: str, **values: Any) -> Plan:
    """The plan with other values in one of its parts. Raises :class:`PlanError` for values that are not valid."""
    changed = msgspec.structs.replace(getattr(plan, part), **values)
    return checked(msgspec.structs.replace(plan, **{part: changed}))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, map(str.strip, text.split(","))))


def _joined(pairs: Mapping[str, str]) -> str:
    return shlex.join(f"{name}={value}" for name, value in pairs.items())


def _pairs(text: str, what: str) -> dict[str, str]:
    """Words like ``A=b``, quoted as in a shell where they need it."""
    try:
        words = shlex.split(text)
    except ValueError:
        raise PlanError(f"{what}: a quote is not closed") from None
    pairs = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals):
            raise PlanError(f"{what}: {word!r} must be like A=b, in quotes if there is a space in it")
        pairs[name] = value
    return pairs


#: The forms by name: each is made of a plan and the write mode that is chosen now.
FORMS: Mapping[str, Callable[[Plan, str], Form]] = {"mode": mode_form, "options": options_form}
