"""A relying party on the library Authlib. Speaks with tests/house/foreign.rs by lines of JSON, as openid_client.mjs does."""
import json
import os
import sys

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry

issuer, client_id, secret, redirect_uri = sys.argv[1:5]


def visit(url):
    print(json.dumps({"visit": url}), flush=True)
    return sys.stdin.readline().strip()


session = OAuth2Session(client_id, secret, scope="openid profile email offline_access", redirect_uri=redirect_uri,
                        token_endpoint_auth_method="client_secret_basic", code_challenge_method="S256")
session.trust_env = False
metadata = session.get(issuer + "/.well-known/openid-configuration", withhold_token=True).json()
found = {}
verifier, nonce = generate_token(48), generate_token()
url, state = session.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce)
tokens = session.fetch_token(metadata["token_endpoint"], authorization_response=visit(url), state=state,
                             code_verifier=verifier)
keys = KeySet.import_key_set(session.get(metadata["jwks_uri"], withhold_token=True).json())
token = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"])
JWTClaimsRegistry(iss={"essential": True, "value": issuer}, aud={"essential": True, "value": client_id},
                  nonce={"essential": True, "value": nonce}, leeway=60).validate(token.claims)
found["claims"] = token.claims
found["userinfo"] = session.get(metadata["userinfo_endpoint"]).json()
renewed = session.refresh_token(metadata["token_endpoint"], refresh_token=tokens["refresh_token"])
found["renewed"] = bool(renewed["access_token"])
found["introspected"] = session.introspect_token(metadata["introspection_endpoint"], token=renewed["access_token"],
                                                 token_type_hint="access_token").json()
session.revoke_token(metadata["revocation_endpoint"], token=renewed["refresh_token"], token_type_hint="refresh_token")
found["revoked"] = session.introspect_token(metadata["introspection_endpoint"], token=renewed["access_token"],
                                            token_type_hint="access_token").json()
print(json.dumps({"done": found}), flush=True)
