"""The least that any such program must do: one GET, one look at the JSON, one file written."""

import http.client
import json
import sys

host, target = sys.argv[1].removeprefix("http://"), sys.argv[2]
connection = http.client.HTTPConnection(host, timeout=10)
headers = {"User-Agent": "Mozilla/5.0", "Cookie": "nsit=1"}
connection.request("GET", "/api/NextApi/apiClient/marketWatchApi", headers=headers)
document = json.loads(connection.getresponse().read())
with open(target, "w", encoding="utf-8") as file:
    file.write(str(len(document["data"]["data"])))
