"""Key containers by somebody else (python-pskc): writes what we are to read, reads what we wrote.

Usage: pskc_peer.py write key|password FILE    or    pskc_peer.py read key|password FILE
"""

import json
import sys

from pskc import PSKC

KEY = bytes.fromhex("12345678901234567890123456789012")
PASSWORD = "correct horse battery staple"

mode, how, path = sys.argv[1:4]
if mode == "write":
    container = PSKC()
    container.add_key(
        id="K1",
        serial="PEER-1",
        manufacturer="oath.VE",
        secret=b"12345678901234567890",
        algorithm="totp",
        algorithm_suite="HMAC-SHA256",
        time_interval=30,
        time_offset=0,
        response_length=6,
        response_encoding="DECIMAL",
        key_userid="UID=ada,DC=acme,DC=test",
    )
    container.add_key(
        id="K2",
        serial="PEER-2",
        secret=b"12345678901234567890",
        algorithm="urn:ietf:params:xml:ns:keyprov:pskc:hotp",
        counter=7,
        response_length=8,
        response_encoding="DECIMAL",
    )
    if how == "key":
        container.encryption.setup_preshared_key(key=KEY, key_name="test")
    else:
        container.encryption.setup_pbkdf2(PASSWORD, iterations=5000)
    container.write(path)
else:
    container = PSKC(path)
    if how == "key":
        container.encryption.key = KEY
    else:
        container.encryption.derive_key(PASSWORD)
    print(
        json.dumps(
            [
                {
                    "serial": key.serial,
                    "secret": key.secret.hex(),
                    "checked": key.check(),
                    "algorithm": key.algorithm,
                    "suite": key.algorithm_suite,
                    "counter": key.counter,
                    "interval": key.time_interval,
                    "length": key.response_length,
                    "user": key.key_userid,
                }
                for key in container.keys
            ]
        )
    )
