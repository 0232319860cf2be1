"""Tools for all packages: files, processes, time limits, secrets, texts, HTTP. They know no market."""
