"""What a check can find, in words: Chinese and English. The page of the site says the same.

A sentence has its placeholders in braces; `Fault` carries what belongs in them.
"""

from __future__ import annotations

from typing import Any

LANGUAGES = ("zh", "en")

SAID: dict[str, tuple[str, str]] = {
    # --- one record, one case
    "malformed": (
        "第 {seq} 号记录不合格式：{why}",
        "record {seq} is malformed: {why}",
    ),
    "not_canonical": (
        "第 {seq} 号记录不是规范写法（RFC 8785）",
        "record {seq} is not in canonical form (RFC 8785)",
    ),
    "another_case": (
        "第 {seq} 号的位置上是别的事项 {other} 的记录",
        "where record {seq} should be stands one of another case, {other}",
    ),
    "left_out": (
        "缺第 {seq} 号记录：其后直接是第 {found} 号",
        "record {seq} is left out: record {found} comes in its place",
    ),
    "out_of_place": (
        "应为第 {seq} 号记录之处又是第 {found} 号：记录重复、插入或颠倒",
        "where record {seq} should be stands record {found} again: repeated, inserted or reordered",
    ),
    "prev_wrong": (
        "第 {seq} 号记录接不上第 {before} 号：第 {before} 号的指纹不是它登记时的指纹",
        "record {seq} does not follow on {before}: {before} is not what {seq} was chained to",
    ),
    "prev_at_first": (
        "第 0 号记录之前不应再有记录",
        "record 0 names a record before it",
    ),
    "time_back": (
        "第 {seq} 号记录的登记时间 {at} 早于前一条的 {before}",
        "record {seq} is dated {at}, before the one it follows ({before})",
    ),
    "procedure_changed": (
        "第 {seq} 号记录的程序是 {found}，本事项是 {procedure}",
        "record {seq} is of the procedure {found}, the case of {procedure}",
    ),
    "disclosure_malformed": (
        "第 {seq} 号记录的一处公开文字不合格式",
        "a disclosure of record {seq} is malformed",
    ),
    "disclosure_unknown": (
        "第 {seq} 号记录没有登记过这处文字（{name}）：它被换过，或不属于这条记录",
        "record {seq} does not name this disclosure ({name}): it was swapped or is another’s",
    ),
    "disclosure_repeated": (
        "第 {seq} 号记录的一处文字（{name}）出现两次",
        "a disclosure of record {seq} ({name}) is given twice",
    ),
    "nothing": ("没有任何记录", "there is no record"),
    # --- the log
    "unreadable": ("读不到：{why}", "cannot be read: {why}"),
    "bad_checkpoint": ("总账的签名不成立：{why}", "the checkpoint does not hold: {why}"),
    "key_unknown": (
        "总账由密钥 {found} 签名，不是所信任的 {trusted}，原密钥也没有在日志里交接给它",
        "the log is signed by {found}, which is not the trusted {trusted}, "
        "nor did that one introduce it in the log",
    ),
    "unsigned": (
        "总账没有所信任密钥 {trusted} 的签名",
        "the checkpoint is not signed by the trusted key {trusted}",
    ),
    "shrank": (
        "日志缩短了：上次看到 {old} 条，现在只有 {size} 条",
        "the log shrank: it had {old} records when last seen, now {size}",
    ),
    "forked": (
        "日志分叉了：前 {size} 条已不是曾经签名的内容",
        "the log forked: its first {size} records are not those that it once signed",
    ),
    "leaf_wrong": (
        "日志第 {index} 位的记录不是总账所签的那一条：被改动、增删或换位",
        "the record at place {index} of the log is not the one that is signed: "
        "changed, left out, inserted or reordered",
    ),
    "tiles_wrong": (
        "全部记录算出的总指纹与签名的总账不符",
        "the root over all records is not the one that is signed",
    ),
    "back_dated": (
        "日志第 {index} 位（{case} 第 {seq} 号）登记时间 {at} 倒签：{seen} 的总账里还没有它",
        "place {index} of the log ({case}, record {seq}) is back-dated to {at}: "
        "the checkpoint of {seen} does not hold it",
    ),
    "post_dated": (
        "日志第 {index} 位（{case} 第 {seq} 号）登记时间 {at} 晚于收入它的总账 {seen}",
        "place {index} of the log ({case}, record {seq}) is dated {at}, "
        "after the checkpoint of {seen} that holds it",
    ),
    "in_log": (
        "日志第 {index} 位（{case}）：{fault}",
        "place {index} of the log ({case}): {fault}",
    ),
    # --- proofs, receipts, exports
    "not_included": (
        "第 {seq} 号记录不在签名的总账里：{why}",
        "record {seq} is not in the signed log: {why}",
    ),
    "no_proof": ("第 {seq} 号记录没有入账证明", "record {seq} has no inclusion proof"),
    "cut_short": (
        "事项不完整：日志里还有第 {seq} 号记录（第 {index} 位，登记于 {at}），这里没有",
        "the case is cut short: the log holds record {seq} (place {index}, of {at}), this does not",
    ),
    "not_in_log": (
        "第 {seq} 号记录不在日志里",
        "record {seq} is not in the log",
    ),
    "differs_from_log": (
        "第 {seq} 号记录与日志第 {index} 位的不同",
        "record {seq} differs from the one at place {index} of the log",
    ),
    "not_a_receipt": ("这不是回执文件：{why}", "this is no receipt: {why}"),
    "unknown_thing": (
        "认不出 {what}：请给日志地址、回执、记录文件或案卷",
        "{what} is no address of a log, receipt, records or trail that this command knows",
    ),
    # --- trails
    "attachment_missing": ("案卷里没有附件 {name}", "the trail has no attachment {name}"),
    "attachment_wrong": ("附件 {name} 读不懂：{why}", "the attachment {name} is unreadable: {why}"),
    "page_text": (
        "正文与所附记录不符：第 {seq} 号记录应写“{line}”，案卷正文没有",
        "the pages differ from the attached records: record {seq} should read “{line}”",
    ),
    "page_extra": (
        "正文与所附记录不符：案卷正文多出“{line}”",
        "the pages differ from the attached records: they also say “{line}”",
    ),
    "summary_wrong": (
        "附件 case.json 与所附记录不符：{name}",
        "the attachment case.json differs from the attached records: {name}",
    ),
    "seal_broken": ("电子签名不成立：{why}", "the electronic signature does not hold: {why}"),
    # --- what holds
    "chain_holds": (
        "事项 {case} 的 {n} 条记录首尾相接，没有改动、缺漏、插入或颠倒",
        "the {n} records of case {case} follow one another: none changed, left out or inserted",
    ),
    "disclosures_hold": (
        "{n} 处文字都与记录登记的摘要相符",
        "all {n} disclosures are those that the records name",
    ),
    "signature_holds": (
        "总账由 {key} 签名，共 {size} 条",
        "the checkpoint over {size} records is signed by {key}",
    ),
    "root_holds": (
        "全部 {n} 条记录算出的总指纹与签名的总账一致",
        "the root over all {n} records is the one that is signed",
    ),
    "cases_hold": (
        "{n} 件事项的记录各自首尾相接",
        "the records of all {n} cases follow one another",
    ),
    "times_hold": (
        "没有倒签：登记时间与 {n} 份带时间的总账相符",
        "nothing is back-dated: times agree with {n} checkpoints that tell the time",
    ),
    "grown": (
        "上次看到的 {old} 条一条未变",
        "the {old} records seen last time are unchanged",
    ),
    "witnessed": (
        "见证方 {name} 于 {at} 签名见证",
        "cosigned by the witness {name} at {at}",
    ),
    "included": (
        "{n} 条记录都在签名的总账里",
        "all {n} records are in the signed log",
    ),
    "complete": (
        "日志里这件事项也正好是这 {n} 条记录",
        "the log holds exactly these {n} records of the case",
    ),
    "newer": (
        "日志里另有 {n} 条，是取出这份文件之后登记的",
        "the log holds {n} more, entered after this was taken out",
    ),
    "pages_hold": (
        "案卷正文写的就是所附的 {n} 条记录",
        "the pages say what the {n} attached records say",
    ),
    "seal_holds": (
        "电子签名有效，签名后未改动（签名人：{name}）",
        "the electronic signature of {name} holds; nothing was changed after it",
    ),
    "stamp_holds": (
        "可信时间戳有效：{at}",
        "the time stamp holds: {at}",
    ),
    # --- what could not be looked at
    "no_checkpoints": (
        "没有带时间的历次总账，只看了先后，倒签未能查清",
        "there are no earlier checkpoints with a time: back-dating is looked for by order alone",
    ),
    "order_odd": (
        "日志第 {index} 位的登记时间 {at} 早于它前面的 {before}",
        "place {index} of the log is dated {at}, before {before} ahead of it",
    ),
    "key_first_seen": (
        "第一次见到密钥 {key}，暂且信任；可用 --key 指定，用 --state 记住",
        "the key {key} is seen for the first time and trusted for now; "
        "give it with --key, remember it with --state",
    ),
    "needs_log": (
        "文件末尾是否被截去、最后一条是否原样，要与日志核对才知道（--log 地址）",
        "whether the end was cut off, and the last record, can only be checked "
        "against the log (--log ADDRESS)",
    ),
    "withdrawn": (
        "另有 {n} 处文字只留摘要（不公开或已撤回）",
        "{n} more words are kept as digests only (not public, or withdrawn)",
    ),
    "proof_key_unknown": (
        "证明由 {key} 签名；没有给出所信任的密钥（--key），请与公布的密钥核对",
        "the proof is signed by {key}; no trusted key was given (--key): "
        "compare it with the published one",
    ),
    "no_stamp": ("案卷没有可信时间戳", "the trail carries no trusted time stamp"),
    "no_seal": ("案卷没有电子签名", "the trail carries no electronic signature"),
    "seal_unknown": (
        "签名证书由谁颁发未核对：请核对指纹 {fingerprint}",
        "who issued the certificate was not checked: compare its fingerprint {fingerprint}",
    ),
    "no_pdf_tools": (
        "核验案卷要装 sanwen-verify[pdf]",
        "trails need the packages of sanwen-verify[pdf]",
    ),
    "no_ed25519": (
        "这个浏览器不能核验 Ed25519 签名，签名未查",
        "this browser cannot check Ed25519 signatures: they were not looked at",
    ),
    "no_digest": (
        "这个浏览器在此网址下不能计算 SHA-256（须用 https），未能核验",
        "this browser computes no SHA-256 at this address (it needs https): nothing was checked",
    ),
    "not_in_browser": (
        "案卷（PDF）请用命令 sanwen verify 核验，网页只核验记录和回执",
        "trails (PDF) are checked by the command sanwen verify, records and receipts here",
    ),
}


def said(code: str, lang: str, about: dict[str, Any]) -> str:
    """A finding as a sentence in ``zh`` or ``en``."""
    words = {
        name: value.text(lang) if isinstance(value, Fault) else value
        for name, value in about.items()
    }
    return SAID[code][LANGUAGES.index(lang)].format(**words)


class Fault(ValueError):
    """Something does not hold. `code` is a key of `SAID`, `about` fills its placeholders."""

    def __init__(self, code: str, **about: Any) -> None:
        super().__init__(code, about)
        self.code = code
        self.about = about

    def text(self, lang: str) -> str:
        """The fault as a sentence."""
        return said(self.code, lang, self.about)

    def __str__(self) -> str:
        return self.text("en")

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.code, self.about)


def _again(code: str, about: dict[str, Any]) -> Fault:
    return Fault(code, **about)
