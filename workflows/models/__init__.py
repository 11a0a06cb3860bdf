"""Rows of the engine. The rows of a step stand in the module of that step and are gathered here."""

from .calendar import CalendarDay, CalendarYear
from .case import Case, Community, NumberSeries, StepRun
from .door import DoorForm
from .download import TrailDownload
from .figure import MonthSum, Recount, SumsHead
from .job import Job
from .log import Checkpoint, Cosignature, LogHead, LogKey, LogTile
from .record import Alias, Attachment, Disclosure, Record, Refusal, Trace
from .sheet import Sheet
from .token import ApiToken, Submission

# isort: split
# The rows of each step; after the rows above, on which they stand.
from ..steps.ballot import BallotPaper, BallotQuestion, ResultObjection, RollRow, RollWay
from ..steps.consultation import HouseholdReturn, SurveyAnswer
from ..steps.ledger import LedgerEntry, LedgerMove
from ..steps.meeting_rows import MeetingSession, SignIn, SignUp
from ..steps.opinion_rows import Opinion, Reply
from ..steps.panel import Recusal, Seat, Signature
from ..steps.publicity import Objection, Posting
from ..steps.selection import Candidate, Mark

__all__ = [
    "Alias",
    "ApiToken",
    "Attachment",
    "BallotPaper",
    "BallotQuestion",
    "CalendarDay",
    "CalendarYear",
    "Candidate",
    "Case",
    "Checkpoint",
    "Community",
    "Cosignature",
    "Disclosure",
    "DoorForm",
    "HouseholdReturn",
    "Job",
    "LedgerEntry",
    "LedgerMove",
    "LogHead",
    "LogKey",
    "LogTile",
    "Mark",
    "MeetingSession",
    "MonthSum",
    "NumberSeries",
    "Objection",
    "Opinion",
    "Posting",
    "Record",
    "Recount",
    "Recusal",
    "Refusal",
    "Reply",
    "ResultObjection",
    "RollRow",
    "RollWay",
    "Seat",
    "Sheet",
    "SignIn",
    "SignUp",
    "Signature",
    "StepRun",
    "Submission",
    "SumsHead",
    "SurveyAnswer",
    "Trace",
    "TrailDownload",
]
