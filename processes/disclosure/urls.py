"""Addresses of open information."""

from django.urls import path

from . import views

app_name = "disclosure"
urlpatterns = [
    path("disclosure/", views.home, name="home"),
    path("disclosure/<slug:code>/report/<int:year>/", views.annual, name="report"),
    path("disclosure/<slug:code>/report/<int:year>.csv", views.annual_table, name="report_csv"),
    path("disclosure/<slug:code>/open-list/", views.open_list, name="open_list"),
]
