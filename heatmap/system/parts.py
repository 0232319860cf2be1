"""The names of the parts that follow a market's page.

The page and the files that it shows decide how a run ends. A part that fails is a warning, and a later run
tries it again.
"""

from __future__ import annotations

BARS = "bars"  # a session's daily bars in the history
ARCHIVE = "archive"  # a session's permanent map
EARLIER = "earlier day"  # the permanent map of an earlier session, for a target that lacks it
LIST = "list of days"
LINK = "link to the next day"  # in the permanent map of the day before
FEED = "feed"
ALERTS = "alerts"
STATUS = "status"  # status.json
WORDS = {
    BARS: "the session's daily bars",
    ARCHIVE: "the archive's map of the day",
    EARLIER: "the archive's map of an earlier day",
    LIST: "the archive's list of days",
    LINK: "the link from the map of the day before",
    FEED: "the feed",
    ALERTS: "the alerts",
    STATUS: "status.json",
}
OF_TARGETS = (ARCHIVE, EARLIER, LIST, LINK, FEED)  # published to each target that does not have them
OF_FINAL = (BARS, ARCHIVE, FEED, ALERTS)  # each final has one of each
