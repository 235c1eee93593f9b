// A service provider on @node-saml/node-saml. Usage: node node_saml_sp.js FOLDER metadata|login|accept|logout|logged_out
"use strict";
const fs = require("fs");
const zlib = require("zlib");
const { SAML } = require("@node-saml/node-saml");

const [folder, command] = process.argv.slice(2);
const read = (name) => fs.readFileSync(`${folder}/${name}`, "utf8");
const given = JSON.parse(read("config.json"));
const input = () => JSON.parse(fs.readFileSync(0, "utf8"));

function saml(idp, known) {
  const certificates = [...idp.matchAll(/<ds:X509Certificate>([^<]+)/g)].map((found) => found[1]);
  const location = (service) => (idp.match(new RegExp(`<md:${service} Binding="[^"]*HTTP-Redirect" Location="([^"]+)"`)) || [])[1];
  return new SAML({
    issuer: given.entity,
    callbackUrl: given.acs,
    logoutCallbackUrl: given.slo,
    entryPoint: location("SingleSignOnService") || "https://unknown.example.com",
    logoutUrl: location("SingleLogoutService"),
    idpIssuer: (idp.match(/entityID="([^"]+)"/) || [])[1],
    idpCert: certificates.length ? [...new Set(certificates)] : ["none"],
    privateKey: read("key.pem"),
    decryptionPvk: read("key.pem"),
    signatureAlgorithm: "sha256",
    digestAlgorithm: "sha256",
    identifierFormat: "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
    authnContext: ["https://refeds.org/profile/mfa"],
    wantAssertionsSigned: true,
    wantAuthnResponseSigned: true,
    // It looks for InResponseTo in login responses only, and would refuse every posted logout response without this.
    validateInResponseTo: command === "logged_out" ? "ifPresent" : "always",
    audience: given.entity,
    cacheProvider: {
      saveAsync: async (key, value) => ({ value, createdAt: Date.now() }),
      getAsync: async (key) => (key === known ? new Date().toISOString() : null),
      removeAsync: async (key) => key,
    },
  });
}

const idOf = (url) => {
  const message = Buffer.from(new URL(url).searchParams.get("SAMLRequest"), "base64");
  return zlib.inflateRawSync(message).toString().match(/ ID="([^"]+)"/)[1];
};

async function main() {
  if (command === "metadata") {
    const certificate = read("cert.pem");
    return saml("").generateServiceProviderMetadata(certificate, certificate);
  }
  const told = input();
  const sp = saml(read("idp.xml"), told.id);
  if (command === "login") {
    const url = await sp.getAuthorizeUrlAsync("deep", undefined, {});
    return JSON.stringify({ url, id: idOf(url) });
  }
  if (command === "accept") {
    const { profile } = await sp.validatePostResponseAsync({ SAMLResponse: told.SAMLResponse });
    fs.writeFileSync(`${folder}/profile.json`, JSON.stringify(profile));
    const { nameID, attributes } = profile;
    const assertion = JSON.stringify(profile.getAssertion());
    const name = assertion.match(/"AuthnContextClassRef":\[\{"_":"([^"]+)"/);
    return JSON.stringify({ name: nameID, attributes, class: name && name[1] });
  }
  if (command === "logout") {
    const url = await sp.getLogoutUrlAsync(JSON.parse(read("profile.json")), "bye", {});
    return JSON.stringify({ url, id: idOf(url) });
  }
  if (told.SAMLResponse) {
    const { loggedOut } = await sp.validatePostResponseAsync({ SAMLResponse: told.SAMLResponse });
    return JSON.stringify({ ok: loggedOut });
  }
  const url = new URL(told.url);
  const query = Object.fromEntries(url.searchParams.entries());
  const { loggedOut } = await sp.validateRedirectAsync(query, url.search.slice(1));
  return JSON.stringify({ ok: loggedOut });
}

main().then(
  (text) => console.log(text),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
