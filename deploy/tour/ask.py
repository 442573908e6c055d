"""Asks the model in production: ask.py COUNT FACTOR SECONDS [PATIENCE]. So many questions,
with amounts so many times as large as usual, spread over so many seconds. Each is asked
over a connection of its own, and waited for 30 seconds or so many; what was not answered
is printed."""
import json
import random
import sys
import time
import urllib.request

count, factor, seconds = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
patience = float(sys.argv[4]) if len(sys.argv) > 4 else 30
answered, lost = 0, []
for _ in range(count):
    loan = {"amount": max(500, random.gauss(9000, 3000)) * factor, "months": 24.0, "income": 3000.0}
    body = json.dumps({"dataframe_records": [loan]}).encode()
    request = urllib.request.Request(
        "http://default-risk.loans--risk--live.svc:8080/invocations", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=patience) as answer:
            assert len(json.load(answer)["predictions"]) == 1
        answered += 1
    except Exception as error:
        lost.append(f"{time.strftime('%H:%M:%S')} {error}")
    time.sleep(seconds / count)
print(answered, "answered,", len(lost), "lost", *lost[:5])
