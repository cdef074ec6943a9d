"""Receives what Awda sends: AWDA_SECRET=whsec_… python receiver.py PORT FILE. Put a web server with TLS in front."""

import base64, hashlib, hmac, json, os, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer

SECRETS = [base64.b64decode(secret[6:]) for secret in os.environ["AWDA_SECRET"].split()]  # two while one is replaced
TOLERANCE_S = 300
LARGEST = 1024 * 1024


def signed(headers: dict[str, str], body: bytes) -> bool:
    """Returns whether one of the secrets signed this message within the tolerance."""
    message_id, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not at.isdecimal() or abs(time.time() - int(at)) > TOLERANCE_S:
        return False
    digests = [hmac.digest(secret, f"{message_id}.{at}.".encode() + body, hashlib.sha256) for secret in SECRETS]
    ours = [b"v1," + base64.b64encode(digest) for digest in digests]
    theirs = headers.get("webhook-signature", "").encode().split(b" ")
    return any(hmac.compare_digest(one, other) for one in ours for other in theirs)


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        length = self.headers.get("content-length", "")
        body = self.rfile.read(int(length)) if length.isdecimal() and int(length) <= LARGEST else b""
        if not signed({name.lower(): value for name, value in self.headers.items()}, body):
            return self.end(401)
        event = json.loads(body)
        if event["type"] != "org.iom.vhr.test.v1" and event["id"] not in kept:  # a repeated id is the same message
            with open(sys.argv[2], "a", encoding="utf-8") as file:
                file.write(json.dumps(event) + "\n")
                file.flush()
                os.fsync(file.fileno())  # answer only when it is on disk: an answered message is not sent again
            kept.add(event["id"])
        return self.end(204)

    def end(self, status: int) -> None:
        self.send_response(status)
        self.end_headers()


if __name__ == "__main__":
    with open(sys.argv[2], "a+", encoding="utf-8") as file:
        file.seek(0)
        kept = {json.loads(line)["id"] for line in file}
    server = HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
    print(f"receiving on port {server.server_port}", flush=True)
    server.serve_forever()
