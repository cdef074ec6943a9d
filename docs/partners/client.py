"""Sends one signal: AWDA_SECRET=whsec_… python client.py URL/api/v1/inbox/YOU TOKEN COMPLETED OUTCOME_CODE [ID]"""

import base64, hashlib, hmac, json, os, sys, time, urllib.error, urllib.request, uuid
from datetime import datetime, timezone


def send(url: str, secret: str, data: dict[str, str], message_id: str, tries: int = 12) -> str:
    """Sends until accepted, and returns the receipt. Repeats with the same id and data count once."""
    event = {"specversion": "1.0", "type": "org.iom.vhr.signal.v1", "id": message_id, "data": data}
    body = json.dumps({**event, "source": "awda:partner:" + url.rsplit("/", 1)[1]}).encode()
    for attempt in range(tries):
        now = str(int(time.time()))
        digest = hmac.digest(base64.b64decode(secret[6:]), f"{message_id}.{now}.".encode() + body, hashlib.sha256)
        headers = {"content-type": "application/cloudevents+json", "webhook-id": message_id, "webhook-timestamp": now}
        headers["webhook-signature"] = "v1," + base64.b64encode(digest).decode()
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30) as answer:
                return str(json.load(answer)["receipt"])
        except OSError as fault:  # no connection, or an error response: retry 429 and 5xx; others need a person
            if isinstance(fault, urllib.error.HTTPError) and fault.code < 500 and fault.code != 429:
                raise SystemExit(f"{fault.code}: {fault.read().decode()}") from None
            time.sleep(min(2**attempt, 600))
    raise SystemExit(f"not accepted yet: send it again with AT={data['occurred_at']} and the id {message_id}")


if __name__ == "__main__":
    url, token, signal, outcome, *known = sys.argv[1:]
    message_id, at = (known or [str(uuid.uuid4())])[0], os.environ.get("AT") or datetime.now(timezone.utc).isoformat()
    data = {"signal_id": message_id, "referral_token": token, "signal_type": signal, "occurred_at": at}
    print(send(url, os.environ["AWDA_SECRET"], {**data, "outcome_code": outcome} if outcome else data, message_id))
