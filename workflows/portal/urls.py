"""Addresses; those of cases and receipts stay for ever."""

from django.urls import path

from . import book, dates, desk, feeds, log, open_data, receipts, views

app_name = "portal"
urlpatterns = [
    path("", views.home, name="home"),
    path("cases/", views.case_list, name="cases"),
    path("search/", views.case_list, name="search"),
    path("cases/<str:number>/", views.case_detail, name="case"),
    path("cases/<str:number>/records/", views.record_list, name="records"),
    path("cases/<str:number>/records.jsonl", open_data.records_jsonl, name="records_jsonl"),
    path(
        "cases/<str:number>/disclosures.jsonl",
        open_data.disclosures_jsonl,
        name="disclosures_jsonl",
    ),
    path("cases/<str:number>/records.csv", open_data.records_csv, name="records_csv"),
    path("cases/<str:number>/ocel.json", open_data.case_ocel, name="case_ocel"),
    path("cases/<str:number>/log.xes", open_data.case_xes, name="case_xes"),
    path("cases/<str:number>/feed.atom", feeds.case_feed, name="case_feed"),
    path("cases/<str:number>/terms.ics", dates.case_dates, name="case_dates"),
    path("cases/<str:number>/book/<int:run_id>/", book.page, name="book"),
    path("cases/<str:number>/book/<int:run_id>/book.pdf", book.paper, name="book_pdf"),
    path("cases/<str:number>/book/<int:run_id>/book.csv", book.table, name="book_csv"),
    path("cases/<str:number>/records/<int:seq>/", views.record_detail, name="record"),
    path(
        "cases/<str:number>/records/<int:seq>/copy.json", receipts.record_file, name="record_file"
    ),
    path("cases/<str:number>/steps/<int:run_id>/", views.step_detail, name="step"),
    path("cases/<str:number>/do/<slug:step>/<str:act>/", desk.act, name="act"),
    path("cases/<str:number>/done/<int:seq>/", desk.act_done, name="done"),
    path("procedures/", views.procedure_list, name="procedures"),
    path("procedures/<slug:code>/", views.procedure_detail, name="procedure"),
    path("procedures/<slug:code>/open/", desk.open_case, name="open"),
    path("procedures/<slug:code>/ocel.json", open_data.procedure_ocel, name="procedure_ocel"),
    path("procedures/<slug:code>/log.xes", open_data.procedure_xes, name="procedure_xes"),
    path("procedures/<slug:code>/feed.atom", feeds.procedure_feed, name="procedure_feed"),
    path("procedures/<slug:code>/terms.ics", dates.procedure_dates, name="procedure_dates"),
    path("estates/<slug:code>/", views.place, name="place"),
    path("estates/<slug:code>/feed.atom", feeds.place_feed, name="place_feed"),
    path("estates/<slug:code>/terms.ics", dates.place_dates, name="place_dates"),
    path("r/", receipts.receipt, name="receipt_form"),
    path("r/<str:code>/copy.json", receipts.receipt_file, name="receipt_file"),
    path("r/<str:code>/", receipts.receipt, name="receipt"),
    path("my/", desk.my, name="my"),
    path("my/terms.ics", dates.my_dates, name="my_dates"),
    path("my/terms/<int:pk>-<slug:secret>.ics", dates.own_dates, name="own_dates"),
    path("inbox/", desk.inbox, name="inbox"),
    path("files/<uuid:uid>/", views.file, name="file"),
    path("log/", log.log_page, name="log"),
    path("log/checkpoint", log.checkpoint, name="checkpoint"),
    path("log/key", log.key, name="log_key"),
    path("log/keys", log.keys, name="log_keys"),
    path("log/tile/<path:path>", log.tile, name="tile"),
    path("log/proof/<int:index>", log.proof, name="proof"),
    path("log/cosignatures", log.cosignatures, name="cosignatures"),
    path("verify/", views.verify, name="verify"),
    path("settings/text-size/", views.text_size, name="text_size"),
    path("accessibility/", views.accessibility, name="accessibility"),
    path("healthz", views.healthz, name="healthz"),
]
