"""The limits of everything that is read, each with its reason.

A limit of bytes is not enough: 4 MiB of short rows are 95,000 quotes, which take 400 MB. So rows, columns,
periods and sectors are limited too. Together the limits keep a run below 100 MB for each market, whatever its
source sends (tests/system/test_limits.py). Content above a limit is refused, never cut: half of a list looks
like a whole one. Only the first run of a session takes more, if the history has a year of more than 500
instruments.
"""

from __future__ import annotations

KIB = 1024
MIB = 1024 * KIB

# A snapshot, from any source. The exchange has some 2,400 shares; a page of 2,500 has 1.3 MB.
QUOTES = 2_500
TOO_MANY_QUOTES = f"it has {{count:,}} quotes, and {QUOTES:,} are the most: choose fewer instruments"
PERIODS = 24  # longer periods in one snapshot; a page shows 12. Each is a pass over all quotes
SECTORS = 250  # the exchange has about 190 basic industries; each is a heading of the page
SNAPSHOT_BYTES = 4 * MIB  # 2,500 quotes with all their figures take 1.4 MB
JSON_VALUES = 300_000  # each can cost a hundred bytes of memory; 2,500 quotes have a third as many

# A daily archive. Those of 2026 have 3,300 rows, 34 columns at most, 0.3 MB packed, 0.8 MB unpacked.
ARCHIVE_ROWS = 20_000
ARCHIVE_COLUMNS = 200
ARCHIVE_PACKED_BYTES = 4 * MIB
ARCHIVE_BYTES = 4 * MIB

# The exchange's other lists.
LOTS_BYTES = 1 * MIB  # the list of 2026 has 30 KB
LOTS = 5_000  # rows; 210 in 2026
SYMBOL_CHANGES_BYTES = 2 * MIB  # the list of 2026 has 82 KB
SYMBOL_CHANGES = 20_000  # about 1,500 in 2026
HOLIDAYS = 100  # of one segment; no year has as many

# Limits of the history.
TICK_BYTES = 4 * MIB  # of one tick, unpacked: 2,500 quotes take 0.2 MB
PENDING_ACTIONS = 500  # that wait for the user's decision; a year of the whole exchange has about 200

# Files of this machine.
CONFIGURATION_BYTES = 256 * KIB  # TOML costs a kilobyte of memory for a few bytes, and more than linear time
OVERRIDES_BYTES = 256 * KIB  # of a calendar; a year's closures, actions and symbols take 20 KB
LIST_BYTES = 1 * MIB  # a holiday list, as the exchange has it; 10 KB in 2026
DOCUMENT_BYTES = 8 * MIB  # of the state directory; with 2,500 instruments and ten alerts 4 MB at most
CACHE_BYTES = 16 * MIB  # a digest of 2,500 instruments has 4 MB
PAGE_BYTES = 16 * MIB  # no page of this program is as large
PACKAGED_BYTES = 16 * MIB  # a file that comes with the program
