"""Passcodes as others compute them: PyOTP for TOTP and HOTP, oath for HOTP and OCRA.

Reads a list of cases as JSON from standard input, writes the list of what each library says.
"""

import base64
import hashlib
import json
import sys

import oath
import pyotp


def of(case):
    key = bytes.fromhex(case["key"])
    base32 = base64.b32encode(key).decode().rstrip("=")
    digest = getattr(hashlib, case["algorithm"].lower())
    if case["kind"] == "totp":
        totp = pyotp.TOTP(base32, digits=case["digits"], digest=digest, interval=case["period"])
        return [totp.at(case["seconds"])]
    if case["kind"] == "hotp":
        found = [pyotp.HOTP(base32, digits=case["digits"], digest=digest).at(case["counter"])]
        found.append(oath.hotp(case["key"], case["counter"], format="dec%d" % case["digits"], hash=digest))
        return found
    suite = oath.str2ocrasuite(case["suite"])
    values = {"Q": case["question"]}
    if "-C-" in case["suite"] or ":C-" in case["suite"]:
        values["C"] = case["counter"]
    if "-P" in case["suite"]:
        values["P"] = case["pin"]
    if "-T" in case["suite"]:
        values["T_precomputed"] = case["step"]
    return [suite(key, **values)]


json.dump([of(case) for case in json.load(sys.stdin)], sys.stdout)
