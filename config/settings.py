"""Settings, by environment variable only; docs/settings.md has the table.

This is the only place that reads the environment.
"""

from pathlib import Path

import environ
import viewflow
from csp.constants import NONE, SELF

from config import files

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent
HOME = Path(env("SANWEN_HOME", default=str(BASE_DIR / "var"))).expanduser().resolve()
# Residents' data lie here: nobody else's to read. A folder made by others keeps its mode.
HOME.mkdir(mode=0o700, parents=True, exist_ok=True)

DEBUG = env.bool("SANWEN_DEBUG", default=False)
DEMO = env.bool("SANWEN_DEMO", default=False)
# Production has HTTPS before it; the demo and the tests speak plain HTTP on this machine.
HTTPS = env.bool("SANWEN_HTTPS", default=False)


SANWEN_SECRET_KEY_FILE = HOME / "secret.key"


def _secret_key() -> str:
    """The secret key of this installation: from the environment, else made once under HOME."""
    from django.core.management.utils import get_random_secret_key

    given = env("SANWEN_SECRET_KEY", default="")
    if given:
        return given
    path = SANWEN_SECRET_KEY_FILE
    try:
        with path.open("x", encoding="ascii") as file:
            path.chmod(0o600)
            file.write(get_random_secret_key() + get_random_secret_key())
    except FileExistsError:
        pass
    return path.read_text(encoding="ascii")


SECRET_KEY = _secret_key()
ALLOWED_HOSTS = env.list("SANWEN_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("SANWEN_ORIGINS", default=[])
SITE_ADDRESS = env("SANWEN_ADDRESS", default="")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_fsm",
    "django_htmx",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "viewflow.workflow",
    "workflows",
    "processes.community",
    "processes.renovation",
    "processes.public_posts",
    "processes.disclosure",
    "processes.appeals",
    "processes.open_days",
    "notifications",
    # A street's own procedures: docs/write-a-procedure.md.
    *env.list("SANWEN_APPS", default=[]),
]

MIDDLEWARE = [
    "config.requests.NameRequests",
    "django.middleware.security.SecurityMiddleware",
    # Above what serves style sheets and pictures, so that every answer has every header.
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "config.requests.StayHere",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.requests.ShareBriefly",
    "config.requests.RefuseNul",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "config.requests.KeepNothing",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "processes.community.middleware.EndSessionsMiddleware",
    "processes.community.middleware.StaffTotpMiddleware",
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "processes.community.context.people",
                "notifications.context.news",
            ],
        },
    },
    {
        # Only what we have no page of that name for: viewflow's own drawing and BPMN.
        "NAME": "viewflow",
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(viewflow.__file__).parent / "templates"],
    },
]

# --- database: SQLite in WAL mode, or PostgreSQL by SANWEN_DATABASE=postgres://…
_default_database = f"sqlite:///{HOME / 'sanwen.sqlite3'}"
DATABASES = {"default": env.db_url("SANWEN_DATABASE", default=_default_database)}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        # A write transaction takes the write lock at its first statement, so that two acts on
        # one case queue up instead of failing half way; this is the case lock on SQLite.
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        # What was accepted outlives a power cut; a demo would rather begin soon.
        "init_command": "PRAGMA journal_mode=WAL; "
        f"PRAGMA synchronous={'NORMAL' if DEMO else 'FULL'}; "
        # Erased data must not live on in free pages of the file.
        "PRAGMA secure_delete=ON;",
    }
    # A shared in-memory database has one writer for all threads and ignores the timeout.
    DATABASES["default"]["TEST"] = {"NAME": env("SANWEN_TEST_DATABASE", default=None)}
else:
    # A server has a thread for each request, whose connection nobody would find again: there a
    # pool lends them. Clocks and workers have threads that last, and keep theirs.
    _pool = env.int("SANWEN_POOL", default=0)
    DATABASES["default"]["CONN_MAX_AGE"] = 0 if _pool else 60
    if _pool:
        DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
        DATABASES["default"].setdefault("OPTIONS", {})["pool"] = {
            "min_size": 1,
            "max_size": _pool,
            "timeout": 10,
        }
# The statements of the door are prepared once a connection (`workflows.statements`).
SANWEN_PREPARE = env.bool("SANWEN_PREPARE", default=True)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Redis switches live updates, the cache and the queue to their city forms
REDIS = env("SANWEN_REDIS", default="")
if REDIS:
    # A Redis that does not answer must keep nobody from acting in time: without it nothing is
    # cached and limits do not count; codes stay unguessable, and limits by address are the web
    # server's as well.
    CACHES = {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": REDIS,
            "OPTIONS": {
                "SOCKET_CONNECT_TIMEOUT": 1,
                "SOCKET_TIMEOUT": 1,
                "IGNORE_EXCEPTIONS": True,
            },
        }
    }
    RATELIMIT_FAIL_OPEN = True
else:
    # Rate limits count in the cache, so that several processes of one machine must share it.
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
            "LOCATION": HOME / "cache",
        }
    }

# --- a broker lets Celery do what the clock does; it holds nothing that must last
SANWEN_BROKER = env("SANWEN_BROKER", default="")
if SANWEN_BROKER:
    INSTALLED_APPS.append("config")

# --- files
MEDIA_ROOT = HOME / "media"
STATIC_URL = "/static/"
STATIC_ROOT = env.path("SANWEN_STATIC", default=str(BASE_DIR / "staticfiles"))
STATICFILES_DIRS = [BASE_DIR / "static"]
_bucket = env("SANWEN_S3_BUCKET", default="")
STORAGES = {
    "default": (
        files.bucket(
            _bucket, env("SANWEN_S3_ENDPOINT", default=None), env("SANWEN_S3_STYLE", default="")
        )
        if _bucket
        else {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    ),
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = DEBUG
FILE_UPLOAD_PERMISSIONS = 0o600
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 2**20
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000

# --- people and language
AUTH_USER_MODEL = "community.Person"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "processes.community.passwords.LongEnough",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/my/"
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_PREVENT_ENUMERATION = True
# By address only: a limit by account name would let anyone lock out a neighbour.
ACCOUNT_RATE_LIMITS = {"login_failed": "10/m/ip,60/h/ip", "signup": "20/h/ip"}
# The demo's passwords are published; a second factor would protect nothing there.
SANWEN_STAFF_TOTP = env.bool("SANWEN_STAFF_TOTP", default=not DEMO)
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Sanwen"

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "Asia/Shanghai"
USE_TZ = True
USE_I18N = True

# --- security
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
PERMISSIONS_POLICY: dict[str, list[str]] = {
    name: [] for name in ("camera", "geolocation", "microphone", "payment", "usb")
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 12 * 3600
# Minutes after which a session in which nothing was done ends, of accounts that serve; 0: none.
SANWEN_IDLE_MINUTES = env.int("SANWEN_IDLE_MINUTES", default=30)
if HTTPS:
    # No other host of the same domain can set such a cookie.
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
CSRF_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 365 * 86400 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SANWEN_BEHIND_PROXY = env.bool("SANWEN_BEHIND_PROXY", default=False)
if SANWEN_BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SILENCED_SYSTEM_CHECKS: list[str] = []

# --- the engine
SANWEN_DIRECTORY = "processes.community.directory.CommunityDirectory"
SANWEN_JURISDICTION = env("SANWEN_JURISDICTION", default="CN")
SANWEN_SUPERVISION_CONTACT = env("SANWEN_SUPERVISION_CONTACT", default="")
# The log's own name stands in every checkpoint and stays when the site moves.
SANWEN_LOG_ORIGIN = env(
    "SANWEN_LOG_ORIGIN",
    default=SITE_ADDRESS.partition("://")[2].rstrip("/") or "sanwen.invalid/demo",
)
SANWEN_LOG_KEY = env("SANWEN_LOG_KEY", default="")
SANWEN_LOG_KEY_FILE = env.path("SANWEN_LOG_KEY_FILE", default=str(HOME / "log.key"))
# What this machine has signed: it signs on no database that lacks it. A demo is laid anew at will.
SANWEN_LOG_SEEN = None if DEMO else HOME / "log.seen"
SANWEN_WITNESSES = env.list("SANWEN_WITNESSES", default=[])
SANWEN_UPLOAD_MAX_BYTES = env.int("SANWEN_UPLOAD_MAX_BYTES", default=20 * 2**20)
# The signature of trails; a demo makes a certificate of its own.
SANWEN_TRAIL_KEY = env("SANWEN_TRAIL_KEY", default="")
SANWEN_TRAIL_CERT = env("SANWEN_TRAIL_CERT", default="")
SANWEN_TRAIL_PASSPHRASE = env("SANWEN_TRAIL_PASSPHRASE", default="")
SANWEN_TRAIL_DEMO = HOME / "trail-demo"
SANWEN_TSA = env("SANWEN_TSA", default="")
# Backups: what seals the keys in them, and where PostgreSQL's programs are.
SANWEN_BACKUP_PASSPHRASE = env("SANWEN_BACKUP_PASSPHRASE", default="")
SANWEN_PG_BIN = env("SANWEN_PG_BIN", default="")

# Watching: who may read /metrics, which queries are slow.
SANWEN_METRICS_TOKEN = env("SANWEN_METRICS_TOKEN", default="")
SANWEN_METRICS_FROM = env.list("SANWEN_METRICS_FROM", default=[])
# OpenTelemetry's own variables, which its exporter reads as well.
SANWEN_TRACING = bool(
    env("OTEL_EXPORTER_OTLP_ENDPOINT", default="")
    or env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", default="")
)
SANWEN_SLOW_QUERY_MS = env.int("SANWEN_SLOW_QUERY_MS", default=0)

# --- news: e-mail by smtp://user:password@host:587 (smtp+tls, smtp+ssl), SMS by an address of
# apprise with {phone} in it; a demo writes its mail into a folder
SANWEN_EMAIL = env("SANWEN_EMAIL", default="filemail:" if DEMO else "")
if SANWEN_EMAIL.startswith("filemail:"):
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = HOME / "mail"
elif SANWEN_EMAIL:
    _mail = env.email_url("SANWEN_EMAIL")
    EMAIL_BACKEND = _mail["EMAIL_BACKEND"]
    EMAIL_HOST, EMAIL_PORT = _mail["EMAIL_HOST"], _mail["EMAIL_PORT"]
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = (
        _mail["EMAIL_HOST_USER"],
        _mail["EMAIL_HOST_PASSWORD"],
    )
    EMAIL_USE_TLS = _mail.get("EMAIL_USE_TLS", False)
    EMAIL_USE_SSL = _mail.get("EMAIL_USE_SSL", False)
DEFAULT_FROM_EMAIL = env("SANWEN_EMAIL_FROM", default="sanwen@localhost")
SANWEN_SMS = env("SANWEN_SMS", default="")
SANWEN_PUSH = env.bool("SANWEN_PUSH", default=False)
SANWEN_PUSH_KEY_FILE = env.path("SANWEN_PUSH_KEY_FILE", default=str(HOME / "push.key"))
# Browsers name the address that is called: only those of known push services are.
SANWEN_PUSH_HOSTS = env.list(
    "SANWEN_PUSH_HOSTS",
    default=[
        "fcm.googleapis.com",
        "updates.push.services.mozilla.com",
        "web.push.apple.com",
        ".notify.windows.com",
    ],
)
# Programs that hear of news are called at public addresses only, but for these within the network.
SANWEN_HOOK_INSIDE = env.list("SANWEN_HOOK_INSIDE", default=[])
# Messages a minute, of all workers together; robots refuse more than twenty.
SANWEN_NEWS_RATES = {
    "email": env.int("SANWEN_EMAIL_RATE", default=300),
    "sms": env.int("SANWEN_SMS_RATE", default=60),
    "push": 3000,
    "other": 20,
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "config.logs.Line",
            "format": "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s",
        },
        "json": {"()": "config.logs.Json"},
    },
    "filters": {"receipts": {"()": "config.logs.HideReceipts"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": env("SANWEN_LOG_FORMAT", default="line"),
            "filters": ["receipts"],
        }
    },
    "root": {"handlers": ["console"], "level": env("SANWEN_LOG_LEVEL", default="WARNING")},
    "loggers": {
        "sanwen": {"level": "INFO"},
        # It logs what it sends, and to whom.
        "apprise": {"level": "CRITICAL", "propagate": False},
    },
}
