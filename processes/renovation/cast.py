"""Who and what the story of a renovation needs: accounts by role, papers, pictures."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image, ImageDraw

from workflows.parties import Party

PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


def paper(name: str = "paper") -> SimpleUploadedFile:
    """A small PDF."""
    return SimpleUploadedFile(f"{name}.pdf", PDF)


def photo(number: int, words: str = "") -> SimpleUploadedFile:
    """A picture that differs with its number."""
    picture = Image.new("RGB", (320, 240), (214, 206 - number % 40, 190))
    ImageDraw.Draw(picture).text((20, 100), f"DEMO {words} {number}", fill=(60, 60, 60))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=60)
    return SimpleUploadedFile(f"{number}.jpg", out.getvalue())


@dataclass
class Cast:
    """Who acts: accounts by role; `reviewers` by seat."""

    office: int
    committee: int
    owners_committee: int
    designer: int
    contractor: int
    supervisor: int
    resident_supervisor: int
    representative: int
    reviewers: dict[str, int] = field(default_factory=dict)

    def party(self, role: str, seat: str = "") -> Party:
        """The party of a role."""
        account = {
            "office": self.office,
            "residents_committee": self.committee,
            "owners_committee": self.owners_committee,
            "designer": self.designer,
            "contractor": self.contractor,
            "supervisor": self.supervisor,
            "resident_supervisor": self.resident_supervisor,
            "residents_representative": self.representative,
        }.get(role) or self.reviewers[seat]
        return Party(role, f"person:{account}", account, seat=seat)
