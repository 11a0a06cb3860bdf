"""Addresses of people and places."""

from django.urls import path

from . import claim_views

app_name = "community"
urlpatterns = [
    path("my/claim/", claim_views.claim, name="claim"),
    path("staff/codes/<slug:code>/", claim_views.codes, name="codes"),
]
