"""From an act to what its readers get: what, when, once, and why."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import transaction
from django.test import Client

from notifications import fanout, sending, worker
from notifications.models import Audience, Channel, Delivery, News, Subscription, reader_of
from tests.notifications.conftest import OFFICE, channel_of, follow
from tests.sandbox.ballot_procedures import Works
from tests.sandbox.core_procedures import Errand
from tests.sandbox.directory import SandboxDirectory
from tests.sandbox.opinion_procedures import Plans
from workflows import acts, clock, erasing
from workflows.models import Case, Record
from workflows.parties import Party

pytestmark = pytest.mark.django_db


def write(case, text="写好了") -> acts.Done:
    return acts.perform(case, "write", "task.done", OFFICE, {"text": text})


def evening(days: int = 0) -> None:
    clock.set_now(clock.now().replace(hour=18, minute=0) + dt.timedelta(days=days))


def test_a_reader_of_a_case_gets_one_digest_with_the_text_itself(post, case, account):
    follow(account("a", "a@example.org"), case=case)
    account("b", "b@example.org")
    write(case, "井盖已经换好")
    assert worker.run_once() == 0, "nothing before the hour of the digest"
    evening()
    assert worker.run_once() == 1
    assert worker.run_once() == 0
    assert post.rcpts == ["a@example.org"]
    [mail] = post.mails
    text = mail.get_body(("plain",)).get_content()
    assert "井盖已经换好" in text
    assert case.number in text
    assert mail["subject"] == "甲事有新进展"
    html = mail.get_body(("html",)).get_content()
    assert "井盖已经换好" in html


def test_a_digest_is_by_case_newest_first_and_says_nothing_twice(post, estate, case, account):
    user = account("a", "a@example.org")
    other = acts.open_case(Errand, estate, OFFICE, title="乙事")
    follow(user, case=case)
    follow(user, case=other)
    follow(user, place=estate)  # the same news by two ways
    write(case, "第一件")
    write(other, "第二件")
    evening()
    worker.run_once()
    [mail] = post.mails
    text = mail.get_body(("plain",)).get_content()
    assert text.index("乙事") < text.index("甲事")
    assert text.count("第一件") == text.count("第二件") == 1
    assert mail["subject"] == "2件事项有新进展"
    clock.set_now(clock.now() + dt.timedelta(days=1))
    assert worker.run_once() == 0


def test_what_happens_after_the_digest_waits_for_the_next(post, case, account):
    fanout.run_waiting()
    follow(account("a", "a@example.org"), case=case)
    evening()
    write(case)
    worker.run_once()
    assert not post.mails
    evening(1)
    worker.run_once()
    assert len(post.mails) == 1


def test_quiet_hours_keep_what_is_urgent_until_they_end(estate, account):
    reader = reader_of(account("a"))
    assert fanout.due(reader, clock.now(), urgent=False).hour == 18
    night = clock.now().replace(hour=23)
    assert fanout.due(reader, night, urgent=True).hour == 8
    assert fanout.due(reader, night, urgent=True).day == night.day + 1
    early = clock.now().replace(hour=3)
    assert fanout.due(reader, early, urgent=True) == early.replace(hour=8)
    assert fanout.due(reader, early.replace(hour=12), urgent=True).hour == 12
    reader.quiet_from, reader.quiet_until = dt.time(12), dt.time(14)
    assert fanout.due(reader, early.replace(hour=13), urgent=True).hour == 14
    reader.quiet_from = reader.quiet_until = dt.time(0)
    assert fanout.due(reader, night, urgent=True) == night
    reader.digest_at, reader.quiet_from, reader.quiet_until = dt.time(22), dt.time(21), dt.time(8)
    assert fanout.due(reader, early, urgent=False).hour == 8, "the digest itself keeps quiet"


def test_a_term_that_ends_soon_is_told_at_once_and_once(post, estate, account):
    plan = acts.open_case(Plans, estate, OFFICE, title="方案")
    user, done = account("a", "a@example.org"), account("b", "b@example.org")
    follow(user, case=plan)
    follow(done, case=plan)
    household = Party("household", "household:1", done.pk)
    acts.perform(plan, "ask", "opinion.submitted", household, {"text": "加装扶手", "item": ""})
    worker.run_once()
    assert not post.mails
    run = plan.runs.get(name="ask")
    clock.set_now(run.ends_at - dt.timedelta(hours=40))
    worker.run_once()
    fanout.run_waiting()
    worker.run_once()
    assert post.rcpts.count("a@example.org") == 1
    [mail] = [m for m in post.mails if m["to"] == "a@example.org"]
    assert mail["subject"] == "即将截止：方案"
    assert "截止" in mail.get_body(("plain",)).get_content()
    # Who has taken part need not be told to.
    assert not [m for m in post.mails if m["to"] == "b@example.org" and "截止" in m["subject"]]


def test_votes_and_opinions_of_others_are_no_news_but_an_answer_reaches_its_author(
    post, estate, account
):
    plan = acts.open_case(Plans, estate, OFFICE, title="方案")
    author, follower = account("author", "author@example.org"), account("f", "f@example.org")
    worker.run_once()
    follow(follower, case=plan)
    household = Party("household", "household:1", author.pk)
    before = News.objects.count()
    said = acts.perform(plan, "ask", "opinion.submitted", household, {"text": "加装扶手"})
    assert News.objects.count() == before
    acts.perform(
        plan,
        "ask",
        "opinion.replied",
        OFFICE,
        {
            "opinions": [said.fact.pk],
            "outcome": "adopted",
            "reason": "已列入方案",
            "public_text": "加装扶手",
        },
    )
    evening(1)
    worker.run_once()
    assert post.rcpts == ["author@example.org"]
    assert "已列入方案" in post.mails[0].get_body(("plain",)).get_content()
    assert Delivery.objects.filter(why="own", channel__kind="page").count() == 1


def test_followers_of_a_place_a_procedure_and_a_topic_hear_of_theirs_alone(estate, case, account):
    users = {name: account(name) for name in ("place", "street", "procedure", "topic", "other")}
    follow(users["place"], place=estate)
    follow(users["street"], place=estate.parent)
    follow(users["procedure"], procedure="errand")
    follow(users["topic"], topic="ballot")
    follow(users["other"], procedure="sandbox_plans", place=estate)
    fanout.run_waiting()
    Delivery.objects.all().delete()
    write(case)
    fanout.run_waiting()
    heard = set(Delivery.objects.values_list("channel__reader__user__username", flat=True))
    assert heard == {"place", "street", "procedure"}


def test_what_is_in_no_public_list_is_told_to_followers_of_none(estate, case, account):
    users = {name: account(name) for name in ("case", "place", "procedure")}
    follow(users["case"], case=case)
    follow(users["place"], place=estate)
    follow(users["procedure"], procedure="errand")
    fanout.run_waiting()
    Delivery.objects.all().delete()
    Case.objects.filter(pk=case.pk).update(unlisted=True)
    done = acts.perform(case.pk, "case", "case.suspended", OFFICE, {"reason": "等待核实。"})
    fanout.run_waiting()
    heard = Delivery.objects.filter(news__record=done.record)
    assert set(heard.values_list("channel__reader__user__username", flat=True)) == {"case"}


def test_followers_of_a_case_hear_of_its_lots(estate, account):
    works = acts.open_case(Works, estate, OFFICE, title="工程")
    user = account("a")
    fanout.run_waiting()
    follow(user, case=works)
    child = Case.objects.filter(parent__process=works).first()
    Delivery.objects.all().delete()
    acts.perform(child, "decide", "task.done", OFFICE, {"chosen": "yes", "note": "中标"})
    fanout.run_waiting()
    assert Delivery.objects.filter(channel__reader__user=user, news__case=child).exists()


def test_news_finds_the_people_whom_it_concerns_and_they_may_silence_it(estate, account):
    owner, elsewhere = account("owner"), account("elsewhere")
    SandboxDirectory.holders[estate.pk] = {owner.pk}
    Audience.objects.all().delete()
    audience = Audience.objects.create(
        code="asked", title="受访居民", roles=["household"], topics=["consultation"]
    )
    plan = acts.open_case(Plans, estate, OFFICE, title="方案")
    fanout.run_waiting()
    [delivery] = Delivery.objects.filter(why="audience:asked")
    assert delivery.channel.reader.user == owner
    assert not Delivery.objects.filter(channel__reader__user=elsewhere).exists()
    client = Client()
    client.force_login(owner)
    page = client.get(f"/news/why/{delivery.pk}/").content.decode()
    assert "受访居民" in page
    client.post(f"/news/why/{delivery.pk}/", {"do": "audience"})
    acts.open_case(Plans, estate, OFFICE, title="另一个方案")
    fanout.run_waiting()
    assert Delivery.objects.filter(channel__reader__user=owner).count() == 1
    assert plan.news.count() == 1
    assert audience.active


def test_who_acts_is_not_told_of_it(case, account):
    user = account("a")
    follow(user, case=case)
    fanout.run_waiting()
    Delivery.objects.all().delete()
    officer = Party("office", f"person:{user.pk}", user.pk)
    acts.perform(case, "write", "task.done", officer, {"text": "自己写的"})
    fanout.run_waiting()
    assert not Delivery.objects.exists()


def test_leaving_by_one_click_needs_no_session_and_a_look_changes_nothing(post, case, account):
    user = account("a", "a@example.org")
    follow(user, case=case)
    write(case)
    evening()
    worker.run_once()
    [mail] = post.mails
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    address = mail["List-Unsubscribe"].strip(" <>")
    assert address.startswith("https://sanwen.example.org/news/leave/")
    path = address.removeprefix("https://sanwen.example.org")
    client = Client(enforce_csrf_checks=True)
    assert client.get(path).status_code == 200
    assert Channel.objects.get(kind="email").closed_at is None
    assert client.post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
    left = Channel.objects.get(kind="email")
    assert left.closed_at is not None
    assert left.address == ""
    assert client.get("/news/leave/nothing/").status_code == 404


def test_a_news_row_lives_and_dies_with_its_act(case, account):
    before = News.objects.count()
    with transaction.atomic():
        write(case)
        assert News.objects.count() == before + 1
        transaction.set_rollback(True)
    assert News.objects.count() == before


def test_erasing_an_account_takes_addresses_subscriptions_and_deliveries(post, case, account):
    user, other = account("a", "a@example.org"), account("b", "b@example.org")
    for each in (user, other):
        follow(each, case=case)
    write(case)
    fanout.run_waiting()
    subject = erasing.Subject(users=frozenset({user.pk}))
    report = erasing.carry_out(subject, "request", lambda _case: OFFICE)
    assert report.gone["subscriptions"] == 1
    assert report.gone["channels"] == 1
    assert report.gone["deliveries"] >= 1
    assert not Channel.objects.filter(address="a@example.org").exists()
    assert not Subscription.objects.filter(reader__user=user).exists()
    evening()
    worker.run_once()
    assert post.rcpts == ["b@example.org"]


def test_texts_erased_before_they_were_sent_are_not_sent(post, case, account):
    follow(account("a", "a@example.org"), case=case)
    done = write(case, "这句话后来删掉")
    fanout.run_waiting()
    Record.objects.get(pk=done.record.pk).disclosures.all().delete()
    evening()
    worker.run_once()
    assert "这句话后来删掉" not in post.mails[0].get_body(("plain",)).get_content()


def test_a_reader_of_english_is_written_to_in_english(post, case, account):
    user = account("a", "a@example.org")
    reader = reader_of(user)
    reader.language = "en"
    reader.save()
    follow(user, case=case)
    write(case)
    evening()
    worker.run_once()
    assert "为什么" not in post.mails[0].get_body(("plain",)).get_content()


def test_the_number_of_queries_of_a_digest_does_not_grow(
    post, estate, account, django_assert_max_num_queries
):
    user = account("a", "a@example.org")
    for number in range(6):
        follow(user, case=acts.open_case(Errand, estate, OFFICE, title=f"事{number}"))
    fanout.run_waiting()
    for row in Subscription.objects.select_related("case"):
        write(row.case)
    fanout.run_waiting()
    client = Client()
    client.force_login(user)
    with django_assert_max_num_queries(22):
        assert client.get("/news/").status_code == 200
    channel = channel_of(user, "x@example.org")
    assert sending.next_slot(channel, clock.now()) is None
