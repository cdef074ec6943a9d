"""Sends one signal to Awda, or rehearses it; `python client.py --help` explains how. Needs only Python."""

import argparse, base64, hashlib, hmac, json, os, sys, time, urllib.error, urllib.request, uuid
from datetime import datetime, timezone
from pathlib import Path
from typing import Any


def send(url: str, secret: str, event: dict[str, Any], tries: int = 12) -> dict[str, Any]:
    """Sends until there is an answer, and returns it. The same event is counted once, however often it is sent."""
    body, message_id = json.dumps(event).encode(), str(event["id"])
    for attempt in range(tries):
        now = str(int(time.time()))
        digest = hmac.digest(base64.b64decode(secret[6:]), f"{message_id}.{now}.".encode() + body, hashlib.sha256)
        headers = {"content-type": "application/cloudevents+json", "webhook-id": message_id, "webhook-timestamp": now}
        headers["webhook-signature"] = "v1," + base64.b64encode(digest).decode()
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30) as answer:
                return dict(json.load(answer))
        except OSError as fault:  # no connection, or an error response: retry 429 and 5xx; others need a person
            if isinstance(fault, urllib.error.HTTPError) and fault.code < 500 and fault.code != 429:
                raise SystemExit(in_words(fault.read().decode())) from None
            time.sleep(min(2**attempt, 600))
    raise SystemExit(f"Not accepted yet. Repeat with --id {message_id} --occurred-at {event['data']['occurred_at']}")


def in_words(problem: str) -> str:
    """Returns an error response as text."""
    try:
        found = json.loads(problem)
        errors = [f"- {error['pointer']}: {error['message']}" for error in found.get("errors", [])]
        return "\n".join([f"Not accepted: {found['title']} ({found['status']}). {found.get('detail', '')}", *errors])
    except (ValueError, KeyError):
        return f"Not accepted: {problem}"


def json_of(given: str) -> dict[str, Any]:
    """Returns the JSON object in a text, in a file, or, for "-", on the standard input."""
    try:
        inline = given.lstrip().startswith("{")
        text = given if inline else sys.stdin.read() if given == "-" else Path(given).read_text(encoding="utf-8")
        return dict(json.loads(text))
    except (OSError, TypeError, ValueError) as fault:
        raise argparse.ArgumentTypeError(f"must be a JSON object, or a file that contains one: {fault}") from None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The shared secret is read from the variable AWDA_SECRET.")
    parser.add_argument("url", help="https://…/api/v1/inbox/YOUR-ID, or the same with /rehearsal, which stores nothing")
    parser.add_argument("token", help="the token of the referral")
    parser.add_argument("signal", help="the type of signal, for example COMPLETED")
    parser.add_argument("outcome", nargs="?", help="the outcome, for example ISSUED")
    parser.add_argument("--payload", metavar="JSON|FILE|-", type=json_of, help="the details of the outcome")
    parser.add_argument("--fields", metavar="JSON|FILE|-", type=json_of, default={}, help="other fields of the signal")
    parser.add_argument("--kind", help="the kind of the referral; only a rehearsal uses it")
    parser.add_argument("--occurred-at", default=datetime.now(timezone.utc).isoformat(), help="now, unless you name it")
    parser.add_argument("--id", default=str(uuid.uuid4()), help="the id of an earlier attempt, to repeat it")
    args = parser.parse_args()
    data = {"signal_id": args.id, "referral_token": args.token, "signal_type": args.signal}
    more = {"occurred_at": args.occurred_at, "outcome_code": args.outcome, "payload": args.payload}
    data |= {name: value for name, value in more.items() if value is not None} | args.fields
    source = "awda:partner:" + args.url.removesuffix("/rehearsal").rpartition("/")[2]
    event = {"specversion": "1.0", "type": "org.iom.vhr.signal.v1", "id": args.id, "source": source, "data": data}
    answer = send(args.url, os.environ["AWDA_SECRET"], event | ({"referralkind": args.kind} if args.kind else {}))
    print(answer.get("receipt") or "\n".join([answer["says"], *(f"- {note['message']}." for note in answer["notes"])]))
    raise SystemExit(answer.get("would_be") == "held_for_review")
