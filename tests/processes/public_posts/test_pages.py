"""五公开: pages that name people only masked, with as many queries for many rows as for few."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client

from processes.public_posts import reading
from processes.public_posts.models import Applicant, Post
from workflows import notices
from workflows.models import StepRun

BACKEND = "django.contrib.auth.backends.ModelBackend"


def test_the_five_openings_of_a_post_name_people_only_masked(walk):
    walk.until_publicity()
    page = Client().get(f"/cases/{walk.case.number}/posts/1/")
    text = page.content.decode()
    for heading in ("岗位公开", "职责公开", "程序公开", "结果公开", "管理公开"):
        assert heading in text
    for word in ("村道保洁", "0532-00000000", "示*", "99.00"):
        assert word in text
    for applicant in Applicant.objects.all():
        assert applicant.name not in text
    for word in ("13800000000", "1970", "人员类别"):
        assert word not in text


@pytest.mark.parametrize("path", ["/cases/{}/posts/9/", "/cases/none/posts/"])
def test_what_is_not_there(walk, path):
    assert Client().get(path.format(walk.case.number)).status_code == 404


def test_step_pages_are_masked_for_all_but_those_who_handle_them(walk):
    walk.until_publicity()
    run = StepRun.objects.get(process=walk.case, name="publicity")
    address = f"/cases/{walk.case.number}/steps/{run.pk}/"
    name = Applicant.objects.get(number=1).name
    assert name not in Client().get(address).content.decode()
    client = Client()
    client.force_login(walk.people["office"], backend=BACKEND)
    assert name in client.get(address).content.decode()


def test_the_preview_of_the_check_says_what_would_come(walk):
    walk.announce()
    walk.apply(1)
    walk.apply(2, born="1990-01-01")
    walk.after(20)
    client = Client()
    client.force_login(walk.people["office"], backend=BACKEND)
    page = client.get(f"/cases/{walk.case.number}/do/check/applications.checked/")
    assert "通过 1 件，不通过 1 件" in page.content.decode()
    assert walk.lives() == {1: "applied", 2: "applied"}


def many(walk, posts, each):
    Post.objects.bulk_create(
        Post(
            case=walk.case,
            number=at,
            title=f"岗位{at}",
            village=f"示范{at % 7}村",
            places=1,
            duties="职责",
            pay_yuan=800,
        )
        for at in range(10, 10 + posts)
    )
    rows = Post.objects.filter(case=walk.case, number__gte=10)
    Applicant.objects.bulk_create(
        Applicant(
            case=walk.case,
            post=post,
            number=1000 * post.number + at,
            name="示某某",
            born=dt.date(1970, 1, 1),
            village=post.village,
            group="disabled",
            mark=f"{post.number}-{at}",
            life="reserve",
            rank=at + 1,
            points=170,
            sheets=2,
        )
        for post in rows
        for at in range(each)
    )


def test_three_hundred_posts_and_two_thousand_applicants_take_no_more_queries(
    walk, django_assert_max_num_queries
):
    walk.until_publicity()
    many(walk, 300, 7)
    client = Client()
    run = StepRun.objects.get(process=walk.case, name="vet")
    with django_assert_max_num_queries(8):
        assert client.get(f"/cases/{walk.case.number}/posts/").status_code == 200
    with django_assert_max_num_queries(10):
        assert client.get(f"/cases/{walk.case.number}/posts/10/").status_code == 200
    with django_assert_max_num_queries(20):
        page = client.get(f"/cases/{walk.case.number}/steps/{run.pk}/")
    assert page.content.decode().count("示**") == 30  # a page of them
    found = client.get(f"/cases/{walk.case.number}/posts/?village=示范3村&find=岗位10")
    shown = found.content.decode()
    assert "示范3村·岗位10<" in shown
    assert "示范4村·" not in shown


@pytest.mark.parametrize(
    ("points", "sheets", "words"), [(170, 2, "85.00"), (242, 3, "80.66"), (None, None, "—")]
)
def test_means_are_cut_off(points, sheets, words):
    assert reading.mean_words(points, sheets) == words


def test_an_agreement_is_a_pdf_for_the_office_alone(walk):
    walk.until_publicity()
    walk.after(12)
    walk.do("train", "training.entered", {"results": "1 80"})
    holder = {"number": 1, "starts": "2026-05-06", "pension": "2040-05-01"}
    walk.do("onboard", "agreement.signed", holder, agreement=[walk.paper()])
    address = f"/cases/{walk.case.number}/posts/agreements/1.pdf"
    for who, status in (("office", 200), ("residents_committee", 403), ("auditor", 403)):
        client = Client()
        client.force_login(walk.people[who], backend=BACKEND)
        page = client.get(address)
        assert page.status_code == status
        assert page.content.startswith(b"%PDF") is (status == 200)
    assert Client().get(address).status_code == 403


def test_the_notice_for_the_wall_names_people_masked_each_in_the_notice_of_their_own(walk):
    walk.until_publicity()
    client = Client()
    assert (
        f"/cases/{walk.case.number}/posts/"
        in client.get(walk.case.get_absolute_url()).content.decode()
    )
    first = StepRun.objects.get(process=walk.case, name="publicity")
    objection = walk.object(1)
    walk.after(3)
    walk.uphold(objection)
    shown = notices.composed(first, notices.STANDS)
    assert len(shown.sections[0].lines) == 1  # the one removed is named no more
    walk.after(12)
    supplement = StepRun.objects.get(process=walk.case, name="supplement")
    both = [notices.composed(run, notices.STANDS) for run in (first, supplement)]
    people = [notice.sections[0].lines for notice in both]
    assert [len(lines) for lines in people] == [1, 1]
    assert "保洁员" in people[0][0]
    assert "（申请编号" in people[0][0]  # which whoever objects is asked for
    assert "公示时间" in people[1][0]
    said = str(both)
    assert "0532-00000000" in said
    for applicant in Applicant.objects.all():
        assert applicant.name not in said
    assert client.get(f"/cases/{walk.case.number}/notices/").status_code == 200
    paper = client.get(f"/cases/{walk.case.number}/notices/{first.pk}/{notices.STANDS}.pdf")
    assert b"".join(paper).startswith(b"%PDF")
