"""Addresses; those of cases and receipts stay for ever."""

from django.urls import path

from . import desk, log, views

app_name = "portal"
urlpatterns = [
    path("", views.home, name="home"),
    path("cases/", views.case_list, name="cases"),
    path("search/", views.case_list, name="search"),
    path("cases/<str:number>/", views.case_detail, name="case"),
    path("cases/<str:number>/records/", views.record_list, name="records"),
    path("cases/<str:number>/records.jsonl", views.records_jsonl, name="records_jsonl"),
    path("cases/<str:number>/disclosures.jsonl", views.disclosures_jsonl, name="disclosures_jsonl"),
    path("cases/<str:number>/records/<int:seq>/", views.record_detail, name="record"),
    path("cases/<str:number>/steps/<int:run_id>/", views.step_detail, name="step"),
    path("cases/<str:number>/do/<slug:step>/<str:act>/", desk.act, name="act"),
    path("cases/<str:number>/done/<int:seq>/", desk.act_done, name="done"),
    path("procedures/", views.procedure_list, name="procedures"),
    path("procedures/<slug:code>/", views.procedure_detail, name="procedure"),
    path("procedures/<slug:code>/open/", desk.open_case, name="open"),
    path("r/", views.receipt, name="receipt_form"),
    path("r/<str:code>/", views.receipt, name="receipt"),
    path("my/", desk.my, name="my"),
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
