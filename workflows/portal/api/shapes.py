"""Forms as JSON Schema, and what was sent as a form takes it: the same fields, the same checks."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from django import forms
from django.conf import settings
from django.core.exceptions import SuspiciousOperation, TooManyFilesSent
from django.http import HttpRequest, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.http.request import RawPostDataException
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _
from ninja import Schema
from pydantic import ConfigDict, Field, StrictBool, ValidationError

from ...uploads import UploadField
from .answers import Code, Key, Name, Told, api

Value = StrictBool | int | Literal[""] | str | None
Shape = dict[str, Any]

CHOICES_MOST = 500
"""Choices that a description names; of a longer list it says only that there is one."""
BODY = "act"
"""The part of a multipart body that holds what would be the body in JSON; the others are files."""


# --- describing --------------------------------------------------------------------------------


def shape_of(form: forms.Form) -> Shape:
    """A form as JSON Schema (2020-12). Files come as parts of a multipart body, and are named here
    by ``contentMediaType``. What a form begins with stands in ``default``."""
    properties, required = {}, []
    for name, field in form.fields.items():
        properties[name] = _field(form, name, field)
        if field.required:
            required.append(name)
    shape: Shape = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        shape["required"] = required
    return shape


def _field(form: forms.Form, name: str, field: forms.Field) -> Shape:
    shape: Shape = {"title": str(field.label or name)}
    if field.help_text:
        shape["description"] = str(field.help_text)
    shape |= _kind(field)
    begin = _plain(form.get_initial_for_field(field, name))
    if begin not in (None, "", []):
        shape["default"] = begin
    return shape


def _kind(field: forms.Field) -> Shape:
    if isinstance(field, UploadField):
        pictures = "image/*" if field.pictures_only else "image/*, application/pdf"
        one: Shape = {"type": "string", "contentMediaType": pictures}
        return {"type": "array", "items": one, "maxItems": field.most if field.many else 1}
    if isinstance(field, forms.MultipleChoiceField):
        return {"type": "array", "uniqueItems": True, "items": _choices(field, "string")}
    if isinstance(field, forms.ChoiceField):
        return _choices(field, "string")
    if isinstance(field, forms.BooleanField):
        return {"type": "boolean"}
    if isinstance(field, forms.DecimalField):
        return {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}
    if isinstance(field, forms.IntegerField):
        bounds = {"minimum": field.min_value, "maximum": field.max_value}
        return {"type": "integer", **{k: v for k, v in bounds.items() if v is not None}}
    formats = {forms.DateField: "date", forms.DateTimeField: "date-time", forms.URLField: "uri"}
    shape: Shape = {"type": "string"}
    for kind, name in formats.items():
        if isinstance(field, kind):
            shape["format"] = name
    if isinstance(field, forms.CharField):
        lengths = {"minLength": field.min_length, "maxLength": field.max_length}
        shape |= {name: value for name, value in lengths.items() if value is not None}
    return shape


def _choices(field: Any, kind: str) -> Shape:
    found = []
    for code, title in field.choices:
        if isinstance(title, (list, tuple)):  # a group
            found += [(str(each), str(words)) for each, words in title]
        elif str(code):
            found.append((str(code), str(title)))
        if len(found) > CHOICES_MOST:
            return {"type": kind}
    if not found:
        return {"type": kind}
    return {"type": kind, "oneOf": [{"const": code, "title": title} for code, title in found]}


def _plain(value: Any) -> Any:
    if callable(value):
        value = value()
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, (dt.date, dt.datetime)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return str(value)


# --- what is sent ------------------------------------------------------------------------------


class _Sent(Schema):
    model_config = ConfigDict(extra="forbid")


class Paper(_Sent):
    """A signed form that is typed in: whose it is (`household`, as the roll names it) and of which
    day."""

    household: str = Field(max_length=80)
    on: dt.date


class ActSent(_Sent):
    """An act: at which step (`case`: on the case as a whole), and what its form takes, as
    ``GET …/acts`` describes it. `as`: in which capacity, where one has several. `paper`: typed in
    from a signed form."""

    step: Name
    act: Name
    as_: str = Field("", alias="as", max_length=120)
    form: dict[str, Value | list[Value]] = {}
    paper: Paper | None = None


class CaseSent(_Sent):
    """A case to open: where, in which role, under which title (where the procedure does not fix
    one), with which terms in days (where they may be set). `form`: what the first act's form takes,
    where a case is opened together with it."""

    place: Code
    as_: str = Field("", alias="as", max_length=40)
    title: str = Field("", max_length=200)
    terms: dict[Name, Key] = {}
    form: dict[str, Value | list[Value]] = {}


@dataclass(frozen=True, slots=True)
class Sent:
    """What came: the body, checked; the files by field; and a digest of both, keyed with the
    installation's secret, by which two are the same."""

    body: Any
    files: MultiValueDict[str, Any]
    fingerprint: str


def described(model: type[Schema]) -> dict[str, Any]:
    """The body of an operation that takes it as JSON, or with files beside it."""
    api.sent.append(model)
    shape = {"$ref": f"#/components/schemas/{model.__name__}"}
    with_files = {
        "type": "object",
        "properties": {BODY: shape},
        "required": [BODY],
        "additionalProperties": {"type": "string", "format": "binary"},
    }
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": shape},
                "multipart/form-data": {
                    "schema": with_files,
                    "encoding": {BODY: {"contentType": "application/json"}},
                },
            },
        }
    }


def sent(request: HttpRequest, model: type[Schema]) -> Sent:
    """Read what was sent. Raises `Told`."""
    files: MultiValueDict[str, Any] = MultiValueDict()
    try:
        if request.content_type == "application/json":
            text: str | bytes = request.body
        elif request.content_type == "multipart/form-data":
            part = request.POST.get(BODY)
            files = request.FILES.copy()
            if part is None and BODY in files:  # a part with a file's name
                part = files.getlist(BODY)[0].read()
                files.pop(BODY)
            text = part or b""
        else:
            raise Told("media_type")
    except (MultiPartParserError, UnreadablePostError, RawPostDataException) as error:
        raise Told("bad_request") from error
    except (TooManyFilesSent, SuspiciousOperation) as error:
        raise Told("too_large") from error
    try:
        given = json.loads(text, parse_constant=_none_such)
        json.dumps(given, ensure_ascii=False).encode()  # no half of a sign
        body = model.model_validate(given)
    except ValidationError as error:
        errors: dict[str, list[str]] = {}
        for each in error.errors(include_url=False, include_input=False, include_context=False):
            errors.setdefault(".".join(map(str, each["loc"])), []).append(each["msg"])
        raise Told("invalid", errors=errors) from error
    except (ValueError, RecursionError) as error:
        raise Told("bad_request", _("请求内容不是有效的 JSON。")) from error
    return Sent(body, files, _fingerprint(request, given, files))


def _none_such(name: str) -> Any:
    raise ValueError(name)


def _fingerprint(request: HttpRequest, given: Any, files: Any) -> str:
    said = [request.path, json.dumps(given, sort_keys=True)]
    for name in sorted(files):
        for file in files.getlist(name):
            said.append(f"{name} {hashlib.sha256(file.read()).hexdigest()}")
            file.seek(0)
    return keyed("body", *said)


def keyed(*parts: str) -> str:
    """A digest that nobody can work out without the installation's secret."""
    whole = json.dumps(["api", *parts]).encode()
    return hmac.digest(settings.SECRET_KEY.encode(), whole, "sha256").hex()


def posted(values: Mapping[str, Any]) -> MultiValueDict[str, Any]:
    """Values as a form of a page would send them."""
    found: MultiValueDict[str, Any] = MultiValueDict()
    for name, value in values.items():
        lines = [_said(each) for each in (value if isinstance(value, list) else [value])]
        said = [line for line in lines if line is not None]
        if said or isinstance(value, list):
            found.setlist(name, said)
    return found


def _said(value: Any) -> str | None:
    if value is None or value is False:
        return None  # an empty field, a box that is not ticked
    return "on" if value is True else str(value)
