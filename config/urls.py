"""All addresses of the site."""

from django.apps import apps
from django.conf import settings
from django.urls import include, path
from django.views.i18n import set_language

from workflows.portal.api import api
from workflows.portal.origin import from_our_pages

urlpatterns = [
    path("", include("processes.appeals.urls")),
    path("", include("workflows.portal.urls")),
    path("", include("processes.community.urls")),
    path("", include("processes.public_posts.urls")),
    path("", include("processes.disclosure.urls")),
    path("api/v1/", api.urls),
    path("", include("notifications.urls")),
    path("i18n/setlang/", from_our_pages(set_language), name="set_language"),
    path("accounts/", include("allauth.urls")),
]
# A street's own packages name theirs in their configuration.
for each in apps.get_app_configs():
    if hasattr(each, "pages"):
        urlpatterns.append(path("", include(each.pages)))
if settings.DEBUG:
    from config.gallery import gallery

    urlpatterns.append(path("gallery/", gallery))

handler403 = "workflows.portal.views.too_many"
handler500 = "workflows.portal.faults.broken"
