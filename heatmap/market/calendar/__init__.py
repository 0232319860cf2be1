"""When a market trades: sessions, phases, packaged calendars and what changes them."""
