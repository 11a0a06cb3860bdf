"""Policies that find people (政策找人): who qualifies is data, kept by the staff of a place."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from notifications import fanout
from notifications.models import Audience, Delivery
from tests import factories

LIST = "/news/audiences/"


@pytest.fixture
def home(place):
    """A member of the first household, whose owner it is."""
    return factories.make_member(factories.units_of(place.estate)[0]).person


def add(ground, *, do="save", role="residents_committee", **more):
    data = {
        "title": "要听公示的业主",
        "roles": ["owner"],
        "place": str(ground.estate.community.pk),
        "topics": ["publicity"],
        "do": do,
    }
    return ground.client(role).post(LIST, {**data, **more})


def test_it_is_tried_before_it_is_made_and_says_how_many_never_who(place, home):
    tried = add(place, do="try")
    text = tried.content.decode()
    assert not Audience.objects.filter(title="要听公示的业主").exists()
    assert "现在符合的住户：8户" in text
    assert "不到5户" in text  # so few are not told apart
    assert home.username not in text
    assert "101室" not in text
    whole = add(place, do="try", place=str(place.street.pk)).content.decode()
    assert "现在符合的住户：8户" in whole
    served = add(place, do="try", roles=["office"], place=str(place.street.pk)).content.decode()
    assert "现在符合的工作人员：1人" in served


def test_news_find_whom_it_names_and_no_others(told, place, home):
    Audience.objects.all().delete()
    add(place)
    factories.make_member(factories.units_of(place.estate)[1], owns=False)
    told("design_publicity")
    fanout.run_waiting()
    found = Delivery.objects.filter(why=f"audience:{Audience.objects.get().code}")
    assert set(found.values_list("channel__reader__user", flat=True)) == {home.pk}


def test_one_that_has_ended_finds_nobody_until_it_begins_again(told, place, home):
    Audience.objects.all().delete()
    add(place)
    url = f"{LIST}{Audience.objects.get().pk}/"
    assert place.client("residents_committee").post(url, {"do": "end"}).status_code == 302
    told("design_publicity")
    fanout.run_waiting()
    assert not Delivery.objects.filter(why__startswith="audience:").exists()
    assert "已停用" in place.client("residents_committee").get(LIST).content.decode()
    place.client("residents_committee").post(url, {"do": "begin"})
    assert Audience.objects.get().active


def test_it_is_changed_and_what_it_needs_is_asked_for(place):
    add(place)
    audience = Audience.objects.get(title="要听公示的业主")
    url = f"{LIST}{audience.pk}/"
    shown = place.client("office").get(url).content.decode()
    assert "现在符合的住户：8户" in shown
    data = {"title": "住户", "roles": ["household"], "place": str(place.estate.community.pk)}
    assert place.client("office").post(url, {**data, "do": "save"}).status_code == 302
    audience.refresh_from_db()
    assert (audience.title, audience.roles, audience.topics) == ("住户", ["household"], [])
    bad = place.client("office").post(url, {**data, "roles": [], "do": "save"})
    assert bad.status_code == 422
    assert place.client("office").post(url, {**data, "roles": ["clock"]}).status_code == 422


def test_each_keeps_the_audiences_of_their_own_places(place):
    elsewhere = factories.make_street("elsewhere")
    other = factories.make_person("other_office", "office", community=elsewhere)
    add(place)
    mine = Audience.objects.get(title="要听公示的业主")
    client = Client()
    client.force_login(other)
    assert "要听公示的业主" not in client.get(LIST).content.decode()
    assert client.get(f"{LIST}{mine.pk}/").status_code == 404
    assert client.post(f"{LIST}{mine.pk}/", {"do": "end"}).status_code == 404
    sent = {"title": "别处", "roles": ["owner"], "do": "save"}
    for where in (str(place.estate.community.pk), ""):  # nor all places: others keep some of them
        assert client.post(LIST, {**sent, "place": where}).status_code == 422
    assert place.client("designer").get(LIST).status_code == 403
    assert place.client("designer").post(f"{LIST}{mine.pk}/", {"do": "end"}).status_code == 403
    assert Client().get(LIST).status_code == 302
    assert Audience.objects.get(pk=mine.pk).active


def test_the_list_costs_the_same_with_many(place):
    client = place.client("office")

    def asked() -> int:
        client.get(LIST)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(LIST).status_code == 200
        return len(queries)

    add(place)
    before = asked()
    for number in range(6):
        add(place, title=f"第{number}类")
    assert asked() == before
