"""How the API answers: errors, conditional requests, limits, cursors."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, ClassVar

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import translation
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.http import http_date, quote_etag
from django.utils.translation import gettext_lazy as _
from django_ratelimit.core import is_ratelimited
from ninja import NinjaAPI, Schema
from ninja.errors import AuthenticationError, HttpError, Throttled, ValidationError
from ninja.throttling import BaseThrottle
from pydantic import Field, StringConstraints

from ...acts import Refused
from ...models.record import Record
from ...steps.act import Words as WordsFor

FORMAT = 1
"""Raised when the same rows come out otherwise."""
LARGEST = 2**63 - 1

Number = Annotated[str, StringConstraints(pattern=r"^[A-Z]{1,10}-[0-9]{4}-[0-9]{1,9}$")]
"""The public number of a case: ``RENO-2026-0007``."""
Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,40}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.]{1,60}$")]
Words = Annotated[str, StringConstraints(pattern=r"^[^\x00]{0,80}$")]
Cursor = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{0,200}$")]
Key = Annotated[int, Field(ge=1, le=LARGEST)]
Seq = Annotated[int, Field(ge=0, le=2**31 - 1)]
Limit = Annotated[int, Field(ge=1, le=200)]


MEDIA_TYPE = "application/problem+json"
PROBLEMS: dict[str, tuple[int, WordsFor]] = {
    "bad_request": (400, _("请求无法读取")),
    "key_missing": (400, _("缺少提交编号")),
    "unauthorised": (401, _("令牌无效")),
    "scope": (403, _("令牌没有这项权限")),
    "wrong_party": (403, _("身份不符")),
    "forbidden": (403, _("不允许")),
    "not_found": (404, _("没有找到")),
    "closed_step": (409, _("环节不在办理中")),
    "suspended": (409, _("事项已中止")),
    "late": (409, _("已过期限")),
    "early": (409, _("未到时候")),
    "unmet": (409, _("条件未满足")),
    "duplicate": (409, _("重复")),
    "erased": (410, _("内容已经删除")),
    "too_large": (413, _("内容过大")),
    "media_type": (415, _("内容类型不能接收")),
    "invalid": (422, _("内容有误")),
    "key_reused": (422, _("提交编号已用于别的内容")),
    "too_many": (429, _("请求过于频繁")),
    "failed": (400, _("未能完成")),
}
"""Every kind of problem: its status and its title. The codes of the one door are among them."""


class Problem(Schema):
    """Why there is no answer (RFC 9457). `title`, `detail` and `errors` are in the language of the
    request. `code` names the kind of problem, as the end of `type` does; `errors` holds messages by
    field, where fields are to blame; `scope` the scopes of which a token needs one."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: dict[str, list[str]] = {}
    scope: str | None = None


class Told(Exception):
    """A problem that the client is told of; `code` is one of `PROBLEMS`."""

    def __init__(
        self,
        code: str,
        detail: WordsFor = "",
        errors: Mapping[str, Iterable[str]] | None = None,
        *,
        scope: str = "",
    ) -> None:
        super().__init__(code)
        self.code, self.detail, self.errors, self.scope = code, detail, errors, scope


class Limited(BaseThrottle):
    """So many requests a minute from one address; counted where all processes see it."""

    def __init__(
        self, group: str, rate: str, key: str | Callable[[str, HttpRequest], str] = "ip"
    ) -> None:
        self.group, self.rate, self.key = group, rate, key

    def allow_request(self, request: HttpRequest) -> bool:
        """Count it, and say whether it was too many."""
        limited: bool = is_ratelimited(
            request, group=self.group, key=self.key, rate=self.rate, increment=True
        )
        return not limited

    def wait(self) -> float:
        """Seconds after which to ask again."""
        return 60.0


class Described(NinjaAPI):
    """Operations go by the names of their functions."""

    def get_openapi_operation_id(self, operation: Any) -> str:
        """The name that generated clients give to the operation."""
        name: str = operation.view_func.__name__
        return name

    def get_openapi_schema(self, *args: Any, **kwargs: Any) -> Any:
        """The description; problems have a media type of their own (RFC 9457, 3)."""
        schema = super().get_openapi_schema(*args, **kwargs)
        problems = {"$ref": "#/components/schemas/Problem"}
        for path in schema["paths"].values():
            for operation in path.values():
                for told in operation["responses"].values():
                    for media in list(told.get("content", {}).values()):
                        if media["schema"] == problems:
                            told["content"] = {MEDIA_TYPE: media}
        for model in self.sent:
            shape = model.model_json_schema(ref_template="#/components/schemas/{model}")
            schema["components"]["schemas"] |= shape.pop("$defs", {})
            schema["components"]["schemas"][model.__name__] = shape
        return schema

    sent: ClassVar[list[type[Schema]]] = []
    """What is sent to operations that read their bodies themselves."""


PUBLIC = Limited("api", "600/m")
api = Described(
    title="三问 Sanwen",
    version="1",
    description=(
        "The public record of participatory procedures. Everything that is read without a token is "
        "public and holds no personal data. Words (`title`, `…_title`) are in the language of "
        "Accept-Language (zh-hans, en); codes are the same in every language. Lists end with "
        "`next`, the cursor of what follows, or null. Answers carry an ETag and a Last-Modified. "
        "With a token (`Authorization: Bearer sanwen_…`, made at /my/tokens/) a program reads what "
        "waits for its owner and acts for them, never beyond what they may do themselves. What is "
        "handed in carries an Idempotency-Key: sent again with the same key, it is done once. "
        "Errors are problem details (RFC 9457)."
    ),
    urls_namespace="api",
    docs_url=None,
    throttle=PUBLIC,
)


def answers(schema: Any, *more: int) -> dict[Any, Any]:
    """What an operation may answer, for its declaration."""
    return {200: schema, 304: None, frozenset({404, 422, 429, *more}): Problem}


def problem(
    code: str,
    detail: WordsFor = "",
    errors: Mapping[str, Iterable[str]] | None = None,
    *,
    scope: str = "",
) -> HttpResponse:
    """A `Problem` as an answer."""
    status, title = PROBLEMS[code]
    told: dict[str, Any] = {
        "type": f"/api/v1/problems#{code}",
        "title": str(title),
        "status": status,
        "detail": str(detail or DETAILS.get(code, title)),
        "code": code,
        "errors": {name: [str(line) for line in lines] for name, lines in (errors or {}).items()},
        "scope": scope or None,
    }
    answer = JsonResponse(told, status=status, json_dumps_params={"ensure_ascii": False})
    answer["Content-Type"] = MEDIA_TYPE
    if status == 401:
        answer["WWW-Authenticate"] = 'Bearer realm="sanwen"'
    elif scope:
        answer["WWW-Authenticate"] = f'Bearer error="insufficient_scope", scope="{scope}"'
    elif status == 429:
        answer["Retry-After"] = "60"
    return answer


DETAILS: dict[str, WordsFor] = {
    "bad_request": _("请求内容无法读取，请按接口说明发送。"),
    "key_missing": _("请在请求头 Idempotency-Key 中给出提交编号，重试时用同一个。"),
    "unauthorised": _(
        "请在请求头 Authorization: Bearer 中给出有效的访问令牌；令牌在“我的事项”中生成。"
    ),
    "scope": _("这个令牌没有所需的权限，请另外生成一个。"),
    "wrong_party": _("您的身份不能办理这一操作。"),
    "not_found": _("这里什么也没有，请核对地址。"),
    "erased": _("文件内容已经删除，记录中保留其指纹。"),
    "too_large": _("发送的内容超过上限。"),
    "media_type": _("只接收 application/json 或者 multipart/form-data。"),
    "key_reused": _("这个提交编号已用于另外的内容，请换一个编号。"),
    "too_many": _("请求过于频繁，请一分钟后再试。"),
    "invalid": _("请求内容与接口说明不符，请核对所列各项。"),
}


@api.exception_handler(Told)
def _told(request: HttpRequest, exc: Told) -> HttpResponse:
    return problem(exc.code, exc.detail, exc.errors, scope=exc.scope)


@api.exception_handler(Refused)
def _refused(request: HttpRequest, exc: Refused) -> HttpResponse:
    return problem(exc.code, str(exc), exc.errors)


@api.exception_handler(Http404)
def _not_found(request: HttpRequest, exc: Http404) -> HttpResponse:
    return problem("not_found")


@api.exception_handler(PermissionDenied)
def _may_not(request: HttpRequest, exc: PermissionDenied) -> HttpResponse:
    return problem("wrong_party")


@api.exception_handler(AuthenticationError)
def _who(request: HttpRequest, exc: AuthenticationError) -> HttpResponse:
    return problem("unauthorised")


@api.exception_handler(HttpError)
def _failed(request: HttpRequest, exc: HttpError) -> HttpResponse:
    return problem("failed", str(exc))


@api.exception_handler(Throttled)
def _too_many(request: HttpRequest, exc: Throttled) -> HttpResponse:
    return problem("too_many")


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, exc: ValidationError) -> HttpResponse:
    errors: dict[str, list[str]] = {}
    for error in exc.errors:
        errors.setdefault(".".join(str(part) for part in error["loc"]), []).append(error["msg"])
    if set(errors) == {"header.Idempotency-Key"} and not request.headers.get("Idempotency-Key"):
        return problem("key_missing", errors=errors)
    return problem("invalid", errors=errors)


# --- conditional requests ----------------------------------------------------------------------


class _Unchanged(Exception):
    """The client has it already."""

    def __init__(self, answer: HttpResponse) -> None:
        super().__init__()
        self.answer = answer


@api.exception_handler(_Unchanged)
def _unchanged(request: HttpRequest, exc: _Unchanged) -> HttpResponse:
    return exc.answer


def fresh(
    request: HttpRequest, response: HttpResponse, mark: str, modified: dt.datetime | None
) -> None:
    """Mark an answer with what it shows, so that a client can ask whether that still holds; one
    that has it is told so (304), and nothing is read. `mark` changes whenever the answer does."""
    parts = (FORMAT, request.get_full_path(), translation.get_language(), mark)
    etag = quote_etag(hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:32])
    last = int(modified.timestamp()) if modified else None
    known = get_conditional_response(request, etag=etag, last_modified=last)
    for answer in (response, known):
        if answer is None:
            continue
        answer["ETag"] = etag
        if last is not None:
            answer["Last-Modified"] = http_date(last)
        answer["Access-Control-Allow-Origin"] = "*"
        # Words may be withdrawn: no copy is shown again without asking whether it still holds.
        patch_cache_control(answer, public=True, no_cache=True)
    if known is not None:
        raise _Unchanged(known)


def whole_site() -> tuple[str, dt.datetime | None]:
    """How far the whole record has come: the mark of lists. Whatever a list shows leaves a record;
    one query."""
    newest = Record.objects.order_by("-pk").values_list("pk", "at").first()
    return (str(newest[0]), newest[1]) if newest else ("0", None)


# --- cursors -----------------------------------------------------------------------------------


def cursor_of(*parts: Any) -> str:
    """Where a page ended, as a word that says nothing to clients."""
    text = "\t".join(
        part.isoformat() if hasattr(part, "isoformat") else str(part) for part in parts
    )
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def parts_of(cursor: str, n: int) -> list[str] | None:
    """The `n` parts of a cursor; None at the beginning. 404 for one that is none of ours."""
    if not cursor:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise bad_cursor() from error
    parts = text.split("\t")
    if len(parts) != n:
        raise bad_cursor()
    return parts


def whole(text: str) -> int:
    """A part of a cursor that is a number."""
    if not text.isascii() or not text.isdecimal() or int(text) > LARGEST:
        raise bad_cursor()
    return int(text)


def bad_cursor() -> Http404:
    """Says that a cursor is none of ours: no page begins there."""
    return Http404("no cursor of this list")
