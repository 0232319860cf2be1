"""What every package may use and knows no market: files, processes, time limits, secrets, texts, HTTP."""
