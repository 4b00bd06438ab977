"""One signed request to an S3 on the loopback: s3.py METHOD PORT PATH SECRET [BODY]; prints the status and the reply.

Nothing here knows of fuselab. Signed with Amazon's Signature Version 4, by the standard library alone.
"""

import datetime
import hashlib
import hmac
import http.client
import sys

ACCOUNT, SIGNED = "of-the-run", "host;x-amz-content-sha256;x-amz-date"


def main(method: str, port: str, path: str, secret: str, body: str = "") -> None:
    digest = hashlib.sha256(body.encode()).hexdigest()
    time = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": f"127.0.0.1:{port}", "x-amz-content-sha256": digest, "x-amz-date": time}
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    canonical = f"{method}\n{path}\n\n{lines}\n{SIGNED}\n{digest}"
    scope = f"{time[:8]}/us-east-1/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{time}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = f"Credential={ACCOUNT}/{scope}, SignedHeaders={SIGNED}, Signature={key.hex()}"
    connection = http.client.HTTPConnection("127.0.0.1", int(port))
    connection.request(method, path, body, headers | {"authorization": f"AWS4-HMAC-SHA256 {signature}"})
    reply = connection.getresponse()
    print(reply.status, reply.read().decode())


main(*sys.argv[1:])
