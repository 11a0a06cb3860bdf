"""All addresses of the site."""

from django.conf import settings
from django.urls import include, path
from django.views.generic import TemplateView

urlpatterns = [
    path("", include("workflows.portal.urls")),
    path("", include("processes.community.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("accounts/", include("allauth.urls")),
]
if settings.DEBUG:
    urlpatterns.append(path("gallery/", TemplateView.as_view(template_name="gallery.html")))

handler403 = "workflows.portal.views.too_many"
