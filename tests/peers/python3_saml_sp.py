"""A service provider on python3-saml. Usage: python3_saml_sp.py FOLDER metadata|login|accept|logout|logged_out."""
import json
import sys
import urllib.parse

from onelogin.saml2.auth import OneLogin_Saml2_Auth
from onelogin.saml2.idp_metadata_parser import OneLogin_Saml2_IdPMetadataParser
from onelogin.saml2.settings import OneLogin_Saml2_Settings

folder, command = sys.argv[1:3]
given = json.load(open(f"{folder}/config.json"))
settings = {
    "strict": True,
    "sp": {
        "entityId": given["entity"],
        "assertionConsumerService": {"url": given["acs"], "binding": "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"},
        "singleLogoutService": {"url": given["slo"], "binding": "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"},
        "NameIDFormat": "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
        "x509cert": open(f"{folder}/cert.pem").read(),
        "privateKey": open(f"{folder}/key.pem").read(),
    },
    "security": {
        "authnRequestsSigned": True,
        "logoutRequestSigned": True,
        "logoutResponseSigned": True,
        "wantAssertionsSigned": True,
        "wantMessagesSigned": True,
        "wantAssertionsEncrypted": True,
        "wantNameId": True,
        "rejectDeprecatedAlgorithm": True,
        "requestedAuthnContext": ["urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"],
        "requestedAuthnContextComparison": "minimum",
        "signatureAlgorithm": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        "digestAlgorithm": "http://www.w3.org/2001/04/xmlenc#sha256",
    },
}

if command == "metadata":
    print(OneLogin_Saml2_Settings(settings, sp_validation_only=True).get_sp_metadata().decode())
    sys.exit()

settings.update({"idp": OneLogin_Saml2_IdPMetadataParser.parse(open(f"{folder}/idp.xml").read())["idp"]})


def auth(url, get=None, post=None):
    parts = urllib.parse.urlsplit(url)
    request = {"https": "on", "http_host": parts.netloc, "script_name": parts.path, "get_data": get or {}, "post_data": post or {},
               "query_string": parts.query, "validate_signature_from_qs": True}
    return OneLogin_Saml2_Auth(request, settings)


told = json.load(sys.stdin)
if command == "login":
    sp = auth(given["acs"])
    url = sp.login(return_to="deep")
    print(json.dumps({"id": sp.get_last_request_id(), "url": url}))
elif command == "accept":
    sp = auth(given["acs"], post={"SAMLResponse": told["SAMLResponse"]})
    sp.process_response(request_id=told["id"])
    assert not sp.get_errors(), (sp.get_errors(), sp.get_last_error_reason())
    assert sp.is_authenticated()
    saved = {"name_id": sp.get_nameid(), "session_index": sp.get_session_index(), "nq": sp.get_nameid_nq(),
             "name_id_format": sp.get_nameid_format(), "spnq": sp.get_nameid_spnq()}
    json.dump(saved, open(f"{folder}/session.json", "w"))
    print(json.dumps({"name": sp.get_nameid(), "attributes": sp.get_attributes(), "class": sp.get_last_authn_contexts()[0]}))
elif command == "logout":
    print(json.dumps({"url": auth(given["slo"]).logout(return_to="bye", **json.load(open(f"{folder}/session.json")))}))
elif command == "logged_out":
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(told["url"]).query))
    sp = auth(told["url"], get=query)
    sp.process_slo(keep_local_session=True)
    assert not sp.get_errors(), (sp.get_errors(), sp.get_last_error_reason())
    print(json.dumps({"ok": True}))
