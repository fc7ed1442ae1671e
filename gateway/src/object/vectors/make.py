#!/usr/bin/env python3
"""Makes the golden files of the sealed-object format, version 1, by the rules of
docs/SEALED-OBJECT.md; shares no code with the gateway.

Needs `cryptography` (PyPI). Run in this folder; the files must not change.
"""
import hashlib
import hmac
import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CHUNK = 4096
KEY, UUID, VERSION_ID, SALT = bytes(range(32)), bytes(range(0x10, 0x20)), bytes(range(0x20, 0x30)), bytes(range(0x80, 0xA0))


def sign(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def expand(purpose, suite, part, length):
    info = b"octroi/sealed-object/v1/" + purpose + struct.pack(">HI", suite, part)
    return sign(sign(SALT, KEY), info + b"\x01")[:length]


def seal(plaintext, suite=1, part=0):
    header = b"\x89OCTROI\n" + struct.pack(">HHI", 1, suite, CHUNK) + SALT + expand(b"commitment", suite, part, 32)
    header += UUID + VERSION_ID + struct.pack(">I", part)
    header += sign(expand(b"header-mac", suite, part, 32), header)
    cipher, prefix = AESGCM(expand(b"encryption", suite, part, 32)), expand(b"nonce", suite, part, 7)
    digest = hashlib.sha256(header).digest()
    chunks = [plaintext[i : i + CHUNK] for i in range(0, len(plaintext), CHUNK)] or [b""]
    sealed = header
    for index, chunk in enumerate(chunks):
        place = struct.pack(">IB", index, index == len(chunks) - 1)
        sealed += cipher.encrypt(prefix + place, chunk, digest + place)
    return sealed


for name, plaintext in [("empty", b""), ("hello", b"hello"), ("two-chunks", bytes(i % 251 for i in range(CHUNK + 4)))]:
    with open(f"v1-{name}.hex", "w") as file:
        text = seal(plaintext).hex()
        file.write("\n".join(text[i : i + 64] for i in range(0, len(text), 64)) + "\n")
