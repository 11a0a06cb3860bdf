"""Addresses of appeals; what is done with a receipt stands under ``/r/<code>/``.

They come before those of the portal, whose page of opening asks for an account.
"""

from django.urls import path

from . import views

app_name = "appeals"
urlpatterns = [
    path("appeals/", views.listing, name="list"),
    path("appeals/new/", views.submit, name="new"),
    path("appeals/<str:number>/sheet-<int:round_>.pdf", views.sheet, name="sheet"),
    path("appeals/enter/", views.enter, name="enter"),
    path("procedures/appeals/open/", views.submit),
]
