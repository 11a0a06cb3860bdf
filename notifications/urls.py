"""Addresses of news. Those with a secret are for whoever got a message, without an account."""

from django.urls import path

from . import audiences, hooks, outlets, views

app_name = "news"
urlpatterns = [
    path("news/", views.inbox, name="inbox"),
    path("news/read/", views.mark_read, name="read"),
    path("news/follow/", views.follow, name="follow"),
    path("news/settings/", views.own, name="settings"),
    path("news/settings/times/", views.times, name="times"),
    path("news/settings/stop/", views.stop, name="stop"),
    path("news/channels/add/", views.add_channel, name="add_channel"),
    path("news/channels/push/", views.add_push, name="add_push"),
    path("news/channels/<int:pk>/verify/", views.verify, name="verify"),
    path("news/channels/<int:pk>/leave/", views.drop_channel, name="drop_channel"),
    path("news/why/<int:pk>/", views.why, name="why"),
    path("news/why/<str:secret>/<int:pk>/", views.why_by_secret, name="why_by_secret"),
    path("news/leave/<str:secret>/", views.leave, name="leave"),
    path("news/hooks/", hooks.page, name="hooks"),
    path("news/queue/", outlets.queue, name="queue"),
    path("news/audiences/", audiences.listed, name="audiences"),
    path("news/audiences/<int:pk>/", audiences.one, name="audience"),
]
