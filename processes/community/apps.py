from django.apps import AppConfig


class CommunityConfig(AppConfig):
    name = "processes.community"
    label = "community"
