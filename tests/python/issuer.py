"""An OIDC issuer over TLS: discovery, keys, and tokens of every kind, good and bad, written into a folder."""

import base64
import hashlib
import hmac
import http.server
import json
import os
import ssl
import sys
import threading
import time

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

port, certificate, key, folder = int(sys.argv[1]), *sys.argv[2:]
issuer = f"https://localhost:{port}"
os.makedirs(folder)


def number(value, length=None):
    length = length or (value.bit_length() + 7) // 8
    return base64.urlsafe_b64encode(value.to_bytes(length, "big")).rstrip(b"=").decode()


def rsa_jwk(private, kid):
    public = private.public_key().public_numbers()
    return {"kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256", "n": number(public.n), "e": number(public.e)}


def ec_jwk(private, kid):
    public = private.public_key().public_numbers()
    return {"kty": "EC", "kid": kid, "crv": "P-256", "use": "sig", "alg": "ES256", "x": number(public.x, 32), "y": number(public.y, 32)}


first = rsa.generate_private_key(public_exponent=65537, key_size=2048)
second = rsa.generate_private_key(public_exponent=65537, key_size=2048)
stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
curve = ec.generate_private_key(ec.SECP256R1())
keys = [rsa_jwk(first, "first"), ec_jwk(curve, "curve")]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/.well-known/openid-configuration":
            answer = {"issuer": issuer, "jwks_uri": f"{issuer}/keys"}
        elif self.path == "/keys":
            answer = {"keys": keys}
        else:
            self.send_error(404)
            return
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def write(name, token):
    with open(f"{folder}/{name}", "w") as file:
        file.write(token)


def sign(private=first, kid="first", algorithm="RS256", **changes):
    now = int(time.time())
    claims = {"iss": issuer, "aud": "octroi", "sub": "jeanne-sub", "iat": now, "exp": now + 600} | changes
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, private, algorithm=algorithm, headers={"kid": kid})


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


now = int(time.time())
good = sign()
write("good", good)
write("good-ec", sign(curve, "curve", "ES256"))
write("expired", sign(iat=now - 7200, exp=now - 3600))
write("not-yet", sign(nbf=now + 3600))
write("no-expiry", sign(exp=None))
write("wrong-audience", sign(aud="another"))
write("wrong-issuer", sign(iss="https://elsewhere.example"))
write("unknown-subject", sign(sub="somebody-else"))
write("by-email", sign(sub="somebody-else", email="jeanne-sub", preferred_username="jeanne"))
write("unknown-key", sign(stranger, "stranger"))
write("bad-signature", sign(stranger, "first"))
claims = {"iss": issuer, "aud": "octroi", "sub": "jeanne-sub", "iat": now, "exp": now + 600}
write("alg-none", f"{part({'alg': 'none', 'kid': 'first'})}.{part(claims)}.")
pem = first.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
signed = f"{part({'alg': 'HS256', 'kid': 'first'})}.{part(claims)}"

mac = base64.urlsafe_b64encode(hmac.new(pem, signed.encode(), hashlib.sha256).digest()).rstrip(b"=").decode()
write("hs256-with-public-key", f"{signed}.{mac}")

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
write("ready", "")
while True:
    if os.path.exists(f"{folder}/rotate") and not os.path.exists(f"{folder}/rotated"):
        keys[:] = [rsa_jwk(second, "second")]
        write("rotated", sign(second, "second"))
    time.sleep(0.05)
