"""All addresses of the site."""

from django.apps import apps
from django.conf import settings
from django.urls import include, path

from workflows.portal.api import api

urlpatterns = [
    path("", include("processes.appeals.urls")),
    path("", include("workflows.portal.urls")),
    path("", include("processes.community.urls")),
    path("", include("processes.public_posts.urls")),
    path("", include("processes.disclosure.urls")),
    path("api/v1/", api.urls),
    path("", include("notifications.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
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
