"""Addresses of people and places.

They come before those of allauth, two of which they take over: nobody here has an e-mail address.
"""

from django.urls import path

from . import claim_views, contact_views, erasure_views, token_views, views

app_name = "community"
urlpatterns = [
    path("my/claim/", claim_views.claim, name="claim"),
    path("my/tokens/", token_views.tokens, name="tokens"),
    path("my/tokens/<int:pk>/revoke/", token_views.revoke, name="revoke_token"),
    path("accounts/password/reset/", claim_views.forgotten),
    path("accounts/email/", claim_views.no_email),
    path("staff/codes/<slug:code>/", claim_views.codes, name="codes"),
    path("staff/codes/<slug:code>/<int:number>/end/", claim_views.end_code, name="end_code"),
    path(
        "staff/codes/<slug:code>/members/<int:number>/end/",
        claim_views.end_member,
        name="end_member",
    ),
    path("staff/erasure/<slug:code>/", erasure_views.erase, name="erase"),
    path("staff/contacts/<slug:code>/", contact_views.contacts, name="contacts"),
    path("staff/rolls/", views.roll_list, name="rolls"),
    path("staff/rolls/<slug:code>/", views.roll, name="roll"),
    path("staff/rolls/<slug:code>/preview/", views.roll_preview, name="roll_preview"),
]
