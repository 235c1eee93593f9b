"""A service provider on pysaml2. Usage: pysaml2_sp.py FOLDER metadata|login|accept|logout|logout_by_server|logged_out; see saml_peers.rs."""
import json
import sys
import urllib.parse
from xml.etree import ElementTree

from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT, BINDING_SOAP, saml, samlp, xmldsig
from saml2.client import Saml2Client
from saml2.config import SPConfig
from saml2.metadata import entity_descriptor

folder, command = sys.argv[1:3]
given = json.load(open(f"{folder}/config.json"))
key, cert = f"{folder}/key.pem", f"{folder}/cert.pem"


def client(with_idp=True):
    config = SPConfig()
    config.load({
        "entityid": given["entity"],
        "xmlsec_binary": "/usr/bin/xmlsec1",
        "key_file": key,
        "cert_file": cert,
        "encryption_keypairs": [{"key_file": key, "cert_file": cert}],
        "metadata": {"local": [f"{folder}/idp.xml"]} if with_idp else {},
        "allow_unknown_attributes": True,
        "service": {"sp": {
            "endpoints": {
                "assertion_consumer_service": [(given["acs"], BINDING_HTTP_POST)],
                "single_logout_service": [(given["slo"], BINDING_HTTP_REDIRECT)],
            },
            "name_id_format": saml.NAMEID_FORMAT_PERSISTENT,
            "authn_requests_signed": True,
            "logout_requests_signed": True,
            "want_assertions_signed": True,
            "want_response_signed": True,
            "allow_unsolicited": False,
            "signing_algorithm": xmldsig.SIG_RSA_SHA256,
            "digest_algorithm": xmldsig.DIGEST_SHA256,
        }},
    })
    return Saml2Client(config, identity_cache=f"{folder}/identities")


if command == "metadata":
    print(entity_descriptor(client(with_idp=False).config))
    sys.exit()

sp = client()
idp = next(iter(sp.metadata.keys()))
told = json.load(sys.stdin)
if command == "login":
    identifier, info = sp.prepare_for_authenticate(
        entityid=idp, relay_state="deep", binding=BINDING_HTTP_REDIRECT, sign=True, sigalg=xmldsig.SIG_RSA_SHA256)
    print(json.dumps({"id": identifier, "url": dict(info["headers"])["Location"]}))
elif command == "accept":
    response = sp.parse_authn_request_response(told["SAMLResponse"], BINDING_HTTP_POST, outstanding={told["id"]: "/"})
    info = response.session_info()
    sp.users.add_information_about_person(info)
    open(f"{folder}/name", "w").write(str(info["name_id"]))
    attributes = {name: values for name, values in response.get_identity().items()}
    print(json.dumps({"name": info["name_id"].text, "attributes": attributes, "class": info["authn_info"][0][0]}))
elif command == "logout":
    name = saml.name_id_from_string(open(f"{folder}/name").read())
    done = sp.do_logout(name, [idp], "", None, sign=True, expected_binding=BINDING_HTTP_REDIRECT,
                        sign_alg=xmldsig.SIG_RSA_SHA256, digest_alg=xmldsig.DIGEST_SHA256)
    binding, info = done[idp]
    assert binding == BINDING_HTTP_REDIRECT, binding
    print(json.dumps({"url": dict(info["headers"])["Location"]}))
elif command == "logout_by_server":
    # pysaml2 writes what it finds in an envelope anew before it looks at the signature, with other prefixes unless these
    # are known; a signature covers the prefixes, too.
    for prefix, uri in {"samlp": samlp.NAMESPACE, "saml": saml.NAMESPACE, "ds": xmldsig.NAMESPACE}.items():
        ElementTree.register_namespace(prefix, uri)
    name = saml.name_id_from_string(open(f"{folder}/name").read())
    done = sp.do_logout(name, [idp], "", None, sign=True, expected_binding=BINDING_SOAP,
                        sign_alg=xmldsig.SIG_RSA_SHA256, digest_alg=xmldsig.DIGEST_SHA256)
    response = done[idp]
    print(json.dumps({"ok": response.status_ok(), "issuer": response.issuer()}))
elif command == "logged_out":
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(told["url"]).query))
    response = sp.parse_logout_request_response(query["SAMLResponse"], BINDING_HTTP_REDIRECT)
    print(json.dumps({"ok": response is not None and response.status_ok()}))
