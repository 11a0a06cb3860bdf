"""The acts of a step: how one is declared, the form that it takes, how it is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from django import forms
from django.utils.translation import gettext_lazy as _

from ..acts import Act, Refused, Written
from ..parties import directory
from ..records import masking

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    from ..uploads import Upload

    Words: TypeAlias = str | _StrPromise
else:
    Words = Any

Roles: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ActSpec:
    """An act that a step takes: its code in the record, its words, who may do it, what it asks.

    `by` names the roles, or the attribute of the step that holds them. `in_term`: refused once the
    step's term has run out. `optional`: one may do it and need not; nobody's inbox asks for it.
    `form` is a form class or the name of a step's method that makes one
    for the act at hand. `page`: has a page of its own. `button`: that page is reached by a button;
    others are reached from the thing that they are about (the opinion to answer). `preview`: its
    page first shows what would come of it, and sends it once that is confirmed; its files must be
    optional.
    """

    name: str
    title: Words
    by: str | Roles
    do: Callable[[Any, Act], Written]
    form: type[ActForm] | str | None = None
    in_term: bool = False
    while_suspended: bool = False
    after_close: bool = False
    page: bool = True
    button: bool = True
    optional: bool = False
    preview: bool = False


def act(
    name: str,
    *,
    title: Words,
    by: str | Roles,
    form: type[ActForm] | str | None = None,
    in_term: bool = False,
    while_suspended: bool = False,
    after_close: bool = False,
    page: bool = True,
    button: bool = True,
    optional: bool = False,
    preview: bool = False,
) -> Callable[[Callable[[Any, Act], Written]], Callable[[Any, Act], Written]]:
    """Declare a method of a step to be an act, named as its record (``opinion.submitted``)."""

    def mark(method: Callable[[Any, Act], Written]) -> Callable[[Any, Act], Written]:
        spec = ActSpec(
            name,
            title,
            by,
            method,
            form,
            in_term,
            while_suspended,
            after_close,
            page,
            button,
            optional,
            preview,
        )
        method.act_spec = spec  # type: ignore[attr-defined]
        return method

    return mark


def _missing(field: forms.Field) -> Words:
    """What to do about a field left empty."""
    if isinstance(field, forms.FileField):
        return _("请选择文件。")
    if isinstance(field, forms.BooleanField):
        return _("请勾选这一项。")
    return _("请选择一项。") if hasattr(field, "choices") else _("请填写这一项。")


class ActForm(forms.Form):
    """The form of an act. `act` is the act at hand; without one the form is only looked at."""

    words: ClassVar[dict[str, Words]] = {}
    """What people read for names and codes in its record that are no field or choice of its own."""
    conditional: ClassVar[frozenset[str]] = frozenset()
    """Fields that some answers ask for and others do not: their label or help says when, and no
    page calls them optional."""
    labels: ClassVar[dict[str, Words]] = {}
    """What people read for the names of fields in its record, where the label of the field asks
    for more than it says (``（将公开）``) or the word for all records does not fit."""

    def __init__(self, *args: Any, act: Act, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.act = act
        self.setup()
        for name, field in self.fields.items():
            field.conditional = name in self.conditional  # type: ignore[attr-defined]
            _let_choose(field)
            if (
                field.error_messages.get("required")
                == forms.Field.default_error_messages["required"]
            ):
                field.error_messages["required"] = _missing(field)

    @property
    def advice(self) -> Words:
        """What one should know before filling it in; shown above the form."""
        return ""

    def setup(self) -> None:
        """Fit the fields to the act at hand (choices, limits)."""

    def issued(self) -> list[Upload]:
        """Papers that the act itself issues (a letter), kept with it; asked for once it is done."""
        return []

    def published(self) -> list[str]:
        """The fields whose words will be public; nobody of the roll is named in them."""
        return [name for name, field in self.fields.items() if getattr(field, "published", False)]

    def typed(self) -> Iterator[str]:
        """What people wrote into the form, and each line of it; it is valid."""
        for name, bound in self.fields.items():
            value = self.cleaned_data.get(name)
            if isinstance(bound.widget, (forms.TextInput, forms.Textarea)):
                for item in value if isinstance(value, list) else [value]:
                    if isinstance(item, str):
                        yield item
                        yield from (line.strip() for line in item.splitlines())

    def _post_clean(self) -> None:
        # After every field has been looked at: one reading of the roll for all of them.
        said = {n: self.cleaned_data[n] for n in self.published() if self.cleaned_data.get(n)}
        if not said:
            return
        names = masking.Names(directory().roll_names(self.act.case.community))
        for name, words in said.items():
            try:
                for text in words if isinstance(words, list) else [words]:
                    require_clear(text, names)
            except forms.ValidationError as error:
                self.add_error(name, error)


def _let_choose(field: forms.Field) -> None:
    """Nothing is chosen in a list until somebody chooses: the first line is nobody's answer."""
    if isinstance(field, forms.ModelChoiceField) and field.empty_label == "---------":
        field.empty_label = _("请选择")
        return
    if not isinstance(field, forms.ChoiceField) or type(field.widget) is not forms.Select:
        return
    choices: list[Any] = list(field.choices)  # type: ignore[arg-type]
    if field.required and field.initial is None and len(choices) > 1 and choices[0][0] != "":
        field.choices = [("", _("请选择")), *choices]


def require_clear(text: str, names: Iterable[str] | masking.Names = ()) -> None:
    """Refuse a text in which something personal is left; raises ValidationError."""
    if not masking.is_clear(text, names):
        raise forms.ValidationError(
            _("文字中还有姓名、电话、证件号、邮箱、门牌或车牌等个人信息，请先用*号遮盖再提交。"),
            code="personal",
        )


def choices_of(form: type[forms.Form]) -> dict[str, Words]:
    """What people read for the choices that a form declares, and for what else it records."""
    found: dict[str, Words] = dict(getattr(form, "words", {}))
    for field in form.base_fields.values():
        if isinstance(field, forms.ChoiceField):
            choices: Any = field.choices
            found |= {str(code): title for code, title in choices if code}
    return found


def refuse(message: Words, *, field: str = "", code: str = "invalid") -> Refused:
    """A refusal with a message for people, at a field where there is one."""
    return Refused(code, message, {field: [str(message)]} if field else None)
