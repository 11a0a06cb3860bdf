"""Addresses of the posts of a call."""

from django.urls import path

from . import views

app_name = "public_posts"
urlpatterns = [
    path("cases/<str:number>/posts/", views.post_list, name="posts"),
    path("cases/<str:number>/posts/<int:post>/", views.post_detail, name="post"),
    path("cases/<str:number>/posts/applications/", views.application_list, name="applications"),
    path(
        "cases/<str:number>/posts/applications/<int:applicant>/",
        views.application,
        name="application",
    ),
    path(
        "cases/<str:number>/posts/agreements/<int:applicant>.pdf", views.agreement, name="agreement"
    ),
]
