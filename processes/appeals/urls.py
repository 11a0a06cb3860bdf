"""Addresses of appeals; what is done with a receipt stands under ``/r/<code>/``."""

from django.urls import path

from . import views

app_name = "appeals"
urlpatterns = [
    path("appeals/", views.listing, name="list"),
    path("appeals/new/", views.submit, name="new"),
]
