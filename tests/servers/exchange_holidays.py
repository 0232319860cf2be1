"""The exchange's list of holidays, in its own form: that of 2026, and one for 2027 made up for tests.

Of 2027 only the fixed holidays and Good Friday are certain; the others stand where they might.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date

ENDPOINT = "/api/holiday-master"
LISTED_2026 = {
    "2026-01-15": "Municipal Corporation Election - Maharashtra",
    "2026-01-26": "Republic Day",
    "2026-02-15": "Mahashivratri",
    "2026-03-03": "Holi",
    "2026-03-21": "Id-Ul-Fitr (Ramadan Eid)",
    "2026-03-26": "Shri Ram Navami",
    "2026-03-31": "Shri Mahavir Jayanti",
    "2026-04-03": "Good Friday",
    "2026-04-14": "Dr. Baba Saheb Ambedkar Jayanti",
    "2026-05-01": "Maharashtra Day",
    "2026-05-28": "Bakri Id",
    "2026-06-26": "Muharram",
    "2026-08-15": "Independence Day",
    "2026-09-14": "Ganesh Chaturthi",
    "2026-10-02": "Mahatma Gandhi Jayanti",
    "2026-10-20": "Dussehra",
    "2026-11-08": "Diwali Laxmi Pujan*",
    "2026-11-10": "Diwali-Balipratipada",
    "2026-11-24": "Prakash Gurpurb Sri Guru Nanak Dev",
    "2026-12-25": "Christmas",
}
MADE_UP_2027 = {
    "2027-01-26": "Republic Day",
    "2027-03-22": "Holi",
    "2027-03-26": "Good Friday",
    "2027-05-01": "Maharashtra Day",
    "2027-05-17": "Bakri Id",
    "2027-08-15": "Independence Day",
    "2027-10-02": "Mahatma Gandhi Jayanti",
    "2027-10-29": "Diwali * Laxmi Pujan",
    "2027-11-15": "Gurunanak Jayanti",
    "2027-12-25": "Christmas",
}
CURRENCY_2026 = {"2026-02-19": "Chhatrapati Shivaji Maharaj Jayanti", "2026-04-01": "Annual Bank Closing"}


def holiday_master(
    equities: Mapping[str, str] = LISTED_2026, derivatives: Mapping[str, str] | None = None
) -> bytes:
    """Return a body of the endpoint. Without `derivatives` they rest when equities do; currencies rest more."""
    segments = {
        "CD": {**equities, **CURRENCY_2026},
        "CM": equities,
        "FO": equities if derivatives is None else derivatives,
    }
    return json.dumps({name: _rows(listed) for name, listed in segments.items()}).encode()


def _rows(listed: Mapping[str, str]) -> list[dict[str, object]]:
    days = sorted((date.fromisoformat(day), name) for day, name in listed.items())
    return [
        {
            "tradingDate": f"{day:%d-%b-%Y}",
            "weekDay": f"{day:%A}",
            "description": name,
            "morning_session": None,
            "evening_session": None,
            "Sr_no": number,
        }
        for number, (day, name) in enumerate(days, 1)
    ]
