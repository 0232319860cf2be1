"""The original approach in our own words: requests, colour, and a page put together from strings."""

import sys

import requests
from colour import Color

url, target = sys.argv[1:3]
session = requests.Session()
session.headers["User-Agent"] = "Mozilla/5.0"
session.get(url + "/market-data/live-equity-market", timeout=10)
answer = session.get(url + "/api/NextApi/apiClient/marketWatchApi", timeout=10)
rows = answer.json()["data"]["data"]
rows.sort(key=lambda row: -float(row["pChange"]))
positives = sum(float(row["pChange"]) >= 0 for row in rows)
fills = [*Color("green").range_to(Color("#BDD051"), positives)]
fills += Color("#DFA4A4").range_to(Color("red"), len(rows) - positives)
html = "<html><body><table><tr>"
for number, (row, fill) in enumerate(zip(rows, fills, strict=True)):
    if number and number % 13 == 0:
        html += "</tr><tr>"
    html += f'<td bgcolor="{fill.hex_l}">{row["symbol"]}<br>{row["pChange"]}</td>'
html += "</tr></table></body></html>"
with open(target, "w", encoding="utf-8") as file:
    file.write(html)
